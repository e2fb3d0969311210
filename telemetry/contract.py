"""The contract: every metric, label, attribute and environment variable of the telemetry, each described once.

Data only. Metrics, OTLP names, dashboards, alert rules and docs/telemetry.md are made from it; nothing is emitted here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Outcome
from extra_headers.forwarding.policy.identity import IdentityHeaderResult

NAMESPACE: Final = "extra_headers"


@dataclass(frozen=True, slots=True)
class Metric:
    """A Prometheus metric."""

    name: str
    """As queried: a counter's with its suffix."""
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    """A UCUM unit, as OpenTelemetry writes it."""
    labels: tuple[str, ...]
    help: str
    note: str = ""
    """What an operator must know beyond the help text."""

    @property
    def otlp_name(self) -> str | None:
        """Name of the same total over OTLP; an OTLP to Prometheus translation restores `name` from it.

        Only counters have one.
        """
        if self.kind != "counter":
            return None
        return self.name.removesuffix("_total").replace(f"{NAMESPACE}_", f"{NAMESPACE}.", 1)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A label of a metric, an attribute of a span or event, or an environment variable."""

    name: str
    kind: Literal["string", "string[]", "int", "boolean", "enum"]
    help: str
    members: tuple[str, ...] = ()
    """Every value of an enum."""
    example: str = ""
    """A value of any other kind, in JSON."""


# Names of metrics.
DECISIONS_TOTAL: Final = "extra_headers_decisions_total"
BLOCKED_NAMES_TOTAL: Final = "extra_headers_blocked_names_total"
REQUESTS_TOTAL: Final = "extra_headers_requests_total"
EVALUATION_SECONDS: Final = "extra_headers_evaluation_seconds"
POLICY_INFO: Final = "extra_headers_policy_info"
IDENTITY_HEADERS_TOTAL: Final = "extra_headers_identity_headers_total"
SHADOW_DECISIONS_TOTAL: Final = "extra_headers_shadow_decisions_total"
SHADOW_REQUESTS_TOTAL: Final = "extra_headers_shadow_requests_total"
SHADOW_POLICY_INFO: Final = "extra_headers_shadow_policy_info"
UNREAD_FIELDS_TOTAL: Final = "extra_headers_unread_fields_total"
BUILD_INFO: Final = "extra_headers_build_info"

# Names of labels.
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
LABEL_VERSION: Final = "version"

OTHER_HEADER: Final = "_other"
"""Value of the `header` label for a name that is in no entry of the policy: label values are never the caller's."""

# Names of span and event attributes.
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
ATTR_FROM_REQUEST_NAMES: Final = "extra_headers.from_request.names"
ATTR_MCP_SERVER: Final = "extra_headers.mcp.server"
ATTR_SHADOW_POLICY: Final = "extra_headers.shadow.policy"
ATTR_SHADOW_OUTCOME: Final = "extra_headers.shadow.outcome"
ATTR_SHADOW_DIFFERING: Final = "extra_headers.shadow.differing.count"
ATTR_SHADOW_FORWARDED_NAMES: Final = "extra_headers.shadow.forwarded.names"
ATTR_SHADOW_STOPPED_NAMES: Final = "extra_headers.shadow.stopped.names"
ATTR_SHADOW_STOPPED_REASONS: Final = "extra_headers.shadow.stopped.reasons"
ATTR_TENANT: Final = "extra_headers.tenant"
ATTR_STOPPED_NAMES: Final = "extra_headers.stopped.names"
ATTR_STOPPED_REASONS: Final = "extra_headers.stopped.reasons"
ATTR_STOPPED_RULES: Final = "extra_headers.stopped.rules"
ATTR_IDENTITY_HEADERS_MISSING_REASONS: Final = "extra_headers.identity_headers.missing_reasons"
ATTR_SUPPRESSED: Final = "extra_headers.suppressed"
ATTR_TRACE_ID_FROM_CALLER: Final = "extra_headers.trace_id_from_caller"
ATTR_USER: Final = "user.id"

# Keys of an audit record that an OpenTelemetry log record has outside of its attributes.
KEY_TIMESTAMP: Final = "timestamp"
KEY_SEVERITY_TEXT: Final = "severity_text"
KEY_EVENT_NAME: Final = "event_name"
KEY_TRACE_ID: Final = "trace_id"
KEY_SPAN_ID: Final = "span_id"

