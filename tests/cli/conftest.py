"""The commands in this process, and run configs to give them."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

import pytest

from extra_headers.forwarding.cli import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did."""

    exit_code: int
    out: str
    err: str


type Invoke = Callable[..., Outcome]
type Write = Callable[..., str]


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Return a function that runs `extra-headers` with arguments and standard input."""
    monkeypatch.delenv("COLUMNS", raising=False)  # a test may set its own

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file and returns its path."""

    def run(content: str | bytes, name: str = "run.yaml") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
        return str(path)

    return run


def provider(setting: str, provider_id: str = "vllm", kind: str = "remote::vllm") -> str:
    """Return a run config of one provider; the setting's first line is line 9."""
    head = f"""\
providers:
  inference:
  - provider_id: {provider_id}
    provider_type: {kind}
    module: extra_headers.forwarding
    config:
      base_url: http://localhost:8000/v1
      extra_headers:
"""
    return head + indent(dedent(setting).strip("\n"), " " * 8) + "\n"


def entry(provider_id: str, kind: str = "remote::vllm", setting: str = "true") -> str:
    """Return one more provider for a run config; its setting is one line."""
    return f"""\
  - provider_id: {provider_id}
    provider_type: {kind}
    module: extra_headers.forwarding
    config:
      extra_headers: {setting}
"""
