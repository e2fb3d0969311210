"""The alerts: what is worth a person's time, and the words that reach them.

Annotations hold label values only, never a measured value: a text that changes would be sent again each time.
"""

from dataclasses import dataclass

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from .promql import ATTEMPTS, JOB, decision, outcome
from .recording_rules import Rule, baseline, recording_rules, window_increase
from .tuning import DEFAULT_RUNBOOKS, Tuning, duration

BLOCKED_SPIKE = "ExtraHeadersBlockedSpike"
CREDENTIAL_OVERRIDE_ATTEMPT = "ExtraHeadersCredentialOverrideAttempt"
MALFORMED_SPIKE = "ExtraHeadersMalformedSpike"
REJECTING_CALLERS = "ExtraHeadersRejectingCallers"
POLICY_DRIFT = "ExtraHeadersPolicyDrift"
TELEMETRY_ABSENT = "ExtraHeadersTelemetryAbsent"

CRITICAL, WARNING = "critical", "warning"
SECURITY, CALLERS, OPERATIONS = "security", "callers", "operations"

_PROVIDER = f"{JOB}, {contract.LABEL_PROVIDER}"
_ON_PROVIDER = f"provider {{{{ $labels.{contract.LABEL_PROVIDER} }}}} of job {{{{ $labels.{JOB} }}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, before it is written as a Prometheus rule."""

    name: str
    expr: str
    for_: int
    """Seconds that the condition must last."""
    keep_firing_for: int
    """Seconds that the alert goes on after it."""
    severity: str
    category: str
    """Whom it concerns: security, the people behind the callers, or operations."""
    summary: str
    description: str

    def as_rule(self, runbooks: str) -> Rule:
        """Return the Prometheus rule; its runbook is a page under `runbooks`."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": duration(self.for_),
            "keep_firing_for": duration(self.keep_firing_for),
            "labels": {"severity": self.severity, "category": self.category},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbooks.rstrip('/')}/{self.name}.md",
            },
        }


def rule_groups(tuning: Tuning | None = None, runbooks: str = DEFAULT_RUNBOOKS) -> dict[str, object]:
    """Return the content of a Prometheus rules file.

    Args:
        tuning: windows and thresholds.
        runbooks: base URL of the runbooks; each alert's page is `<base>/<alert>.md`.

    """
    tuning = tuning or Tuning()
    alerting_rules = [alert.as_rule(runbooks) for alert in alerts(tuning)]
    # One group: alerts are evaluated right after the series that they compare.
    return {"groups": [{"name": "extra-headers", "rules": [*recording_rules(tuning), *alerting_rules]}]}


def alerts(tuning: Tuning) -> tuple[Alert, ...]:
    """Return the alerts, the most urgent question first."""
    return (
        _credential_override_attempt(tuning),
        _spike(
            tuning,
            BLOCKED_SPIKE,
            DecisionKind.BLOCKED,
            SECURITY,
            "None was forwarded. Either a caller probes the policy, or a client or the policy changed.",
        ),
        _spike(
            tuning,
            MALFORMED_SPIKE,
            DecisionKind.MALFORMED,
            CALLERS,
            "None was forwarded. Either a client release is broken, or a caller tries to smuggle something.",
        ),
        _rejecting_callers(tuning),
        _policy_drift(tuning),
        _telemetry_absent(tuning),
    )


def _credential_override_attempt(tuning: Tuning) -> Alert:
    counter = f"{contract.DECISIONS_TOTAL}{{{ATTEMPTS}}}"
    return Alert(
        name=CREDENTIAL_OVERRIDE_ATTEMPT,
        expr=f"sum by ({_PROVIDER}, {contract.LABEL_REASON}) (increase({counter}[{duration(tuning.window)}])) > 0",
        for_=0,
        keep_firing_for=tuning.keep_firing_for,
        severity=WARNING,
        category=SECURITY,
        summary="A caller tried to replace a credential or another header that the server sends itself.",
        description=(
            f"On {_ON_PROVIDER}, headers were blocked with reason {{{{ $labels.{contract.LABEL_REASON} }}}}. None "
            "was forwarded. Find the caller in the audit log or in the traces."
        ),
    )


def _spike(tuning: Tuning, name: str, kind: DecisionKind, category: str, advice: str) -> Alert:
    """Return the alert on many more decisions of one kind than the baseline; without a baseline, on the floor."""
    now = f"{window_increase(tuning)}{{{decision(kind)}}}"
    mean = f"{baseline(tuning)}{{{decision(kind)}}}"
    return Alert(
        name=name,
        expr=f"{now} > {tuning.floor}\nand\n{now} > {tuning.factor} * ({mean} or {now} * 0)",
        for_=tuning.for_,
        keep_firing_for=tuning.keep_firing_for,
        severity=WARNING,
        category=category,
        summary=f"Far more extra headers are {kind.value} than usual.",
        description=(
            f"On {_ON_PROVIDER}, more than {tuning.floor} headers in {duration(tuning.window)} are {kind.value}, and "
            f"more than {tuning.factor} times the mean of the last {duration(tuning.baseline)}. {advice}"
        ),
    )


def _rejecting_callers(tuning: Tuning) -> Alert:
    window = duration(tuning.window)
    rejected = f"{contract.REQUESTS_TOTAL}{{{outcome(Outcome.REJECTED)}}}"
    everything = f"sum by ({_PROVIDER}) (increase({contract.REQUESTS_TOTAL}[{window}]))"
    return Alert(
        name=REJECTING_CALLERS,
        expr=(
            f"sum by ({_PROVIDER}) (increase({rejected}[{window}]))\n"
            f"  / ({everything} > {tuning.rejected_volume})\n"
            f"> {tuning.rejected_percent / 100:g}"
        ),
        for_=tuning.rejected_for,
        keep_firing_for=tuning.keep_firing_for,
        severity=CRITICAL,
        category=CALLERS,
        summary="A policy rejects a large share of the requests that carry extra headers.",
        description=(
            f"On {_ON_PROVIDER}, more than {tuning.rejected_percent}% of the requests with extra headers are "
            "answered with 400 or 403. Callers that used to work may be broken by the policy."
        ),
    )


def _policy_drift(tuning: Tuning) -> Alert:
    return Alert(
        name=POLICY_DRIFT,
        expr=(
            f"count by ({_PROVIDER}) (\n"
            f"  count by ({_PROVIDER}, {contract.LABEL_POLICY}) ({contract.POLICY_INFO})\n) > 1"
        ),
        for_=tuning.drift_for,
        keep_firing_for=tuning.keep_firing_for,
        severity=WARNING,
        category=OPERATIONS,
        summary="Replicas do not apply the same extra-headers policy.",
        description=(
            f"On {_ON_PROVIDER}, instances report different policies for longer than a rolling update takes. What "
            "happens to a caller's header depends on the replica that serves it."
        ),
    )


def _telemetry_absent(tuning: Tuning) -> Alert:
    """Return the alert on a job that went silent, or that none ever reported: then it has no job."""
    info = contract.POLICY_INFO
    before = f"present_over_time({info}[{duration(tuning.remember)}])"
    return Alert(
        name=TELEMETRY_ABSENT,
        expr=(
            f"(group by ({JOB}) ({before}) unless on ({JOB}) group by ({JOB}) ({info}))\n"
            f"or\n"
            f"(absent({info}) unless on () group({before}))"
        ),
        for_=tuning.absent_for,
        keep_firing_for=tuning.keep_firing_for,
        severity=WARNING,
        category=OPERATIONS,
        summary="No instance reports extra-headers metrics.",
        description=(
            f"{{{{ if $labels.{JOB} }}}}Job {{{{ $labels.{JOB} }}}} used to report {info} and no longer does."
            f"{{{{ else }}}}Nothing that Prometheus scrapes reports {info}.{{{{ end }}}} Decisions are still made, but "
            "nobody sees them, and the other alerts cannot fire."
        ),
    )