# Names of environment variables.
ENV_METRICS_PORT: Final = "EXTRA_HEADERS_METRICS_PORT"
ENV_METRICS_HOST: Final = "EXTRA_HEADERS_METRICS_HOST"
ENV_OTEL_METRICS: Final = "EXTRA_HEADERS_OTEL_METRICS"
ENV_PROPAGATE: Final = "EXTRA_HEADERS_PROPAGATE"
ENV_CAPTURE_USER: Final = "EXTRA_HEADERS_CAPTURE_USER"
ENV_AUDIT_LOG: Final = "EXTRA_HEADERS_AUDIT_LOG"
ENV_AUDIT: Final = "EXTRA_HEADERS_AUDIT"
ENV_MULTIPROCESS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"

MAX_NAMES_PER_ATTRIBUTE: Final = 32
MAX_NAME_CHARACTERS: Final = 64
"""A span stays small, whatever callers send: so many names, and so many characters of each, per attribute."""

MAX_USER_CHARACTERS: Final = 256
"""Of a user or tenant, in an attribute or a record."""

HTTP_REQUEST_HEADER_PREFIX: Final = "http.request.header."
HTTP_RESPONSE_HEADER_PREFIX: Final = "http.response.header."
"""Where HTTP instrumentations put captured headers (OpenTelemetry semantic conventions, HTTP)."""
REDACTED: Final = "[REDACTED]"

SPAN_EVALUATE: Final = "extra_headers evaluate"
"""Name of the span that carries a decision where no other span is recording."""

LOGGER_AUDIT: Final = "extra_headers.audit"
EVENT_DECISION: Final = "extra_headers.decision"

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(
            DECISIONS_TOTAL,
            "counter",
            "{header}",
            (LABEL_PROVIDER, LABEL_DECISION, LABEL_REASON),
            "Extra headers of callers, by decision and reason.",
            "Every combination of decision and reason exists at 0 from the start of the server, so that the first "
            "event shows in `increase()`. A header that passes the policy counts as forwarded only if its request is "
            "sent. Increments of blocked and malformed carry an exemplar with `trace_id` and `span_id` if the span is "
            "sampled, at most one per second and reason. Workers that share `PROMETHEUS_MULTIPROC_DIR` have no "
            "exemplars.",
        ),
        Metric(
            BLOCKED_NAMES_TOTAL,
            "counter",
            "{header}",
            (LABEL_PROVIDER, LABEL_REASON, LABEL_HEADER),
            "Blocked extra headers, by the entry of the policy that blocked them.",
            "A series appears with its first event. There are never more than the policy has entries.",
        ),
        Metric(
            REQUESTS_TOTAL,
            "counter",
            "{request}",
            (LABEL_PROVIDER, LABEL_OUTCOME),
            "Requests with extra headers or rejected for a missing identity header, by outcome.",
            "A request counts once, however many calls it leads to. Requests without extra headers are counted only if "
            "they are rejected because an identity header is missing.",
        ),
        Metric(
            EVALUATION_SECONDS,
            "histogram",
            "s",
            (LABEL_PROVIDER,),
            "Time to decide the extra headers of one request, in seconds.",
        ),
        Metric(
            POLICY_INFO,
            "gauge",
            "1",
            (LABEL_PROVIDER, LABEL_PROVIDER_TYPE, LABEL_POLICY, LABEL_ON_BLOCKED, LABEL_ON_MALFORMED),
            "The active policy of a provider; always 1.",
            "Two replicas with different values of `policy` enforce different policies.",
        ),
        Metric(
            IDENTITY_HEADERS_TOTAL,
            "counter",
            "{header}",
            (LABEL_PROVIDER, LABEL_HEADER, LABEL_RESULT),
            "Identity headers from the authenticated caller, by result.",
            "Only for a provider whose policy has `set`. Every combination exists at 0 from the start. Counted for "
            "each request to the provider, with or without extra headers. If a request is rejected because an identity "
            "header is missing, only the missing headers are counted. If it is rejected because of the caller's "
            "headers, nothing is counted here.",
        ),
        Metric(
            SHADOW_DECISIONS_TOTAL,
            "counter",
            "{header}",
            (LABEL_PROVIDER, LABEL_DECISION, LABEL_SHADOW_DECISION, LABEL_SHADOW_REASON),
            "Extra headers of callers, by the live decision and that of the shadow policy.",
            "Only for a provider whose policy has `shadow`. Every combination exists at 0 from the start. Every header "
            "counts, also where the two agree and where its request is rejected.",
        ),
        Metric(
            SHADOW_REQUESTS_TOTAL,
            "counter",
            "{request}",
            (LABEL_PROVIDER, LABEL_OUTCOME, LABEL_SHADOW_OUTCOME),
            "Requests with extra headers, by outcome and that under the shadow policy.",
            "Only for a provider whose policy has `shadow`. Every combination exists at 0 from the start.",
        ),
        Metric(
            SHADOW_POLICY_INFO,
            "gauge",
            "1",
            (LABEL_PROVIDER, LABEL_POLICY),
            "The policy that enforcing a provider's shadow policy would give; always 1.",
            "Once it is enforced, `extra_headers_policy_info` shows this value of `policy`.",
        ),
        Metric(
            UNREAD_FIELDS_TOTAL,
            "counter",
            "{field}",
            (),
            "Fields for extra headers in requests that no provider reads.",
            "A field is a key of the provider data that is `extra_headers` or ends in `_extra_headers`, or a header "
            "with provider data under another host's name. Its headers are not forwarded; the caller gets no error. "
            "A WARNING names the field, at most once a minute.",
        ),
        Metric(BUILD_INFO, "gauge", "1", (LABEL_VERSION,), "The installed release of the add-on; always 1."),
    )
}

