"""What must hold for any bytes: the first line is an operator's setting as JSON, the rest a caller's provider data.

Raises `AssertionError`, or whatever escapes, where it does not hold. Knows no fuzzer.
"""

import json
from collections.abc import Mapping
from typing import Any

from extra_headers.forwarding import (
    BlockedHeadersError,
    Evaluation,
    MalformedHeadersError,
    Policy,
    PolicyError,
    evaluate,
)
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import RepeatedKeys
from extra_headers.telemetry.audit import AuditLog
from extra_headers.telemetry.audit_sinks import MAX_LINE_BYTES, AuditRecord, json_line, log_message
from extra_headers.telemetry.spans import decision_attributes
from tests.attacks.corpus import caller_headers
from tests.core.oracle import expected_reasons

OUTBOUND = frozenset({"Authorization", "User-Agent", "Accept", "X-Own"})
_SUBJECT = "a fuzzed provider"


def check(data: bytes) -> None:
    """Parse the setting and decide the headers; compare both with what they must be."""
    setting, _, provider_data = data.partition(b"\n")
    policy = _check_setting(setting)
    if policy is not None:
        # As the host decodes a header; bytes that are no UTF-8 do not get that far.
        _check_decisions(caller_headers(provider_data.decode("utf-8", "ignore")), policy)


def _check_setting(text: bytes) -> Policy | None:
    """Whatever the setting is: a policy, or the error meant for the operator, on lines of printable ASCII."""
    try:
        setting: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    try:
        policy = parse_policy(setting, _SUBJECT)
    except PolicyError as error:
        message = str(error)
        assert message.startswith(f"extra_headers of {_SUBJECT}")
        assert message.replace("\n  - ", "").isprintable()
        assert message.isascii()
        return None
    again = parse_policy(policy.model_dump(exclude_none=True), _SUBJECT)
    assert (again, again.digest) == (policy, policy.digest)
    return policy


def _check_decisions(headers: object, policy: Policy) -> None:
    """Each decision is the one of the naive reading, and nothing that can be shown holds more than it may."""
    if headers is None:
        return
    evaluation = evaluate(headers, policy, OUTBOUND)
    if not policy.enabled:
        assert evaluation == Evaluation({}, ())
        return
    if isinstance(headers, Mapping):
        pairs = list(headers.pairs if isinstance(headers, RepeatedKeys) else headers.items())
        assert [d.reason for d in evaluation.decisions] == expected_reasons(pairs, policy, OUTBOUND)
        assert set(evaluation.forwarded.items()) <= {(n, v) for n, v in pairs if type(v) is str}
    else:
        assert len(evaluation.decisions) == 1
    if evaluation.rejected_for is not None:
        assert dict(evaluation.forwarded) == {}
    shown = [repr(evaluation), *_audit_texts(evaluation, policy)]
    try:
        evaluation.raise_for_rejection("vllm")
    except (BlockedHeadersError, MalformedHeadersError) as error:
        shown.append(str(error))
    assert all(text.isascii() and text.isprintable() for text in shown)


class _Shown:
    """Keeps what an audit record shows, as a line and as a log record."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, record: AuditRecord) -> None:
        line = json_line(record)
        assert len(line) <= MAX_LINE_BYTES
        self.texts += [line.decode().removesuffix("\n"), log_message(record)]


def _audit_texts(evaluation: Evaluation, policy: Policy) -> list[str]:
    shown = _Shown()
    attributes = decision_attributes(evaluation, "vllm", policy.digest)
    AuditLog(shown, every_request=True).record(evaluation, attributes, None)
    return shown.texts
