"""The audit log: one record for each request with a header that was stopped, or for every request.

A record has the attributes of the OpenTelemetry event `extra_headers.decision`, which is emitted with it. It contains
no value of a header; `audit_sinks` writes it so that no caller can add a line or markup to a log.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
from opentelemetry.util.types import AttributeValue

from extra_headers.forwarding.policy.decision import Decision, DecisionKind, Evaluation, Outcome
from extra_headers.forwarding.policy.identity import IdentityHeaders

from . import contract
from .audit_sinks import AuditRecord
from .rate_limit import RateLimit

_BURST = 20
_PER_SECOND = 5.0


class _Sink(Protocol):
    def write(self, record: AuditRecord) -> None: ...


class AuditLog:
    """Writes the audit records of one provider."""

    def __init__(self, sink: _Sink, *, every_request: bool = False, limit: RateLimit | None = None) -> None:
        self._sink = sink
        self._every_request = every_request
        self._limit = limit or RateLimit(_BURST, _PER_SECOND)
        # Separate, so that requests of everyday traffic never suppress the record of an attack.
        self._clean_limit = RateLimit(_BURST, _PER_SECOND)

    def record(
        self,
        evaluation: Evaluation | None,
        attributes: Mapping[str, AttributeValue],
        context: trace.SpanContext | None,
        identity_headers: IdentityHeaders | None = None,
    ) -> None:
        """Write the record of a request, if it is one to record and the rate limit admits it.

        An identity header that is missing and may be, by `on_missing: omit`, stops nothing.

        Args:
            evaluation: the decisions; None for a caller who sent no extra headers.
            attributes: the span attributes of the request.
            context: of the span that carries the decisions.
            identity_headers: what the server sets.

        """
        rejected = identity_headers is not None and identity_headers.rejected
        clean = not rejected and (evaluation is None or evaluation.outcome is Outcome.CLEAN)
        if clean and not self._every_request:
            return
        if (suppressed := (self._clean_limit if clean else self._limit).admit()) is None:
            return
        # A list is shared with other requests, and whoever handles log records may change what it is given.
        fields = {key: list(value) if isinstance(value, list) else value for key, value in attributes.items()}
        if evaluation is not None:
            fields |= _stopped([d for d in evaluation.decisions if d.kind is not DecisionKind.FORWARDED])
        if identity_headers is not None and identity_headers.missing:
            missing = identity_headers.missing[: contract.MAX_NAMES_PER_ATTRIBUTE]
            fields[contract.ATTR_IDENTITY_HEADERS_MISSING_REASONS] = [header.reason.value for header in missing]
        fields[contract.ATTR_SUPPRESSED] = suppressed
        record = AuditRecord(time.time_ns(), warning=not clean, attributes=fields, context=context)
        self._sink.write(record)
        _emit_event(record)


def _stopped(decisions: Sequence[Decision]) -> dict[str, AttributeValue]:
    """Return the blocked and malformed headers as three arrays with one element for each header."""
    if not decisions:
        return {}
    shown = list(islice(decisions, contract.MAX_NAMES_PER_ATTRIBUTE))
    return {
        contract.ATTR_STOPPED_NAMES: [(d.name or "")[: contract.MAX_NAME_CHARACTERS] for d in shown],
        contract.ATTR_STOPPED_REASONS: [d.reason.value for d in shown],
        contract.ATTR_STOPPED_RULES: [(d.rule or "")[: contract.MAX_NAME_CHARACTERS] for d in shown],
    }


def _emit_event(record: AuditRecord) -> None:
    context = None
    if record.context is not None and record.context.is_valid:
        context = trace.set_span_in_context(trace.NonRecordingSpan(record.context))
    get_logger(contract.NAMESPACE).emit(
        LogRecord(
            timestamp=record.time_ns,
            context=context,
            severity_number=SeverityNumber.WARN if record.warning else SeverityNumber.INFO,
            severity_text=record.severity_text,
            event_name=contract.EVENT_DECISION,
            attributes=record.attributes,
        )
    )
