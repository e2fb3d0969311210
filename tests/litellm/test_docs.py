"""docs/litellm.md: its quick start is run as written, and its configurations are checked."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from extra_headers.forwarding.litellm.settings import checked
from extra_headers.forwarding.testing.processes import ServerProcess, free_port
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.docs.pages import ROOT, blocks

_BLOCKS = list(blocks(ROOT / "docs" / "litellm.md"))
_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def test_configurations() -> None:
    """Every policy in them is usable."""
    configurations = [block.text for block in _BLOCKS if block.language == "yaml"]
    assert len(configurations) == 2
    for text in configurations:
        checked(yaml.safe_load(text))


def test_quick_start(tmp_path: Path) -> None:
    """The provider receives the header and its own key, the metrics count the other one, and the log has the record."""
    install, start, send, check = (block.text for block in _BLOCKS if block.language == "shell")
    assert install == "pip install 'extra-headers-forwarding[litellm]'\n"
    ports = {"4000": str(free_port()), "9464": str(free_port())}
    with RecordingProvider() as provider:
        ports["8000"] = str(provider.port)
        (config, *_) = (block.text for block in _BLOCKS if block.language == "yaml")
        (tmp_path / "config.yaml").write_text(_on(config, ports))
        done = subprocess.run(  # noqa: S603 - our own documentation
            ["/bin/bash", "-euc", f"{start.splitlines()[0]}\n{check}"],
            env={"PATH": _PATH},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "1 provider with extra headers, 0 without; 1 note" in done.stdout
        assert "The request goes to provider gpt with 1 of 1 extra headers." in done.stdout
        server = ServerProcess(
            "the proxy",
            ["/bin/bash", "-euc", f"cd {tmp_path}\n{_on(start, ports)}"],
            f"http://127.0.0.1:{ports['4000']}/health/liveliness",
            tmp_path / "proxy.log",
            environment={"PATH": _PATH, "HOME": str(tmp_path), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            timeout=180,
        )
        with server:
            exports = start.splitlines()[0]
            command = f"{exports}\n{_on(send, ports)}\ncurl -s http://127.0.0.1:{ports['9464']}/metrics"
            done = subprocess.run(  # noqa: S603 - our own documentation
                ["/bin/bash", "-euc", command], capture_output=True, text=True, timeout=60, check=True
            )
            (received,) = [each for each in provider.take() if each.method == "POST"]
            assert received.values("x-subscription") == ["free"]
            assert received.values("authorization") == ["Bearer the-provider-key"]
            counted = 'extra_headers_decisions_total{decision="blocked",provider="gpt",reason="credential"} 1.0'
            assert counted in done.stdout
            assert "Authorization (credential)" in server.log


def _on(text: str, ports: dict[str, str]) -> str:
    for documented, port in ports.items():
        text = text.replace(documented, port)
    return text
