"""The audit log: one record for each request that had something to stop, which nobody can forge or flood."""

import json
import logging
from typing import Any

import pytest
from opentelemetry.trace import SpanContext, TraceFlags

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry.audit import AuditLog
from extra_headers.telemetry.rate_limit import RateLimit
from extra_headers.telemetry.spans import decision_attributes

_POLICY = Policy(on_malformed="drop")
_CONTEXT = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _record(log: AuditLog, headers: object, user: User | None = None, policy: Policy = _POLICY) -> None:
    evaluation = evaluate(headers, policy)
    log.record(evaluation, decision_attributes(evaluation, "vllm", policy.digest, user), _CONTEXT)


def _messages(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "extra_headers.audit"]


class TestRecords:
    """What a record says."""

    def test_who_what_and_why(self, caplog: pytest.LogCaptureFixture) -> None:
        """Provider, outcome, reasons with counts, names, caller and trace are in one record."""
        headers = {"X-A": "s", "Authorization": "s", "Cookie": "s", "Host": "s", "X-B": "\n"}
        _record(AuditLog(), headers, User("alice", "blue"))

        assert _messages(caplog) == [
            {
                "event": "extra_headers.decision",
                "provider": "vllm",
                "outcome": "filtered",
                "forwarded": 1,
                "blocked": "credential:2,framing:1",
                "blocked_names": "Authorization,Cookie,Host",
                "malformed": "value:1",
                "malformed_names": "X-B",
                "policy": _POLICY.digest,
                "user": "alice",
                "tenant": "blue",
                "trace_id": f"{0xABC:032x}",
                "span_id": f"{0xDEF:016x}",
            }
        ]
        assert caplog.records[0].levelno == logging.WARNING

    def test_a_clean_request_has_none(self, caplog: pytest.LogCaptureFixture) -> None:
        """Only requests with something to stop are worth a record."""
        _record(AuditLog(), {"X-A": "1"})

        assert _messages(caplog) == []

    def test_hostile_text_stays_inside_its_line(self, caplog: pytest.LogCaptureFixture) -> None:
        """Line breaks, control codes and console markup, in a name or in the caller's id, are escaped or absent."""
        hostile = 'x"\n2026 INFO forged\r\x1b[31m[bold red]\u2028\u202e\x00'
        _record(AuditLog(), {hostile: "1", "Cookie": hostile}, User(hostile, hostile))

        text = caplog.records[0].getMessage()
        assert text.isascii()
        assert text.isprintable()
        assert "[" not in text
        (message,) = _messages(caplog)
        assert message["user"] == message["tenant"] == hostile
        assert message["malformed_names"] == ""

    def test_its_size_is_bounded(self, caplog: pytest.LogCaptureFixture) -> None:
        """However many and however long the names are, a record stays small."""
        policy = Policy.model_validate({"allow": [], "limits": {"max_headers": 1024, "max_name_bytes": 1024}})
        _record(AuditLog(), {f"X-{i}-{'n' * 900}": "v" for i in range(1000)}, User("u" * 10_000), policy)

        assert len(caplog.records[0].getMessage()) < 4096


class TestRateLimit:
    """A flood of hostile requests does not become a flood of records."""

    def test_a_burst_then_so_many_a_second(self) -> None:
        """The burst passes, the rest is held back and counted, and time refills the bucket."""
        clock = _Clock()
        limit = RateLimit(burst=3, per_second=2, clock=clock)

        assert [limit.admit() for _ in range(5)] == [0, 0, 0, None, None]
        clock.now += 0.5
        assert [limit.admit() for _ in range(2)] == [2, None]
        clock.now += 3600
        assert [limit.admit() for _ in range(4)] == [1, 0, 0, None]

    def test_the_next_record_says_how_many_were_held_back(self, caplog: pytest.LogCaptureFixture) -> None:
        """Nothing vanishes without a number."""
        clock = _Clock()
        log = AuditLog(RateLimit(burst=1, per_second=1, clock=clock))
        for _ in range(10):
            _record(log, {"Cookie": "s"})
        clock.now += 1
        _record(log, {"Cookie": "s"})

        first, second = _messages(caplog)
        assert "suppressed" not in first
        assert second["suppressed"] == 9
