"""The audit log: one record for each request from which something was stopped, which nobody can forge or flood."""

import json
import logging
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry import audit, contract
from extra_headers.telemetry.audit import AuditLog
from extra_headers.telemetry.audit_sinks import MAX_LINE_BYTES, AuditRecord, LoggerSink, json_line
from extra_headers.telemetry.contract import Attribute
from extra_headers.telemetry.rate_limit import RateLimit
from extra_headers.telemetry.spans import decision_attributes

_POLICY = Policy(on_malformed="drop", block=("x-internal-*",))
_CONTEXT = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
_HOSTILE = 'x"\n2026 INFO forged\r\x1b[31m[bold red]\u2028\u202e\x00\x7f\x9b'
_SCHEMA = {a.name: a for a in (*contract.AUDIT_KEYS, *contract.DECISION_ATTRIBUTES, *contract.AUDIT_ATTRIBUTES)}


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class _Lines:
    """Keeps each record as the line that a file would have."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, record: AuditRecord) -> None:
        self.lines.append(json_line(record))

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def _record(log: AuditLog, headers: object, user: User | None = None, policy: Policy = _POLICY) -> None:
    evaluation = evaluate(headers, policy, {"X-Own"})
    identity_headers = policy.identity_headers(user or User())
    attributes = decision_attributes(evaluation, "vllm", policy.digest, user, identity_headers)
    log.record(evaluation, attributes, _CONTEXT, identity_headers)


def _type_of(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        assert all(isinstance(element, str) for element in value)
        return ("string[]",)
    return ("int",) if isinstance(value, int) else ("string", "enum")


def _check(record: dict[str, Any]) -> None:
    """Check a record against the schema."""
    for key, value in record.items():
        described: Attribute = _SCHEMA[key]
        assert described.kind in _type_of(value), key
        assert not described.members or value in described.members, key


class TestRecords:
    """What a record contains."""

    def test_who_what_and_why(self) -> None:
        """Provider, outcome, the reason and rule of each stopped header, user and trace are in one flat object."""
        lines = _Lines()
        headers = {"X-A": "s", "Authorization": "s", "X-Internal-Id": "s", "x-own": "s", "X-B": "\n", "b ad": "s"}
        _record(AuditLog(lines), headers, User("alice", "blue"))

        (record,) = lines.records
        _check(record)
        assert record.pop("timestamp").endswith("Z")
        assert record == {
            "severity_text": "WARN",
            "event_name": "extra_headers.decision",
            "trace_id": f"{0xABC:032x}",
            "span_id": f"{0xDEF:016x}",
            "extra_headers.provider": "vllm",
            "extra_headers.outcome": "filtered",
            "extra_headers.policy": _POLICY.digest,
            "extra_headers.forwarded.count": 1,
            "extra_headers.forwarded.names": ["X-A"],
            "extra_headers.blocked.count": 3,
            "extra_headers.blocked.names": ["Authorization", "X-Internal-Id", "x-own"],
            "extra_headers.blocked.reasons": ["credential", "operator", "override"],
            "extra_headers.malformed.count": 2,
            "extra_headers.malformed.reasons": ["name", "value"],
            "extra_headers.stopped.names": ["Authorization", "X-Internal-Id", "x-own", "X-B", ""],
            "extra_headers.stopped.reasons": ["credential", "operator", "override", "value", "name"],
            "extra_headers.stopped.rules": ["authorization", "x-internal-*", "x-own", "", ""],
            "extra_headers.suppressed": 0,
            "user.id": "alice",
            "extra_headers.tenant": "blue",
        }

    def test_a_missing_identity_header_has_its_reason(self) -> None:
        """A rejected request names what could not be set, and why."""
        lines = _Lines()
        policy = Policy(set={"x-user": "${user.id}", "x-tenant": "${user.tenant}"})
        _record(AuditLog(lines), {"X-A": "1"}, User("a\nb"), policy)

        (record,) = lines.records
        _check(record)
        assert record["extra_headers.outcome"] == "rejected"
        assert record["extra_headers.identity_headers.missing"] == ["x-user", "x-tenant"]
        assert record["extra_headers.identity_headers.missing_reasons"] == ["unusable", "absent"]

    def test_a_clean_request_has_one_only_if_every_request_has(self) -> None:
        """By default, only requests from which something was stopped are recorded."""
        for every_request, expected in ((False, []), (True, ["INFO"])):
            lines = _Lines()
            _record(AuditLog(lines, every_request=every_request), {"X-A": "1"})

            assert [record["severity_text"] for record in lines.records] == expected
            for record in lines.records:
                _check(record)

    def test_no_key_is_the_start_of_another(self) -> None:
        """Elasticsearch makes objects of dotted keys: one key cannot be both a value and an object."""
        assert [(a, b) for a in _SCHEMA for b in _SCHEMA if b.startswith(f"{a}.")] == []

    def test_no_value_of_a_header_is_in_any_record(self, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever is stopped or forwarded, and for whatever reason, values stay out of lines and log records."""
        secret = "canary-7f3a"
        policies = (_POLICY, Policy(), Policy(on_blocked="reject"), Policy(allow=("x-a",)), Policy(set={"x-u": secret}))
        kinds: tuple[object, ...] = (
            {"X-A": secret, "Cookie": secret, "X-Own": secret, "X-Internal-A": secret, "X-C": f"{secret}\n"},
            {"X-A": secret, "x_a": secret},
            {"X-A": [secret], "X-B": {"a": secret}},
            {f"X-{i}": secret for i in range(50)},
            {f"{secret} : x": secret},
            [secret],
            secret,
        )
        caplog.set_level(logging.INFO)
        lines = _Lines()
        for policy in policies:
            for headers in kinds:
                _record(AuditLog(lines, every_request=True), headers, User("alice"), policy)
                _record(AuditLog(LoggerSink(), every_request=True), headers, User("alice"), policy)

        assert len(lines.lines) == len(caplog.records) == len(policies) * len(kinds)
        assert secret not in b"".join(lines.lines).decode()
        assert all(secret not in repr(vars(record)) for record in caplog.records)


