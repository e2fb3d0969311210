"""The contract: every metric, label and attribute name that the add-on emits, each written once.

Code, dashboards, alert rules and documentation take the names from here. Names only; nothing is emitted here.
"""

from typing import Final

NAMESPACE: Final = "extra_headers"

# Prometheus metrics (a counter's name as queried, with its suffix).
DECISIONS_TOTAL: Final = "extra_headers_decisions_total"
BLOCKED_NAMES_TOTAL: Final = "extra_headers_blocked_names_total"
REQUESTS_TOTAL: Final = "extra_headers_requests_total"
EVALUATION_SECONDS: Final = "extra_headers_evaluation_seconds"
POLICY_INFO: Final = "extra_headers_policy_info"
IDENTITY_HEADERS_TOTAL: Final = "extra_headers_identity_headers_total"
SHADOW_DECISIONS_TOTAL: Final = "extra_headers_shadow_decisions_total"
SHADOW_REQUESTS_TOTAL: Final = "extra_headers_shadow_requests_total"
SHADOW_POLICY_INFO: Final = "extra_headers_shadow_policy_info"

LABEL_PROVIDER: Final = "provider"
LABEL_PROVIDER_TYPE: Final = "provider_type"
LABEL_DECISION: Final = "decision"
LABEL_REASON: Final = "reason"
LABEL_HEADER: Final = "header"
LABEL_OUTCOME: Final = "outcome"
LABEL_POLICY: Final = "policy"
LABEL_ON_BLOCKED: Final = "on_blocked"
LABEL_ON_MALFORMED: Final = "on_malformed"
LABEL_RESULT: Final = "result"
LABEL_SHADOW_DECISION: Final = "shadow_decision"
LABEL_SHADOW_REASON: Final = "shadow_reason"
LABEL_SHADOW_OUTCOME: Final = "shadow_outcome"

LABELS: Final[dict[str, tuple[str, ...]]] = {
    DECISIONS_TOTAL: (LABEL_PROVIDER, LABEL_DECISION, LABEL_REASON),
    BLOCKED_NAMES_TOTAL: (LABEL_PROVIDER, LABEL_REASON, LABEL_HEADER),
    REQUESTS_TOTAL: (LABEL_PROVIDER, LABEL_OUTCOME),
    EVALUATION_SECONDS: (LABEL_PROVIDER,),
    POLICY_INFO: (LABEL_PROVIDER, LABEL_PROVIDER_TYPE, LABEL_POLICY, LABEL_ON_BLOCKED, LABEL_ON_MALFORMED),
    IDENTITY_HEADERS_TOTAL: (LABEL_PROVIDER, LABEL_HEADER, LABEL_RESULT),
    SHADOW_DECISIONS_TOTAL: (LABEL_PROVIDER, LABEL_DECISION, LABEL_SHADOW_DECISION, LABEL_SHADOW_REASON),
    SHADOW_REQUESTS_TOTAL: (LABEL_PROVIDER, LABEL_OUTCOME, LABEL_SHADOW_OUTCOME),
    SHADOW_POLICY_INFO: (LABEL_PROVIDER, LABEL_POLICY),
}

OTHER_HEADER: Final = "_other"
"""Value of the `header` label for a name that no entry of the policy holds: label values are never the caller's."""

# Span and log attributes.
ATTR_PROVIDER: Final = "extra_headers.provider"
ATTR_OUTCOME: Final = "extra_headers.outcome"
ATTR_POLICY: Final = "extra_headers.policy"
ATTR_FORWARDED_COUNT: Final = "extra_headers.forwarded.count"
ATTR_BLOCKED_COUNT: Final = "extra_headers.blocked.count"
ATTR_MALFORMED_COUNT: Final = "extra_headers.malformed.count"
ATTR_FORWARDED_NAMES: Final = "extra_headers.forwarded.names"
ATTR_BLOCKED_NAMES: Final = "extra_headers.blocked.names"
ATTR_BLOCKED_REASONS: Final = "extra_headers.blocked.reasons"
ATTR_MALFORMED_REASONS: Final = "extra_headers.malformed.reasons"
ATTR_IDENTITY_HEADERS_NAMES: Final = "extra_headers.identity_headers.names"
ATTR_IDENTITY_HEADERS_MISSING: Final = "extra_headers.identity_headers.missing"
ATTR_SHADOW_POLICY: Final = "extra_headers.shadow.policy"
ATTR_SHADOW_OUTCOME: Final = "extra_headers.shadow.outcome"
ATTR_SHADOW_DIFFERING: Final = "extra_headers.shadow.differing.count"
ATTR_SHADOW_FORWARDED_NAMES: Final = "extra_headers.shadow.forwarded.names"
ATTR_SHADOW_STOPPED_NAMES: Final = "extra_headers.shadow.stopped.names"
ATTR_SHADOW_STOPPED_REASONS: Final = "extra_headers.shadow.stopped.reasons"
ATTR_TENANT: Final = "extra_headers.tenant"
ATTR_SUPPRESSED: Final = "extra_headers.suppressed"
ATTR_USER: Final = "user.id"

MAX_NAMES_PER_ATTRIBUTE: Final = 32
MAX_NAME_CHARACTERS: Final = 64
"""A span stays small, whatever callers send: so many names, and so many characters of each, per attribute."""

MAX_USER_CHARACTERS: Final = 256
"""Of a user or tenant, in an attribute or a record."""

HTTP_REQUEST_HEADER_PREFIX: Final = "http.request.header."
"""Where HTTP instrumentations put captured headers (OpenTelemetry semantic conventions, HTTP)."""
REDACTED: Final = "[REDACTED]"

SPAN_EVALUATE: Final = "extra_headers evaluate"
"""Name of the span that carries a decision where no other span is recording."""

LOGGER_AUDIT: Final = "extra_headers.audit"
EVENT_DECISION: Final = "extra_headers.decision"
