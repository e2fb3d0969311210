"""Several workers, one total, whatever becomes of them: killed under load, restarted, or without their directory.

One test with two servers in turn, since each start of two workers imports the host four times.
"""

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree
from typing import Any

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


def _workers(directory: Path) -> list[int]:
    """Return the process ids of the workers that count in a directory and are alive."""
    found = [int(path.stem.rpartition("_")[2]) for path in directory.glob("counter_[0-9]*.db")]
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def _listener(port: int) -> int | None:
    """Return the process id that listens on a port of the loopback interface, as the kernel tells it."""
    wanted = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1] == wanted and row[3] == "0A"}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.readlink().name.removeprefix("socket:[").rstrip("]") in inodes:
                return int(descriptor.parts[2])
        except OSError:
            continue
    return None


def _scrapes(stack: Stack) -> Series:
    try:
        return stack.series()
    except httpx.HTTPError:
        return {}


def _scrapes_of_two(stack: Stack, directory: Path) -> Series:
    """Return the series once both workers are up and the endpoint is served."""

    def state() -> str:
        files = sorted(path.name for path in directory.glob("*"))
        return f"workers {_workers(directory)}, files {files}, log:\n{stack.server.last_lines}"

    # The supervisor may await the answer of a worker that was killed, for 30 s each.
    wait_until(lambda: len(_workers(directory)) == 2, state, seconds=150)
    return wait_until(lambda: _scrapes(stack), state)


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


def _policies(series: Series) -> set[tuple[str, str]]:
    """Return each provider and the digest of its policy."""
    found = [dict(labels) for name, labels in series if name == contract.POLICY_INFO]
    return {(labels["provider"], labels["policy"]) for labels in found}


def _decisions(series: Series) -> dict[tuple[str, ...], float]:
    return grown({}, series, contract.DECISIONS_TOTAL)


def test_one_total(tmp_path: Path) -> None:
    """No request is lost or counted twice when a worker is killed, the server restarts or the directory goes."""
    directory, port = tmp_path / "shared", free_port()
    environment = {
        "OGX_WORKERS": "2",
        "PROMETHEUS_MULTIPROC_DIR": str(directory),
        "EXTRA_HEADERS_METRICS_PORT": str(port),
    }
    with running(tmp_path, environment, several_workers=True) as stack:
        _scrapes_of_two(stack, directory)
        _both_workers_count_into_one_total(stack)
        _a_killed_worker_loses_and_repeats_nothing(stack, directory, port)
        last = stack.series()

    def tighten(config: dict[str, Any]) -> None:
        for provider in config["providers"]["inference"]:
            earlier = provider["config"]["extra_headers"]
            provider["config"]["extra_headers"] = {"block": ["x-new-*"], **({} if earlier is True else earlier)}

    with running(tmp_path, environment, change=tighten, several_workers=True) as stack:
        _a_restart_counts_nothing_twice(stack, last, _scrapes_of_two(stack, directory))
        _the_directory_is_removed(stack, directory)


def _both_workers_count_into_one_total(stack: Stack) -> None:
    """Check that all requests are counted, whichever worker got them."""
    assert _send(stack, 60) == {"200": 60}
    assert _decisions(stack.series()) == dict.fromkeys(_EACH, 60)


def _a_killed_worker_loses_and_repeats_nothing(stack: Stack, directory: Path, port: int) -> None:
    """Check that every answered request is counted once, and each of those that broke once or not at all.

    The killed worker is the one that serves the total: the other one serves the same total from then on.
    """
    before = stack.series()
    stack.upstream.take()
    serving = _listener(port)
    assert serving in _workers(directory)
    assert serving is not None
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(_send, stack, 300)
        wait_until(lambda: len(stack.upstream.received) > 60)
        os.kill(serving, signal.SIGKILL)
        answers = sending.result()
    assert answers["200"] + answers["broke"] == 300
    assert answers["200"] > answers["broke"]
    wait_until(lambda: _listener(port) not in (None, serving))
    after = wait_until(lambda: _scrapes(stack))

    decisions = grown(before, after, contract.DECISIONS_TOTAL)
    assert set(decisions) == _EACH
    for counted in (*decisions.values(), *grown(before, after, contract.REQUESTS_TOTAL).values()):
        assert answers["200"] <= counted <= 300

    # The supervisor has replaced it, and the totals go on to the last request.
    before = _scrapes_of_two(stack, directory)
    assert _send(stack, 50) == {"200": 50}
    assert grown(before, stack.series(), contract.DECISIONS_TOTAL) == dict.fromkeys(_EACH, 50)


def _a_restart_counts_nothing_twice(stack: Stack, last: Series, first: Series) -> None:
    """Check that the total goes on over a restart on the same directory, and only the new policy is active."""
    assert _decisions(first) == _decisions(last)
    assert sorted(provider for provider, _ in _policies(first)) == ["drop_both", "on", "reject_both"]
    assert _policies(first).isdisjoint(_policies(last))
    assert _send(stack, 5) == {"200": 5}
    assert grown(last, stack.series(), contract.DECISIONS_TOTAL) == dict.fromkeys(_EACH, 5)


def _the_directory_is_removed(stack: Stack, directory: Path) -> None:
    """Check that requests and decisions go on; a worker that starts afterwards makes the directory and counts there."""
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
    before = _scrapes_of_two(stack, directory)
    assert _send(stack, 30) == {"200": 30}
    assert grown(before, stack.series(), contract.DECISIONS_TOTAL) == dict.fromkeys(_EACH, 30)
