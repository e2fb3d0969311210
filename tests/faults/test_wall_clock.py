"""A server whose wall clock jumps, as after a time server's correction or in a virtual machine that was suspended.

Its real clock, by libfaketime; the monotonic one goes on, as it does on such a machine.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from extra_headers.telemetry import contract
from tests.dashboards.programs import run
from tests.server.stack import PROVIDER_KEY, Stack
from tests.telemetry.servers import running
from tests.waiting import wait_until

_DAY = 86_400
_HEADERS = {"X-Tenant": "a", "Authorization": "evil"}


def test_nothing_changes_but_the_time(tmp_path: Path) -> None:
    """A year forward, and two back: each request is decided, counted, traced and audited as at any other time."""
    offset = tmp_path / "offset"
    offset.write_text("+0d")
    with OtlpReceiver() as collector, _server(tmp_path, offset, collector.url) as stack:
        for number, days in enumerate((0, 365, -365), start=1):
            offset.write_text(f"{days:+}d")
            wait_until(lambda: abs(_seconds_ahead(stack) - days * _DAY) < _DAY / 24)  # noqa: B023 - ends in this round
            before = stack.series()
            assert stack.send("on", _HEADERS).status_code == 200
            (received,) = (call for call in stack.upstream.take() if call.method == "POST")
            assert received.values("x-tenant") == ["a"]
            assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]
            assert stack.counted(before, contract.DECISIONS_TOTAL) == {
                ("blocked", "on", "credential"): 1,
                ("forwarded", "on", "allowed"): 1,
            }
            assert stack.counted(before, contract.REQUESTS_TOTAL) == {("filtered", "on"): 1}
            assert stack.counted(before, f"{contract.EVALUATION_SECONDS}_count") == {("on",): 1}
            records = [json.loads(line) for line in (stack.directory / "audit.jsonl").read_text().splitlines()]
            assert len(records) == number
            assert abs(_seconds_since(records[-1]["timestamp"]) + days * _DAY) < _DAY / 24
            wait_until(lambda: _traced(collector) == number)  # noqa: B023


@contextmanager
def _server(directory: Path, offset: Path, collector: str) -> Iterator[Stack]:
    """Run a server whose wall clock is ahead by what stands in `offset`, read anew at each look at the clock."""
    found = re.search(r"^LD_PRELOAD=(.+)$", run("faketime", "-f", "+0", "env").stdout, re.MULTILINE)
    assert found is not None
    environment = {
        "LD_PRELOAD": found[1],
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        contract.ENV_AUDIT_LOG: str(directory / "audit.jsonl"),
    }
    with running(directory, environment) as stack:
        yield stack


def _seconds_ahead(stack: Stack) -> float:
    answer = stack.client.get(f"{stack.server.url}/v1/health")
    return parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()


def _seconds_since(timestamp: str) -> float:
    return time.time() - datetime.fromisoformat(timestamp).timestamp()


def _traced(collector: OtlpReceiver) -> int:
    """Return how many server spans carry a decision."""
    return sum(s.attributes.get(contract.ATTR_OUTCOME) == "filtered" and not s.parent_span_id for s in collector.spans)
