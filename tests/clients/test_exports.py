"""`extra_headers.forwarding` loads a name when it is asked for."""

import subprocess
import sys

import pytest

from extra_headers import forwarding


def test_every_name_can_be_had() -> None:
    """All that it exports is there, once, and is listed."""
    for name in forwarding.__all__:
        assert getattr(forwarding, name).__name__ == name
        assert getattr(forwarding, name) is vars(forwarding)[name]
    assert set(forwarding.__all__) <= set(dir(forwarding))


def test_an_unknown_name() -> None:
    """A name that it has not is an `AttributeError`, as of any module; type checkers see it, too."""
    with pytest.raises(AttributeError, match="has no attribute 'Polcy'"):
        forwarding.Polcy  # type: ignore[attr-defined]  # noqa: B018 - the access is the test


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import extra_headers.forwarding.cli", "pydantic openai opentelemetry prometheus_client click rich"),
        ("import extra_headers.forwarding.cli.check, extra_headers.forwarding.cli.explain", "openai litellm"),
        ("from extra_headers.forwarding import MalformedHeadersError", "pydantic openai opentelemetry"),
        ("from extra_headers.forwarding import ExtraHeaders; import httpx", "openai"),
    ],
)
def test_what_is_not_asked_for_is_not_loaded(code: str, absent: str) -> None:
    """A quick command line, and for a user of httpx no openai; what deciding loads is in tests/core/test_imports.py."""
    shown = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert set(absent.split()) & set(done.stdout.split()) == set()
