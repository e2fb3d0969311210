"""A collector at fault while the queue of spans is full: every request is answered, and counted to the last one."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from extra_headers.forwarding.testing.processes import free_port
from extra_headers.telemetry import contract
from tests.telemetry.servers import running
from tests.telemetry.test_fails_open import COLLECTORS

_REQUESTS = 200
_HEADERS = {"X-Tenant": "a", "Cookie": "s", "X-Bad": "s\n"}


def test_a_full_queue_costs_spans_only(tmp_path: Path) -> None:
    """Two hundred requests through a queue of eight: none fails, none waits for an export, none is missed."""
    port = free_port()
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_BSP_MAX_QUEUE_SIZE": "8",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
    }
    with running(tmp_path, environment) as stack:
        for fault, collector in COLLECTORS.items():
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
