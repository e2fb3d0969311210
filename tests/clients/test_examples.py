"""The example programs, run as a reader would run them."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from extra_headers.forwarding.testing.recording_provider import RecordingProvider

_FOLDER = Path(__file__).parents[2] / "examples"

SHOWN = {
    "openai_client.py": [
        "answer: hi",
        "rejected: extra headers for provider 'vllm-strict' rejected, nothing was sent to the provider: header 'Author",
        "the provider received /v1/chat/completions with x-maas-subscription: free-tier",
        "the provider received /v1/embeddings with x-maas-subscription: premium",
    ],
    "httpx_client.py": [
        "status: 200",
        "rejected: extra headers for provider 'vllm' rejected, nothing was sent to the provider: header 'X-Trace",
        "the provider received /v1/rerank with x-trace-label: a",
        "the provider received /v1/rerank with x-tenant: from-the-login",
        "the provider received /v1/rerank with x-trace-label: b",
    ],
    "asgi_service.py": [
        '200 "hi"',
        '403 {"error": {"message": "extra headers for provider',
        '400 {"error": {"message": "extra headers for provider',
        "the provider received /v1/chat/completions with x-maas-subscription: free-tier",
    ],
}


_KEYS = {"OPENAI_API_KEY": "the-service-key", "PROVIDER_API_KEY": "the-service-key"}


# One process for all, because most of the time is that of importing the SDK.
_ONE_AFTER_ANOTHER = """
import runpy, sys
paths = sys.argv[1:]
for path in paths:
    sys.argv = [path]
    runpy.run_path(path, run_name="__main__")
    print("NEXT")
"""


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """Return what each prints without arguments."""
    command = [sys.executable, "-W", "error", "-c", _ONE_AFTER_ANOTHER, *(str(_FOLDER / name) for name in SHOWN)]
    done = subprocess.run(command, env={**os.environ, **_KEYS}, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    return dict(zip(SHOWN, done.stdout.split("NEXT\n"), strict=False))


@pytest.mark.parametrize("name", SHOWN)
def test_as_it_is(name: str, printed: dict[str, str]) -> None:
    """Without arguments it brings its own provider, and shows what the provider received."""
    output = printed[name]

    lines = output.splitlines()
    assert [text for text in SHOWN[name] if not any(line.startswith(text) for line in lines)] == []
    authorized = [line.rpartition(": ")[2] for line in lines if "with authorization" in line]
    assert authorized == ["Bearer the-service-key"] * len(authorized) != []
    assert "of-the-caller" not in output


@pytest.mark.parametrize("name", SHOWN)
def test_against_a_provider(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a URL it calls that provider: with the callers' headers, its own key, and nothing that is blocked.

    It runs in this process, because the test above has shown that it runs as a program.
    """
    for variable, value in _KEYS.items():
        monkeypatch.setenv(variable, value)
    with RecordingProvider() as upstream:
        monkeypatch.setattr(sys, "argv", [name, upstream.base_url])
        runpy.run_path(str(_FOLDER / name), run_name="__main__")
        received = upstream.take()

    assert received
    assert all(r.values("authorization") == ["Bearer the-service-key"] for r in received)
    assert all(r.values("x-maas-subscription") or r.values("x-trace-label") for r in received)
    assert all(b"of-the-caller" not in r.head for r in received)


def test_each_is_tested() -> None:
    """No example goes unrun, and each says what it shows."""
    programs = {path.name: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.py")}
    assert set(programs) == set(SHOWN)
    assert all(f"python examples/{name} BASE_URL" in text for name, text in programs.items())
