"""The add-on's own metrics endpoint serves Prometheus, whatever others do to its port."""

import contextlib
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from extra_headers.forwarding.testing.processes import free_port
from tests.waiting import wait_until

_DESCRIPTORS = 64
_SERVE = """
import resource, sys, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[2])))
from extra_headers.telemetry.endpoint import start_endpoint
from extra_headers.telemetry.settings import TelemetrySettings
start_endpoint(TelemetrySettings(metrics_port=int(sys.argv[1])))
threading.Event().wait()
"""


@contextmanager
def _endpoint(port: int, code: str = _SERVE) -> Iterator[int]:
    """Run the endpoint in a process that may open few files, and yield the process id."""
    command = [sys.executable, "-c", code, str(port), str(_DESCRIPTORS)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:  # noqa: S603 - ours
        try:
            wait_until(lambda: _scrape(port))
            yield process.pid
        finally:
            process.kill()
            assert process.stderr is not None
            assert process.stderr.read() == b"", "a caller can write to the server's log"


def _scrape(port: int) -> bool:
    """Return whether a scrape gets an answer in time."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return b"python_info" in answer.read()
    return False


def _open_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_thousands_of_connections() -> None:
    """Clients that send nothing or half a request take neither descriptors nor the scrapes of others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    open_at_once: deque[socket.socket] = deque(maxlen=min(hard, 4096) // 2)
    port = free_port()
    try:
        with _endpoint(port) as pid:
            scraped = 0
            for i in range(3000):
                if len(open_at_once) == open_at_once.maxlen:
                    open_at_once.popleft().close()
                attacker = socket.create_connection(("127.0.0.1", port), timeout=10)
                open_at_once.append(attacker)
                with contextlib.suppress(ConnectionError):
                    attacker.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-" * (i % 2))
                if i % 300 == 299:
                    scraped += _scrape(port)
                    assert _open_descriptors(pid) < _DESCRIPTORS - 10
            assert scraped == 10
    finally:
        while open_at_once:
            open_at_once.pop().close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_silent_connection_is_closed() -> None:
    """Without any other client, too, a connection that sends nothing does not stay."""
    port = free_port()
    impatient = "from extra_headers.telemetry import bounded_server\nbounded_server._Handler.timeout = 0.5\n"
    with _endpoint(port, impatient + _SERVE), socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
        started = time.monotonic()
        assert silent.recv(1) == b""
        assert time.monotonic() - started < 15


def test_an_ipv6_address(tmp_path: Path) -> None:
    """The endpoint listens on the address that it is given, of either family."""
    port = free_port()
    code = _SERVE.replace("metrics_port=int(sys.argv[1])", "metrics_port=int(sys.argv[1]), metrics_host='::1'")
    log = tmp_path / "log"
    with log.open("wb") as out, subprocess.Popen([sys.executable, "-c", code, str(port), "64"], stderr=out) as process:  # noqa: S603 - ours

        def answers() -> bool:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://[::1]:{port}/", timeout=5) as answer:
                return b"python_info" in answer.read()
            return False

        try:
            wait_until(answers)
        finally:
            process.kill()