_DECISIONS: Final = tuple(DecisionKind)
_REASONS: Final = tuple(reason for reasons in REASONS.values() for reason in reasons)
_OUTCOMES: Final = tuple(Outcome)
_ACTIONS: Final = ("drop", "reject")
_UP_TO: Final = f"{MAX_NAMES_PER_ATTRIBUTE} names of {MAX_NAME_CHARACTERS} characters at most"

LABELS: Final = (
    Attribute(LABEL_PROVIDER, "string", "The provider id in the run config.", example="vllm"),
    Attribute(LABEL_PROVIDER_TYPE, "string", "The provider type in the run config.", example="remote::vllm"),
    Attribute(LABEL_DECISION, "enum", "What happens to the header.", _DECISIONS),
    Attribute(LABEL_REASON, "enum", "Why it happens.", _REASONS),
    Attribute(
        LABEL_HEADER,
        "string",
        "The entry of the core blocklist or of the operator's lists that blocked the header, or the name of the header "
        "that the server sets or the outbound request carries itself; `_other` for any other name.",
        example="x-forwarded-*",
    ),
    Attribute(
        LABEL_RESULT,
        "enum",
        "`omitted`: the caller lacks the value, and the request is sent without the header. `rejected`: the caller "
        "lacks the value, and the request is not sent.",
        tuple(IdentityHeaderResult),
    ),
    Attribute(LABEL_SHADOW_DECISION, "enum", "What would happen to the header under the shadow policy.", _DECISIONS),
    Attribute(LABEL_SHADOW_REASON, "enum", "Why it would happen.", _REASONS),
    Attribute(LABEL_SHADOW_OUTCOME, "enum", "What would happen to the request under the shadow policy.", _OUTCOMES),
    Attribute(
        LABEL_OUTCOME,
        "enum",
        "What happens to the request. `clean`: all its headers are forwarded. `filtered`: it is sent without some. "
        "`rejected`: it is not sent.",
        _OUTCOMES,
    ),
    Attribute(
        LABEL_POLICY,
        "string",
        "Digest of the policy and of the core blocklist, 12 hex digits.",
        example="f340fc39be6d",
    ),
    Attribute(LABEL_ON_BLOCKED, "enum", "The setting of the policy.", _ACTIONS),
    Attribute(LABEL_ON_MALFORMED, "enum", "The setting of the policy.", _ACTIONS),
    Attribute(LABEL_VERSION, "string", "Version of the distribution `extra-headers-forwarding`.", example="0.1.0"),
)

