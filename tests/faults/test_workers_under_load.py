"""A worker that is killed in the middle of the load: whoever got an answer was counted, and nobody twice."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import httpx

from extra_headers.forwarding.testing.processes import free_port
from extra_headers.telemetry import contract
from tests.server.stack import Series, Stack, grown
from tests.telemetry.servers import running
from tests.waiting import wait_until

_CALLERS = 8
_HEADERS = {"Authorization": "evil", "X-Tenant": "a"}
_EACH = {("forwarded", "on", "allowed"), ("blocked", "on", "credential")}
"""What each request is counted with."""


@contextmanager
def _two_workers(tmp_path: Path) -> Iterator[tuple[Stack, Path]]:
    directory, port = tmp_path / "shared", free_port()
    environment = {
        "OGX_WORKERS": "2",
        "PROMETHEUS_MULTIPROC_DIR": str(directory),
        "EXTRA_HEADERS_METRICS_PORT": str(port),
    }
    with running(tmp_path, environment, several_workers=True) as stack:
        wait_until(lambda: len(_workers(directory)) == 2)
        wait_until(lambda: _scrapes(stack))
        yield stack, directory


def _workers(directory: Path) -> list[int]:
    """Return the process ids of the workers that count in a directory and are alive."""
    found = [int(path.stem.rpartition("_")[2]) for path in directory.glob("counter_[0-9]*.db")]
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def _scrapes(stack: Stack) -> Series:
    try:
        return stack.series()
    except httpx.HTTPError:
        return {}


def _send(stack: Stack, count: int) -> Counter[str]:
    """Send requests on connections of their own; return how many were answered and how many broke."""

    def send(_: int) -> str:
        with httpx.Client(timeout=60) as client:
            one = Stack(stack.server, stack.upstream, stack.metrics_url, client, stack.directory)
            try:
                return str(one.send("on", _HEADERS).status_code)
            except httpx.TransportError:
                return "broke"

    with ThreadPoolExecutor(_CALLERS) as pool:
        return Counter(pool.map(send, range(count)))


def test_a_killed_worker_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """Every answered request is counted once; of those that broke, each is counted once or not at all."""
    with _two_workers(tmp_path) as (stack, directory):
        before = stack.series()
        victim = _workers(directory)[0]
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(_send, stack, 300)
            wait_until(lambda: len(stack.upstream.received) > 60)
            os.kill(victim, signal.SIGKILL)
            answers = sending.result()
        assert answers["200"] + answers["broke"] == 300
        assert answers["200"] > answers["broke"]
        after = wait_until(lambda: _scrapes(stack))

        decisions = grown(before, after, contract.DECISIONS_TOTAL)
        assert set(decisions) == _EACH
        for counted in (*decisions.values(), *grown(before, after, contract.REQUESTS_TOTAL).values()):
            assert answers["200"] <= counted <= 300

        # The supervisor has replaced it, and the totals go on to the last request.
        wait_until(lambda: len(_workers(directory)) == 2)
        before = stack.series()
        assert _send(stack, 50) == {"200": 50}
        assert grown(before, stack.series(), contract.DECISIONS_TOTAL) == dict.fromkeys(_EACH, 50)


def test_the_directory_is_removed(tmp_path: Path) -> None:
    """Requests and decisions go on; a worker that starts afterwards makes the directory anew and counts there."""
    with _two_workers(tmp_path) as (stack, directory):
        first = _workers(directory)
        rmtree(directory)
        stack.upstream.take()

        assert _send(stack, 30) == {"200": 30}
        # A worker that has just started also lists the provider's models.
        received = [request for request in stack.upstream.take() if request.method == "POST"]
        assert [r.values("x-tenant") for r in received] == [["a"]] * 30
        assert not any("evil" in value for r in received for value in r.values("authorization"))
        assert stack.send("reject_both", _HEADERS).status_code == 403
        assert stack.client.get(stack.metrics_url).status_code == 200  # of nothing, which an alert notices

        for pid in first:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(_workers(directory)) == 2)
        wait_until(lambda: _scrapes(stack))
        before = stack.series()
        assert _send(stack, 30) == {"200": 30}
        assert grown(before, stack.series(), contract.DECISIONS_TOTAL) == dict.fromkeys(_EACH, 30)
