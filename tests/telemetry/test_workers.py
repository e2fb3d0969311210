"""Several workers, one total: exact, also when the worker that serves it is killed, and after a restart."""

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from extra_headers.forwarding.testing.processes import free_port
from tests.server.stack import Stack
from tests.telemetry.servers import running
from tests.waiting import wait_until

_CREDENTIAL = ("blocked", "on", "credential")


def _environment(directory: Path, port: int) -> dict[str, str]:
    return {
        "OGX_WORKERS": "2",
        "PROMETHEUS_MULTIPROC_DIR": str(directory),
        "EXTRA_HEADERS_METRICS_PORT": str(port),
    }


def _send(stack: Stack, count: int) -> None:
    """Send requests with one blocked header each, on connections of their own, so that both workers get some."""

    def send(_: int) -> int:
        with httpx.Client(timeout=60) as client:
            one = Stack(stack.server, stack.upstream, stack.metrics_url, client, stack.directory)
            return one.send("on", {"Authorization": "evil", "X-Tenant": "a"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(send, range(count))) == {200: count}


def _total(stack: Stack) -> float:
    labels = tuple(zip(("decision", "provider", "reason"), _CREDENTIAL, strict=True))
    return stack.series().get(("extra_headers_decisions_total", labels), 0)


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


def _answers(stack: Stack) -> bool:
    try:
        return stack.client.get(stack.metrics_url).status_code == 200
    except httpx.HTTPError:
        return False


def test_totals_survive_the_worker_that_served_them(tmp_path: Path) -> None:
    """Both workers count into one total; when the serving one is killed, the other serves the same total."""
    port = free_port()
    with running(tmp_path, _environment(tmp_path / "shared", port), several_workers=True) as stack:
        wait_until(lambda: _answers(stack))
        wait_until(lambda: len(list((tmp_path / "shared").glob("counter_[0-9]*.db"))) == 2)  # both workers are up
        _send(stack, 60)
        assert _total(stack) == 60

        serving = _listener(port)
        assert serving is not None
        os.kill(serving, signal.SIGKILL)
        wait_until(lambda: _listener(port) not in (None, serving))
        wait_until(lambda: _answers(stack))

        assert _total(stack) == 60
        wait_until(lambda: stack.client.get(f"{stack.server.url}/v1/health").status_code == 200)
        _send(stack, 40)
        assert _total(stack) == 100


def test_a_restart_counts_nothing_twice(tmp_path: Path) -> None:
    """Over a restart on the same directory the total goes on, and only the new policy is in force."""
    port = free_port()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with running(tmp_path / "a", _environment(tmp_path / "shared", port), several_workers=True) as stack:
        wait_until(lambda: _answers(stack))
        _send(stack, 10)
        assert _total(stack) == 10
        before = {dict(labels)["policy"] for (name, labels) in stack.series() if name == "extra_headers_policy_info"}

    def tighten(config: dict[str, dict[str, list[dict[str, dict[str, object]]]]]) -> None:
        for provider in config["providers"]["inference"]:
            provider["config"]["extra_headers"] = {"block": ["x-new-*"]}

    with running(
        tmp_path / "b", _environment(tmp_path / "shared", port), change=tighten, several_workers=True
    ) as stack:
        wait_until(lambda: _answers(stack))
        _send(stack, 5)
        assert _total(stack) == 15
        after = {dict(labels)["policy"] for (name, labels) in stack.series() if name == "extra_headers_policy_info"}

    assert len(after) == 1
    assert before.isdisjoint(after)