DECISION_ATTRIBUTES: Final = (
    Attribute(ATTR_PROVIDER, "string", "The provider id.", example="vllm"),
    Attribute(ATTR_OUTCOME, "enum", "What happens to the request.", _OUTCOMES),
    Attribute(ATTR_POLICY, "string", "Digest of the policy.", example="f340fc39be6d"),
    Attribute(ATTR_FORWARDED_COUNT, "int", "Headers that are forwarded. 0 for a rejected request.", example="1"),
    Attribute(ATTR_BLOCKED_COUNT, "int", "Headers that are blocked.", example="1"),
    Attribute(ATTR_MALFORMED_COUNT, "int", "Headers that are malformed.", example="0"),
    Attribute(
        ATTR_FORWARDED_NAMES, "string[]", f"Their names as the caller spelled them; {_UP_TO}.", example='["X-Tenant"]'
    ),
    Attribute(
        ATTR_BLOCKED_NAMES,
        "string[]",
        f"Their names as the caller spelled them; {_UP_TO}.",
        example='["Authorization"]',
    ),
    Attribute(ATTR_BLOCKED_REASONS, "string[]", "The reasons, each once.", example='["credential"]'),
    Attribute(
        ATTR_MALFORMED_REASONS,
        "string[]",
        "The reasons, each once. A malformed name is never shown.",
        example='["value"]',
    ),
    Attribute(
        ATTR_IDENTITY_HEADERS_NAMES,
        "string[]",
        f"Names of the identity headers on the request; {_UP_TO}.",
        example='["x-tenant-id"]',
    ),
    Attribute(
        ATTR_IDENTITY_HEADERS_MISSING,
        "string[]",
        "Names of the identity headers that cannot be set, because the caller has no such value.",
        example='["x-tenant-id"]',
    ),
    Attribute(
        ATTR_FROM_REQUEST_NAMES,
        "string[]",
        f"Names of the headers that came as plain headers of the request, by `from_request`; {_UP_TO}.",
        example='["x-maas-subscription"]',
    ),
    Attribute(
        ATTR_MCP_SERVER,
        "string",
        f"Host and port of the MCP server, or the id of its connector; {MAX_NAME_CHARACTERS} characters at most. "
        "Absent for model providers.",
        example="tools.example.com",
    ),
    Attribute(
        ATTR_USER,
        "string",
        f"The user that the host authenticated; {MAX_USER_CHARACTERS} characters at most. Absent with "
        f"`{ENV_CAPTURE_USER}=false`.",
        example="alice",
    ),
    Attribute(
        ATTR_TRACE_ID_FROM_CALLER,
        "boolean",
        "True if the caller chose the trace id, by a `traceparent` header. Such an id need not be unique. Absent "
        "otherwise.",
        example="true",
    ),
    Attribute(
        ATTR_TENANT,
        "string",
        f"The user's tenant, where the host knows one. Absent with `{ENV_CAPTURE_USER}=false`.",
        example="blue",
    ),
)
"""Attributes of spans, of the event and of audit records."""

SHADOW_ATTRIBUTES: Final = (
    Attribute(
        ATTR_SHADOW_POLICY,
        "string",
        "Digest of the policy that enforcing the shadow policy would give.",
        example="08d5bc7d4a81",
    ),
    Attribute(ATTR_SHADOW_OUTCOME, "enum", "What would happen to the request under the shadow policy.", _OUTCOMES),
    Attribute(ATTR_SHADOW_DIFFERING, "int", "Headers with another decision under the shadow policy.", example="1"),
    Attribute(
        ATTR_SHADOW_FORWARDED_NAMES,
        "string[]",
        f"Names of those that it would forward; {_UP_TO}.",
        example='["X-Tenant"]',
    ),
    Attribute(
        ATTR_SHADOW_STOPPED_NAMES,
        "string[]",
        f"Names of those that it would not forward; {_UP_TO}.",
        example='["X-Trial"]',
    ),
    Attribute(
        ATTR_SHADOW_STOPPED_REASONS,
        "string[]",
        "The reasons that it would stop them for, each once.",
        example='["not_allowed"]',
    ),
)
"""Attributes of spans only."""

