"""The audit log: one record for each request with something to stop, for people and for machines.

A record is a WARNING of the logger `extra_headers.audit`, whose message is one line of JSON, and an OpenTelemetry log
event where a logger provider is set. Every part of it is either from a closed set, a valid field name, or escaped: no
caller can write a line of their own, or markup that a console would interpret.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
from opentelemetry.util.types import AttributeValue

from extra_headers.forwarding.policy.decision import DecisionKind, Evaluation, Outcome
from extra_headers.forwarding.policy.identity import IdentityHeaders, MissingHeader

from . import contract
from .rate_limit import RateLimit

_audit = logging.getLogger(contract.LOGGER_AUDIT)

_BURST = 20
_PER_SECOND = 5.0

_NO_HEADERS = Evaluation({}, ())


class AuditLog:
    """Writes the audit records of one provider."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self._limit = limit or RateLimit(_BURST, _PER_SECOND)

    def record(
        self,
        evaluation: Evaluation | None,
        attributes: Mapping[str, AttributeValue],
        context: trace.SpanContext | None,
        identity_headers: IdentityHeaders | None = None,
    ) -> None:
        """Write a record where a header was blocked or malformed, or where one that the server sets is missing.

        A header that is missing and may be, by `on_missing: omit`, is no reason for a record.

        Args:
            evaluation: the decisions; None for a caller who sent no headers.
            attributes: their span attributes, which are the log event's, too.
            context: of the span that carries the decisions.
            identity_headers: what the server sets.

        """
        rejected = identity_headers is not None and identity_headers.rejected
        if not rejected and (evaluation is None or evaluation.outcome is Outcome.CLEAN):
            return
        if (suppressed := self._limit.admit()) is None:
            return
        evaluation = evaluation or _NO_HEADERS
        missing = identity_headers.missing if identity_headers is not None else ()
        _audit.warning("%s", _line(evaluation, missing, attributes, context, suppressed))
        get_logger("extra_headers").emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.WARN,
                severity_text="WARN",
                event_name=contract.EVENT_DECISION,
                attributes={**attributes, contract.ATTR_SUPPRESSED: suppressed},
            )
        )


def _line(
    evaluation: Evaluation,
    missing: Sequence[MissingHeader],
    attributes: Mapping[str, AttributeValue],
    context: trace.SpanContext | None,
    suppressed: int,
) -> str:
    record: dict[str, object] = {
        "event": contract.EVENT_DECISION,
        "provider": attributes[contract.ATTR_PROVIDER],
        "outcome": attributes[contract.ATTR_OUTCOME],
        "forwarded": len(evaluation.forwarded),
    }
    for kind in (DecisionKind.BLOCKED, DecisionKind.MALFORMED):
        found = [d for d in evaluation.decisions if d.kind is kind]
        if found:
            reasons = Counter(d.reason.value for d in found)
            record[kind.value] = ",".join(f"{reason}:{count}" for reason, count in sorted(reasons.items()))
            # A comma cannot be part of a field name.
            listed = [d.name[: contract.MAX_NAME_CHARACTERS] for d in found if d.name is not None]
            record[f"{kind.value}_names"] = ",".join(listed[: contract.MAX_NAMES_PER_ATTRIBUTE])
    if missing:
        listed = [f"{header.name[: contract.MAX_NAME_CHARACTERS]}:{header.reason.value}" for header in missing]
        record["missing"] = ",".join(listed[: contract.MAX_NAMES_PER_ATTRIBUTE])
    record["policy"] = attributes[contract.ATTR_POLICY]
    for key, attribute in (("user", contract.ATTR_USER), ("tenant", contract.ATTR_TENANT)):
        if attribute in attributes:
            record[key] = attributes[attribute]
    if context is not None and context.is_valid:
        record["trace_id"] = trace.format_trace_id(context.trace_id)
        record["span_id"] = trace.format_span_id(context.span_id)
    if suppressed:
        record["suppressed"] = suppressed
    # ASCII without control characters by the encoder; the brackets could be console markup, and stand only in strings.
    return json.dumps(record).replace("[", "\\u005b").replace("]", "\\u005d")
