"""A collector at fault while the queue of spans is full: every request is answered, and counted to the last one."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from extra_headers.telemetry import contract
from tests.telemetry.servers import running
from tests.telemetry.test_fails_open import COLLECTORS

_REQUESTS = 200
_HEADERS = {"X-Tenant": "a", "Cookie": "s", "X-Bad": "s\n"}


@pytest.mark.parametrize("collector", COLLECTORS.values(), ids=COLLECTORS)
def test_a_full_queue_costs_spans_only(tmp_path: Path, collector: Callable[[], AbstractContextManager[str]]) -> None:
    """Two hundred requests through a queue of eight: none fails, none waits for an export, none is missed."""
    with collector() as endpoint:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "10",
            "OTEL_BSP_MAX_QUEUE_SIZE": "8",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
        }
        with running(tmp_path, environment) as stack:
            before = stack.series()
            started = time.monotonic()
            with ThreadPoolExecutor(16) as pool:
                statuses = Counter(pool.map(lambda _: stack.send("drop_both", _HEADERS).status_code, range(_REQUESTS)))

            assert statuses == {200: _REQUESTS}
            # Not a timing: waiting for as many exports as there are batches would take minutes.
            assert time.monotonic() - started < _REQUESTS / 8 * 10
            assert [r.values("x-tenant") for r in stack.upstream.take()] == [["a"]] * _REQUESTS
            assert stack.counted(before, contract.DECISIONS_TOTAL) == {
                ("forwarded", "drop_both", "allowed"): _REQUESTS,
                ("blocked", "drop_both", "credential"): _REQUESTS,
                ("malformed", "drop_both", "value"): _REQUESTS,
            }
