"""Whatever is wrong with the telemetry, requests are answered as if nothing were."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from extra_headers.forwarding.testing.processes import free_port
from tests.server.stack import Stack
from tests.telemetry.servers import running
from tests.waiting import wait_until

_REQUESTS = 30


def _send_requests(stack: Stack) -> None:
    """Send clean, filtered and rejected requests, which are answered as ever."""
    for i in range(_REQUESTS):
        headers, status = [({"X-A": "1"}, 200), ({"X-A": "1", "Cookie": "s"}, 200), ({"X-A": "\n"}, 400)][i % 3]
        assert stack.send("on", headers).status_code == status
    assert len(stack.upstream.take()) == _REQUESTS * 2 // 3


def _folded_log(stack: Stack) -> str:
    """Return the server's log without the line breaks that its console put in."""
    return " ".join(stack.server.log.split())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The endpoint stays away with one line that names the setting; requests and counters go on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(tmp_path, {"EXTRA_HEADERS_METRICS_PORT": str(port)}) as stack:
            _send_requests(stack)
            wait_until(lambda: f"EXTRA_HEADERS_METRICS_PORT={port} cannot be served" in _folded_log(stack))
            assert _folded_log(stack).count("cannot be served") == 1


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """Workers without a place to count say so once and serve requests."""
    (tmp_path / "file").write_text("in the way")
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "file"),
        "EXTRA_HEADERS_METRICS_PORT": str(free_port()),
    }
    with running(tmp_path, environment) as stack:
        _send_requests(stack)
        assert "extra_headers: no metrics, requests are not affected:" in _folded_log(stack)


_RAISING = """
import asyncio, json, sys
from extra_headers.telemetry import metrics, spans, audit

def broken(*args, **kwargs):
    raise RuntimeError("broken on purpose")

for holder, name in (
    (metrics.ProviderMetrics, "record"),
    (spans, "record_decision"),
    (audit.AuditLog, "record"),
):
    setattr(holder, name, broken)

from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry.recorder import Recorder
from extra_headers.telemetry.metrics import ProviderLabels

recorder = Recorder(ProviderLabels("p", "remote::p", "d", "drop", "drop"))
for _ in range(100):
    recorder.record(evaluate({"Cookie": "s"}, Policy()), 1e-6, "http://127.0.0.1/")
print(json.dumps("went on"))
"""


def test_everything_raises() -> None:
    """With every part of the telemetry raising, recording goes on and complains once."""
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run([sys.executable, "-c", _RAISING], env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - ours

    assert json.loads(done.stdout) == "went on"
    assert done.stderr.count("telemetry of provider 'p' failed; requests go on") == 1


def test_a_taken_metric_name_costs_only_metrics(tmp_path: Path) -> None:
    """Where another library has registered our names, the server starts, says so once, and forwards."""
    site = tmp_path / "site"
    site.mkdir()
    clash = 'from prometheus_client import Counter\nCounter("extra_headers_decisions", "not ours")\n'
    (site / "sitecustomize.py").write_text(clash)
    with running(tmp_path, {"PYTHONPATH": str(site)}) as stack:
        _send_requests(stack)
        assert _folded_log(stack).count("extra_headers: no metrics, requests are not affected") == 1
