"""A collector at fault while the queue of spans is full: every request is answered, and counted to the last one."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from extra_headers.forwarding.testing.loopback import LoopbackServer, Posted
from extra_headers.forwarding.testing.processes import free_port
from extra_headers.telemetry import contract
from tests.telemetry.servers import running

_REQUESTS = 200
_HEADERS = {"X-Tenant": "a", "Cookie": "s", "X-Bad": "s\n"}


@contextmanager
def _nobody(_: int) -> Iterator[None]:
    yield


@contextmanager
def _hangs(port: int) -> Iterator[None]:
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", port), backlog=64):
        yield


@contextmanager
def _answers(port: int, status: int, body: bytes, seconds: float = 0) -> Iterator[None]:
    stopping = threading.Event()

    def respond(_: Posted) -> tuple[int, bytes]:
        stopping.wait(seconds)
        return status, body

    with LoopbackServer(respond, port):
        yield
        stopping.set()


_COLLECTORS: dict[str, Callable[[int], AbstractContextManager[None]]] = {
    "down": _nobody,
    "hanging": _hangs,
    "slow": partial(_answers, status=200, body=b"", seconds=5),
    "refusing": partial(_answers, status=503, body=b""),
    "talking garbage": partial(_answers, status=200, body=b"\xff\x00garbage"),
}


def test_a_full_queue_costs_spans_only(tmp_path: Path) -> None:
    """Two hundred requests through a queue of eight: none fails, waits for an export or is missed.

    Afterwards a clean, a filtered and a rejected request are answered in time as well.
    """
    port = free_port()
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_BSP_MAX_QUEUE_SIZE": "8",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
    }
    with running(tmp_path, environment) as stack:
        for fault, collector in _COLLECTORS.items():
            with collector(port):
                before = stack.series()
                started = time.monotonic()
                with ThreadPoolExecutor(16) as pool:
                    sent = pool.map(lambda _: stack.send("drop_both", _HEADERS).status_code, range(_REQUESTS))
                    statuses = Counter(sent)

                assert statuses == {200: _REQUESTS}, fault
                # Not a timing: waiting for as many exports as there are batches would take minutes.
                assert time.monotonic() - started < _REQUESTS / 8 * 10, fault
                assert [r.values("x-tenant") for r in stack.upstream.take()] == [["a"]] * _REQUESTS, fault
                assert stack.counted(before, contract.DECISIONS_TOTAL) == {
                    ("forwarded", "drop_both", "allowed"): _REQUESTS,
                    ("blocked", "drop_both", "credential"): _REQUESTS,
                    ("malformed", "drop_both", "value"): _REQUESTS,
                }, fault

                for headers, status in (({"X-A": "1"}, 200), ({"X-A": "1", "Cookie": "s"}, 200), ({"X-A": "\n"}, 400)):
                    started = time.monotonic()
                    assert stack.send("on", headers).status_code == status, fault
                    # Not a timing: an exporter in the way would take its ten seconds.
                    assert time.monotonic() - started < 10, fault
                assert len(stack.upstream.take()) == 2, fault