AUDIT_ATTRIBUTES: Final = (
    Attribute(
        ATTR_STOPPED_NAMES,
        "string[]",
        "Names of the blocked and malformed headers in the caller's order; empty for a name that is malformed itself; "
        f"{_UP_TO}.",
        example='["Authorization", "X-A"]',
    ),
    Attribute(
        ATTR_STOPPED_REASONS,
        "string[]",
        "The reason of each of them, in the same order.",
        example='["credential", "value"]',
    ),
    Attribute(
        ATTR_STOPPED_RULES,
        "string[]",
        "What decided on each of them, in the same order: a rule of the core blocklist, an entry of the operator's "
        "`block`, or the name of a header that the outbound request carries; empty where none did.",
        example='["authorization", ""]',
    ),
    Attribute(
        ATTR_IDENTITY_HEADERS_MISSING_REASONS,
        "string[]",
        "`absent` or `unusable`, in the order of `extra_headers.identity_headers.missing`.",
        example='["absent"]',
    ),
    Attribute(ATTR_SUPPRESSED, "int", "Records that the rate limit held back since the last one.", example="0"),
)
"""Attributes of the event and of audit records only."""

AUDIT_KEYS: Final = (
    Attribute(
        KEY_TIMESTAMP,
        "string",
        "Time of the decision, RFC 3339 in UTC with microseconds.",
        example="2026-11-27T08:30:00.123456Z",
    ),
    Attribute(
        KEY_SEVERITY_TEXT,
        "enum",
        "`WARN` if a header was stopped or the request rejected, else `INFO`.",
        ("WARN", "INFO"),
    ),
    Attribute(KEY_EVENT_NAME, "enum", "The name of the event.", (EVENT_DECISION,)),
    Attribute(
        KEY_TRACE_ID,
        "string",
        "Of the span that carries the decision. Absent where nothing is traced.",
        example="4bf92f3577b34da6a3ce929d0e0e4736",
    ),
    Attribute(KEY_SPAN_ID, "string", "Of the same span.", example="00f067aa0ba902b7"),
)
"""What an audit record has besides attributes."""

ENVIRONMENT: Final = (
    Attribute(
        ENV_METRICS_PORT,
        "int",
        "Port of the add-on's own metrics endpoint. Without it there is none, and the metrics are on the host's.",
        example="9465",
    ),
    Attribute(
        ENV_METRICS_HOST, "string", "Address that this endpoint listens on; `127.0.0.1` by default.", example="10.0.0.5"
    ),
    Attribute(
        ENV_OTEL_METRICS,
        "boolean",
        "Whether the totals are also OpenTelemetry counters, for export over OTLP; false by default. Ignored if the "
        "Prometheus endpoint also exposes OpenTelemetry metrics, because every total would appear twice.",
        example="true",
    ),
    Attribute(
        ENV_CAPTURE_USER,
        "boolean",
        "Whether spans and audit records name the user that the host authenticated; true by default.",
        example="false",
    ),
    Attribute(
        ENV_PROPAGATE,
        "enum",
        "What outbound calls carry of the trace context. `auto`, the default: nothing if only the add-on instruments "
        "the HTTP client; `traceparent` on calls to a provider if the operator does. `none` and `traceparent`: that, "
        "in both cases. `all`: baggage, tracestate and everything else that `OTEL_PROPAGATORS` names, a caller's "
        "included.",
        ("auto", "none", "traceparent", "all"),
    ),
    Attribute(
        ENV_AUDIT_LOG,
        "string",
        "Where audit records go as lines of JSON: `stderr`, or the path of a file. Not set: to the logger "
        f"`{LOGGER_AUDIT}`.",
        example="/var/log/ogx/audit.jsonl",
    ),
    Attribute(
        ENV_AUDIT,
        "enum",
        "Which requests have an audit record: those with something stopped (the default), or all that have extra "
        "headers or identity headers.",
        ("stopped", "all"),
    ),
    Attribute(
        ENV_MULTIPROCESS_DIRECTORY,
        "string",
        "A setting of prometheus-client: a directory in which several workers share their counters. With `OGX_WORKERS` "
        f"above 1, set it and `{ENV_METRICS_PORT}`, and leave OGX's own metrics endpoint off. It takes 1.2 MiB for "
        "each worker. If the disk is full at the start, metrics are off until the next start.",
        example="/run/ogx-metrics",
    ),
)
"""Environment variables of the server process."""