class TestLines:
    """A record as a line."""

    def test_hostile_text_stays_inside_its_line(self) -> None:
        """Line breaks and control characters, in a name or in the user's id, are escaped or absent, and come back."""
        lines = _Lines()
        _record(AuditLog(lines), {_HOSTILE: "1", "Cookie": _HOSTILE}, User(_HOSTILE, _HOSTILE))

        (line,) = lines.lines
        assert line.isascii()
        assert line.removesuffix(b"\n").decode().isprintable()
        (record,) = lines.records
        assert record["user.id"] == record["extra_headers.tenant"] == _HOSTILE
        assert record["extra_headers.stopped.names"] == ["", "Cookie"]

    def test_its_length_is_bounded(self) -> None:
        """Many long names, and a user whose characters are escapes, still fit into one write to a pipe."""
        policy = Policy.model_validate({"allow": [], "limits": {"max_headers": 1024, "max_name_bytes": 1024}})
        for user in (User("alice", "blue"), User("\U0001f600" * 10_000, "\x00" * 10_000)):
            lines = _Lines()
            _record(AuditLog(lines), {f"X-{i}-{'n' * 900}": "v" for i in range(1000)}, user, policy)

            assert 1000 < len(lines.lines[0]) <= MAX_LINE_BYTES
            (record,) = lines.records
            _check(record)
            assert record["extra_headers.blocked.count"] == 1000
            assert record["extra_headers.stopped.names"]


