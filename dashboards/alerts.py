"""The alerts: what is worth a person's time, and the words that reach them.

Annotations hold label values only, never a measured value: a text that changes would be sent again each time.
"""

from dataclasses import dataclass

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from .promql import ATTEMPTS, JOB, decision, outcome
from .recording import Rule, grown, usual
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
    hold: int
    """Seconds that the condition must last."""
    keep: int
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
            "for": duration(self.hold),
            "keep_firing_for": duration(self.keep),
            "labels": {"severity": self.severity, "category": self.category},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbooks.rstrip('/')}/{self.name}.md",
            },
        }


def alerting_rules(tuning: Tuning, runbooks: str = DEFAULT_RUNBOOKS) -> list[Rule]:
    """Return the alerting rules."""
    return [alert.as_rule(runbooks) for alert in alerts(tuning)]


def alerts(tuning: Tuning) -> tuple[Alert, ...]:
    """Return the alerts, the most urgent question first."""
    window = duration(tuning.window)
    return (
        Alert(
            name=CREDENTIAL_OVERRIDE_ATTEMPT,
            expr=f"sum by ({_PROVIDER}, {contract.LABEL_REASON}) (increase({_counter(ATTEMPTS)}[{window}])) > 0",
            hold=0,
            keep=tuning.keep,
            severity=WARNING,
            category=SECURITY,
            summary="A caller tried to replace a credential or another header that the server sends itself.",
            description=(
                f"On {_ON_PROVIDER}, headers were blocked with reason {{{{ $labels.{contract.LABEL_REASON} }}}}. None "
                "was forwarded. Find the caller in the audit log or in the traces."
            ),
        ),
        _spike(
            tuning,
            BLOCKED_SPIKE,
            DecisionKind.BLOCKED,
            SECURITY,
            "Far more extra headers are blocked than usual.",
            "None was forwarded. Either a caller probes the policy, or a client or the policy changed.",
        ),
        _spike(
            tuning,
            MALFORMED_SPIKE,
            DecisionKind.MALFORMED,
            CALLERS,
            "Far more extra headers are malformed than usual.",
            "None was forwarded. Either a client release is broken, or a caller tries to smuggle something.",
        ),
        Alert(
            name=REJECTING_CALLERS,
            expr=_rejecting(tuning),
            hold=tuning.rejected_hold,
            keep=tuning.keep,
            severity=CRITICAL,
            category=CALLERS,
            summary="A policy rejects a large share of the requests that carry extra headers.",
            description=(
                f"On {_ON_PROVIDER}, more than {tuning.rejected_percent}% of the requests with extra headers are "
                "answered with 400 or 403. Callers that used to work may be broken by the policy."
            ),
        ),
        Alert(
            name=POLICY_DRIFT,
            expr=(
                f"count by ({_PROVIDER}) (\n"
                f"  count by ({_PROVIDER}, {contract.LABEL_POLICY}) ({contract.POLICY_INFO})\n) > 1"
            ),
            hold=tuning.drift_hold,
            keep=tuning.keep,
            severity=WARNING,
            category=OPERATIONS,
            summary="Replicas do not apply the same extra-headers policy.",
            description=(
                f"On {_ON_PROVIDER}, instances report different policies for longer than a rolling update takes. What "
                "happens to a caller's header depends on the replica that serves it."
            ),
        ),
        Alert(
            name=TELEMETRY_ABSENT,
            expr=_absent(tuning),
            hold=tuning.absent_hold,
            keep=tuning.keep,
            severity=WARNING,
            category=OPERATIONS,
            summary="No instance reports extra-headers metrics.",
            description=(
                f"{{{{ if $labels.{JOB} }}}}Job {{{{ $labels.{JOB} }}}} used to report {contract.POLICY_INFO} and no "
                f"longer does.{{{{ else }}}}Nothing that Prometheus scrapes reports {contract.POLICY_INFO}."
                "{{ end }} Decisions are still made, but nobody sees them, and the other alerts cannot fire."
            ),
        ),
    )


def _counter(matchers: str) -> str:
    return f"{contract.DECISIONS_TOTAL}{{{matchers}}}"


def _spike(tuning: Tuning, name: str, kind: DecisionKind, category: str, summary: str, advice: str) -> Alert:  # noqa: PLR0913, PLR0917 - a row of a table
    """Return the alert on many more decisions of one kind than usual; where nothing is usual yet, on the floor."""
    now = f"{grown(tuning)}{{{decision(kind)}}}"
    return Alert(
        name=name,
        expr=(
            f"{now} > {tuning.floor}\nand\n{now} > {tuning.factor} * ({usual(tuning)}{{{decision(kind)}}} or {now} * 0)"
        ),
        hold=tuning.hold,
        keep=tuning.keep,
        severity=WARNING,
        category=category,
        summary=summary,
        description=(
            f"On {_ON_PROVIDER}, more than {tuning.floor} headers in {duration(tuning.window)} are {kind.value}, and "
            f"more than {tuning.factor} times the mean of the last {duration(tuning.baseline)}. {advice}"
        ),
    )


def _rejecting(tuning: Tuning) -> str:
    window = duration(tuning.window)
    rejected = f"{contract.REQUESTS_TOTAL}{{{outcome(Outcome.REJECTED)}}}"
    everything = f"sum by ({_PROVIDER}) (increase({contract.REQUESTS_TOTAL}[{window}]))"
    return (
        f"sum by ({_PROVIDER}) (increase({rejected}[{window}]))\n"
        f"  / ({everything} > {tuning.rejected_volume})\n"
        f"> {tuning.rejected_percent / 100:g}"
    )


def _absent(tuning: Tuning) -> str:
    """Return the condition: a job went silent, or none ever reported (then the alert has no job)."""
    info = contract.POLICY_INFO
    before = f"present_over_time({info}[{duration(tuning.remember)}])"
    return (
        f"(group by ({JOB}) ({before}) unless on ({JOB}) group by ({JOB}) ({info}))\n"
        f"or\n"
        f"(absent({info}) unless on () group({before}))"
    )
