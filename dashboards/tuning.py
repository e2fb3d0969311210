"""The values file: everything about rules, routes and manifests that an operator can change, with its defaults.

The defaults suit a server that handles a few requests a second. Tests run the same rules with windows of seconds.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Reason
from extra_headers.telemetry import contract

DEFAULT_RUNBOOKS: Final = "https://github.com/extra-headers/extra-headers-forwarding/blob/main/dashboards/runbooks"
"""The runbooks in the project's repository. The export contains the same pages, for a site of the operator's."""

_OWN_LABELS: Final = frozenset(
    {
        *(label.name for label in contract.LABELS),
        *("__name__", "alertname", "alertstate", "severity", "category"),
        # What distinguishes series within the rules.
        *("season", "of", "enumerated"),
    }
)
_TEN_YEARS: Final = 315_360_000

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(seconds: int) -> str:
    """Return seconds as Prometheus writes them: 600 is `10m`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"(\d+[smhdw])+", value):
        raise ValueError("must be a duration such as 30s, 10m, 1h or 7d")
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", value))


type Seconds = Annotated[
    int,
    BeforeValidator(_seconds),
    Field(ge=1, le=_TEN_YEARS),
    PlainSerializer(duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]+[smhdw])+$", "examples": ["10m"]}),
]
"""A duration: in the file as Prometheus writes it, in the code in seconds."""


def _matcher(matcher: str) -> str:
    label, operator, quoted = re.split(r"(=~|!~|!=|=)", matcher, maxsplit=1)
    if label in _OWN_LABELS:
        raise ValueError(f"must not select by {label}, which the rules add themselves")
    if operator in {"=~", "!~"}:
        pattern = quoted[1:-1].replace("\\\\", "\\")
        if re.search(r"\(\?[=!<]|\\[1-9]", pattern):
            raise ValueError("must not contain lookarounds or backreferences, which Prometheus does not have")
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"is not a valid regular expression: {error}") from None
    return matcher


type LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
type Matcher = Annotated[
    str,
    # Escapes are those of a PromQL string.
    StringConstraints(pattern=r"""^[a-zA-Z_][a-zA-Z0-9_]*(=~|!~|!=|=)"([^"\\\n]|\\[abfnrtv\\"])*"$"""),
    AfterValidator(_matcher),
]
type KubernetesName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
type Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s{}]+$")]
type LabelValue = Annotated[str, StringConstraints(pattern=r"^[^{}]*$")]
"""A label of every alert is the same on each: no template."""


def _text(value: object) -> object:
    """Refuse a value that an enumeration would show whole in its error, however large aliases make it."""
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic shows a `ValueError` as a finding
    return value


type Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
type Percent = Annotated[int, Field(ge=1, le=99)]


class AlertName(StrEnum):
    """The alerts."""

    CREDENTIAL_OVERRIDE_ATTEMPT = "ExtraHeadersCredentialOverrideAttempt"
    ENUMERATION = "ExtraHeadersEnumeration"
    BLOCKED_SPIKE = "ExtraHeadersBlockedSpike"
    MALFORMED_SPIKE = "ExtraHeadersMalformedSpike"
    REJECTING_CALLERS = "ExtraHeadersRejectingCallers"
    REJECTING_SOME_CALLERS = "ExtraHeadersRejectingSomeCallers"
    IDENTITY_MISSING = "ExtraHeadersIdentityMissing"
    UNREAD_FIELDS = "ExtraHeadersUnreadFields"
    POLICY_DRIFT = "ExtraHeadersPolicyDrift"
    TELEMETRY_ABSENT = "ExtraHeadersTelemetryAbsent"