class TestLogger:
    """A record as a record of Python's logging."""

    def test_a_sentence_and_structured_fields(self, caplog: pytest.LogCaptureFixture) -> None:
        """People read the message; a structured handler finds the keys of the event."""
        headers = {"X-A": "s", "Authorization": "s", "X-B": "\n", "b ad": "s"}
        _record(AuditLog(LoggerSink()), headers, User("alice", "blue"))

        (record,) = caplog.records
        assert (record.name, record.levelno) == ("extra_headers.audit", logging.WARNING)
        assert record.getMessage() == (
            "provider vllm: request filtered; stopped: Authorization (credential), X-B (value), a header (name); "
            "user: alice"
        )
        fields = {key: value for key, value in vars(record).items() if key in _SCHEMA}
        _check(fields)
        assert fields["extra_headers.stopped.rules"] == ["authorization", "", ""]
        assert set(_SCHEMA) >= set(fields) >= {"event_name", "trace_id", "span_id", "user.id", "extra_headers.tenant"}

    def test_hostile_text_is_escaped(self, caplog: pytest.LogCaptureFixture) -> None:
        """A handler may print fields as they are: no text has a control character or a bracket."""
        _record(AuditLog(LoggerSink()), {_HOSTILE: "1", "Cookie": _HOSTILE}, User(_HOSTILE, _HOSTILE))

        (record,) = caplog.records
        for text in (record.getMessage(), vars(record)["user.id"], vars(record)["extra_headers.tenant"]):
            assert text.isprintable()
            assert "[" not in text
        assert vars(record)["user.id"].startswith('x"\\u000a2026 INFO forged')

    def test_many_headers_are_one_short_message(self, caplog: pytest.LogCaptureFixture) -> None:
        """The message lists a few; the fields contain the rest."""
        _record(AuditLog(LoggerSink()), {f"X-Internal-{i}": "v" for i in range(30)})

        (record,) = caplog.records
        assert record.getMessage().endswith("X-Internal-7 (operator) and 22 more")
        assert len(vars(record)["extra_headers.stopped.names"]) == 30

    def test_every_request_is_logged_where_the_host_hides_info(self, caplog: pytest.LogCaptureFixture) -> None:
        """An operator who asks for all records gets them, whatever the level of the root logger."""
        logger = logging.getLogger("extra_headers.audit")
        try:
            _record(AuditLog(LoggerSink(every_request=True), every_request=True), {"X-A": "1"})
        finally:
            logger.setLevel(logging.NOTSET)

        (record,) = caplog.records
        assert record.levelno == logging.INFO
        assert record.getMessage() == "provider vllm: request clean"


def test_the_event_is_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The OpenTelemetry event has the attributes, ids, time and severity of the line."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    monkeypatch.setattr(audit, "get_logger", provider.get_logger)
    lines = _Lines()
    _record(AuditLog(lines), {"X-A": "1", "Cookie": "s"}, User("alice"))

    (event,) = [finished.log_record for finished in exporter.get_finished_logs()]
    (record,) = lines.records
    keys = [key.name for key in contract.AUDIT_KEYS]
    attributes = {k: list(v) if isinstance(v, tuple) else v for k, v in (event.attributes or {}).items()}
    assert attributes == {key: value for key, value in record.items() if key not in keys}
    assert event.event_name == record["event_name"]
    assert event.severity_text == record["severity_text"]
    assert (event.trace_id, event.span_id) == (int(record["trace_id"], 16), int(record["span_id"], 16))


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

    def test_the_next_record_says_how_many_were_held_back(self) -> None:
        """Nothing vanishes without a number."""
        clock, lines = _Clock(), _Lines()
        log = AuditLog(lines, limit=RateLimit(burst=1, per_second=1, clock=clock))
        for _ in range(10):
            _record(log, {"Cookie": "s"})
        clock.now += 1
        _record(log, {"Cookie": "s"})

        assert [record["extra_headers.suppressed"] for record in lines.records] == [0, 9]

    def test_everyday_traffic_hides_no_attack(self) -> None:
        """Records of clean requests have a limit of their own."""
        lines = _Lines()
        log = AuditLog(lines, every_request=True)
        for _ in range(100):
            _record(log, {"X-A": "1"})
        _record(log, {"Cookie": "s"})

        assert lines.records[-1]["extra_headers.stopped.names"] == ["Cookie"]
        assert 20 <= len(lines.lines) < 100