class Severity(StrEnum):
    """How urgent an alert is; `off` leaves it out."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    OFF = "off"


_Severity = Annotated[Severity, BeforeValidator(_text)]
_Reason = Annotated[Reason, BeforeValidator(_text)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class Kubernetes(_Section):
    """Names and labels in the Kubernetes manifests."""

    namespace: Annotated[KubernetesName | None, Field(description="Namespace of the manifests.")] = None
    labels: Annotated[
        Mapping[str, str],
        Field(description="Added to each manifest, for the ruleSelector and podMonitorSelector of your Prometheus."),
    ] = {}
    pod_labels: Annotated[
        Mapping[str, str], Field(min_length=1, description="Labels of the server's pods, for the PodMonitor.")
    ] = {"app.kubernetes.io/name": "ogx"}
    pod_namespaces: Annotated[
        tuple[KubernetesName, ...], Field(description="Namespaces of the pods; by default the PodMonitor's own.")
    ] = ()
    port: Annotated[str, Field(description="Name of the container port that serves the metrics.")] = "metrics"
    scrape_interval: Annotated[Seconds, Field(description="How often Prometheus scrapes a pod.")] = 15


class Tuning(_Section):
    """The content of a values file. Every key may be left out."""

    group_by: Annotated[
        tuple[LabelName, ...],
        Field(min_length=1, description="Labels that distinguish servers. Replicas of one server share all of them."),
    ] = ("cluster", "namespace", "job")
    matchers: Annotated[
        tuple[Matcher, ...], Field(description='Added to every selector of the rules, e.g. `cluster="eu-1"`.')
    ] = ()
    labels: Annotated[Mapping[LabelName, LabelValue], Field(description="Added to every alert, for routing.")] = {}
    severities: Annotated[
        Mapping[AlertName, _Severity], Field(description="Severity of an alert in place of its default.")
    ] = {}
    runbooks: Annotated[
        Url,
        Field(description="Base URL of the runbooks; a page is `<base>/<alert>.md`. The export has a copy to publish."),
    ] = DEFAULT_RUNBOOKS
    receiver_url: Annotated[Url, Field(description="Base URL of the webhooks in the Alertmanager example.")] = (
        "http://127.0.0.1:9095"
    )
    kubernetes: Annotated[Kubernetes, Field(description="Names and labels in the Kubernetes manifests.")] = Kubernetes()

    window: Annotated[Seconds, Field(description="The fast window, in which events are counted.")] = 600
    slow_window: Annotated[
        Seconds, Field(description="The slow window, for servers with little traffic and for slow attacks.")
    ] = 3600
    keep_firing_for: Annotated[
        Seconds, Field(description="How long an alert continues after its condition ended, so that it does not flap.")
    ] = 900

    noise_reasons: Annotated[
        tuple[_Reason, ...],
        Field(
            description="Reasons of blocked headers that client libraries cause. Spikes and enumeration ignore them."
        ),
    ] = (Reason.SDK, Reason.BROWSER, Reason.TRACE_CONTEXT)
    floor: Annotated[Count, Field(description="A spike has more headers than this in the fast window.")] = 20
    factor: Annotated[Count, Field(description="A spike is more than this many times the baseline.")] = 5
    baseline: Annotated[
        Seconds, Field(description="The baseline is the median of this long: an attack must last half of it to count.")
    ] = 604800
    season: Annotated[
        Seconds,
        Field(description="What happened at this time in each of the last three seasons is in the baseline, too."),
    ] = 86400
    spike_for: Annotated[Seconds, Field(description="How long a spike lasts before its alert fires.")] = 120

    enumerated_reasons: Annotated[
        Count, Field(description="Enumeration: more reasons than this are new in the slow window.")
    ] = 5
    enumerated_headers: Annotated[
        Count, Field(description="Enumeration: more blocked names than this are new in the slow window.")
    ] = 15

    rejected_requests: Annotated[
        Count, Field(description="Fewer rejected requests than this in a window are ignored.")
    ] = 10
    rejected_percent: Annotated[
        Percent, Field(description="Share of rejected requests in the fast window that breaks callers.")
    ] = 50
    rejected_for: Annotated[Seconds, Field(description="How long that share lasts before the alert fires.")] = 600
    rejected_some_percent: Annotated[
        Percent, Field(description="Share of rejected requests in the slow window that is worth a look.")
    ] = 10
    rejected_some_for: Annotated[Seconds, Field(description="How long that share lasts before the alert fires.")] = 900

    identity_requests: Annotated[
        Count, Field(description="Fewer requests than this without an identity header in the slow window are ignored.")
    ] = 10
    identity_percent: Annotated[
        Percent, Field(description="Share of requests without an identity header in the slow window that is too high.")
    ] = 50
    identity_for: Annotated[Seconds, Field(description="How long that share lasts before the alert fires.")] = 600

    unread_fields: Annotated[
        Count, Field(description="Fewer fields than this that no provider reads in the slow window are ignored.")
    ] = 10

    drift_for: Annotated[
        Seconds, Field(description="How long replicas may differ: a rolling update and a short canary fit into it.")
    ] = 3600
    absent_for: Annotated[Seconds, Field(description="How long telemetry may be absent: a restart takes its time.")] = (
        600
    )
    remember: Annotated[
        Seconds, Field(description="How long a provider that reported is expected to continue to report.")
    ] = 86400
    scale_to_zero: Annotated[
        bool,
        Field(description="A server without any scrape target is scaled to zero; `false` treats it as absent at once."),
    ] = True
    gone_after: Annotated[
        Seconds, Field(description="A server without any scrape target for this long is reported all the same.")
    ] = 259200

    new_series: Annotated[
        Seconds,
        Field(description="A series of a blocked name starts at 0 for this long. At least one evaluation interval."),
    ] = 60
    forget_series: Annotated[Seconds, Field(description="A series that returns after this long starts at 0 again.")] = (
        21600
    )

    @model_validator(mode="after")
    def _check(self) -> "Tuning":
        if self.window >= self.slow_window:
            raise ValueError("window must be shorter than slow_window")
        if self.slow_window > self.baseline:
            raise ValueError("slow_window must not be longer than baseline")
        if self.season <= 2 * self.window:
            raise ValueError("season must be longer than two windows")
        if taken := sorted(_OWN_LABELS.intersection(self.group_by)):
            raise ValueError(f"group_by must not contain {', '.join(taken)}: the rules add these labels")
        if reserved := sorted(_OWN_LABELS.intersection(self.labels)):
            raise ValueError(f"labels must not contain {', '.join(reserved)}: the rules set these labels")
        if unknown := sorted(set(self.noise_reasons) - set(REASONS[DecisionKind.BLOCKED])):
            raise ValueError(f"noise_reasons must not contain {', '.join(unknown)}, which blocks no header")
        return self
