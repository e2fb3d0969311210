"""The alerts: what is worth a person's time, and the words that reach them.

docs/alerting.md has the table of harms that they find and of the ordinary days on which they are quiet.
"""

from extra_headers.forwarding.policy.decision import ATTEMPT_REASONS, DecisionKind
from extra_headers.telemetry import contract

from .alert import CALLERS, COUNT, OPERATIONS, SECURITY, Alert, any_label, server_of, where
from .promql import decision, one_of
from .recording_rules import (
    MISSING,
    identity_ratio,
    labels,
    name_increase,
    reason_increase,
    recording_rules,
    rejected_increase,
    rejected_ratio,
    select,
    suspicious_baseline,
    suspicious_increase,
    suspicious_mean,
)
from .tuning import AlertName, Severity, Tuning, duration

_REASON, _PROVIDER = contract.LABEL_REASON, contract.LABEL_PROVIDER
_ENUMERATED = "enumerated"
"""Label of the enumeration alert: what is enumerated."""


def rule_groups(tuning: Tuning | None = None) -> dict[str, object]:
    """Return the content of a Prometheus rules file."""
    tuning = tuning or Tuning()
    alerting_rules = [alert.as_rule(tuning) for alert in alerts(tuning)]
    # One group: alerts are evaluated right after the series that they compare.
    return {"groups": [{"name": "extra-headers", "rules": [*recording_rules(tuning), *alerting_rules]}]}


def alerts(tuning: Tuning) -> tuple[Alert, ...]:
    """Return the alerts that are not switched off, the most urgent question first."""
    everything = (
        _credential_override_attempt(tuning),
        _enumeration(tuning),
        _spike(
            tuning,
            AlertName.BLOCKED_SPIKE,
            DecisionKind.BLOCKED,
            SECURITY,
            "None was forwarded. Either a caller probes the policy, or a client or the policy changed.",
        ),
        _spike(
            tuning,
            AlertName.MALFORMED_SPIKE,
            DecisionKind.MALFORMED,
            CALLERS,
            "None was forwarded. Either a client release is broken, or a caller tries to smuggle something.",
        ),
        _rejecting_callers(tuning),
        _rejecting_some_callers(tuning),
        _identity_missing(tuning),
        _unread_fields(tuning),
        _policy_drift(tuning),
        _telemetry_absent(tuning),
    )
    return tuple(alert for alert in everything if tuning.severities.get(alert.name) is not Severity.OFF)


def _credential_override_attempt(tuning: Tuning) -> Alert:
    attempts = f'{reason_increase(tuning)}{{{decision(DecisionKind.BLOCKED)}, {_REASON}=~"{one_of(*ATTEMPT_REASONS)}"}}'
    return Alert(
        name=AlertName.CREDENTIAL_OVERRIDE_ATTEMPT,
        expr=f"{attempts} > 0",
        for_=0,
        severity=Severity.WARNING,
        category=SECURITY,
        summary="A caller tried to replace a credential or another header that the server sends itself.",
        description=(
            f"On {where(tuning)}, {COUNT} headers were blocked in the last "
            f"{duration(tuning.window)} with reason {{{{ $labels.{_REASON} }}}}. None was forwarded. Find the caller "
            "in the audit log or in the traces."
        ),
    )


def _enumeration(tuning: Tuning) -> Alert:
    noise = f'{_REASON}!~"{one_of(*tuning.noise_reasons)}"' if tuning.noise_reasons else ""
    stopped = ", ".join(filter(None, (f'{contract.LABEL_DECISION}!="{DecisionKind.FORWARDED.value}"', noise)))
    return Alert(
        name=AlertName.ENUMERATION,
        expr=(
            f"{_new(tuning, f'{reason_increase(tuning)}{{{stopped}}}', 'reasons', tuning.enumerated_reasons)}\n"
            f"or\n"
            f"{_new(tuning, f'{name_increase(tuning)}{{{noise}}}', 'headers', tuning.enumerated_headers)}"
        ),
        for_=0,
        severity=Severity.WARNING,
        category=SECURITY,
        summary="Somebody tries out which headers get past the policy.",
        description=(
            f"On {where(tuning)}, {{{{ $value }}}} {{{{ $labels.{_ENUMERATED} }}}} were stopped within "
            f"{duration(tuning.slow_window)} that had not occurred in the {duration(tuning.season)} before. None was "
            "forwarded. Find the caller in the audit log or in the traces."
        ),
    )


def _new(tuning: Tuning, series: str, what: str, limit: int) -> str:
    """Return the condition that more than `limit` series grew in the slow window, and not in the season before."""
    slow = duration(tuning.slow_window)
    new = (
        f"max_over_time({series}[{slow}]) > 0\n"
        f"    unless max_over_time({series}[{duration(tuning.season)}] offset {slow}) > 0"
    )
    counted = f"count by ({labels(tuning)}) (\n    {new}\n  )"
    return f'label_replace(\n  {counted}, "{_ENUMERATED}", "{what}", "", ""\n) > {limit}'


def _spike(tuning: Tuning, name: AlertName, kind: DecisionKind, category: str, advice: str) -> Alert:
    """Return the alert on many more decisions of one kind than the baseline; a new provider's baseline is 0."""
    fast = f"{suspicious_increase(tuning)}{{{decision(kind)}}}"
    slow = f"{suspicious_mean(tuning)}{{{decision(kind)}}}"
    baseline = f"{suspicious_baseline(tuning)}{{{decision(kind)}}}"
    slow_floor = tuning.floor * tuning.window / tuning.slow_window
    return Alert(
        name=name,
        expr=(
            f"({fast} > {tuning.floor} and {fast} > {tuning.factor} * {baseline})\n"
            f"or\n"
            f"({slow} > {slow_floor:g} and {slow} > {tuning.factor} * {baseline}\n"
            f"  and {fast} offset {duration(tuning.slow_window)})"
        ),
        for_=tuning.spike_for,
        severity=Severity.WARNING,
        category=category,
        summary=f"Far more extra headers are {kind.value} than usual.",
        description=(
            f"On {where(tuning)}, {COUNT} headers in {duration(tuning.window)} are {kind.value}, "
            f"more than {tuning.factor} times the baseline. {advice}"
        ),
    )


def _rejecting_callers(tuning: Tuning) -> Alert:
    return Alert(
        name=AlertName.REJECTING_CALLERS,
        expr=_rejecting(tuning, tuning.window, tuning.rejected_percent),
        for_=tuning.rejected_for,
        severity=Severity.CRITICAL,
        category=CALLERS,
        summary="Most requests that carry extra headers are rejected.",
        description=(
            f"On {where(tuning)}, {{{{ $value | humanizePercentage }}}} of the requests are answered with 400 or 403 "
            "because of extra headers or a missing identity. Callers that used to work are probably broken by the "
            "policy."
        ),
    )


def _rejecting_some_callers(tuning: Tuning) -> Alert:
    return Alert(
        name=AlertName.REJECTING_SOME_CALLERS,
        expr=_rejecting(tuning, tuning.slow_window, tuning.rejected_some_percent),
        for_=tuning.rejected_some_for,
        severity=Severity.WARNING,
        category=CALLERS,
        summary="Some requests that carry extra headers are rejected.",
        description=(
            f"On {where(tuning)}, {{{{ $value | humanizePercentage }}}} of the requests in "
            f"{duration(tuning.slow_window)} are answered with 400 or 403 because of extra headers or a missing "
            "identity. Probably one client is broken."
        ),
    )


def _rejecting(tuning: Tuning, window: int, percent: int) -> str:
    ratio, count = rejected_ratio(window), rejected_increase(window)
    # increase() of 10 events can be a rounding error less than 10.
    return f"{ratio} > {percent / 100:g}\nand\n{count} > {tuning.rejected_requests} - 0.5"


def _identity_missing(tuning: Tuning) -> Alert:
    slow, ratio = duration(tuning.slow_window), identity_ratio(tuning)
    by = labels(tuning, contract.LABEL_HEADER, contract.LABEL_RESULT)
    counter = select(tuning, contract.IDENTITY_HEADERS_TOTAL, MISSING)
    before = f"quantile_over_time(0.5, {ratio}[{duration(tuning.baseline)}] offset {slow})"
    known = f"present_over_time({ratio}[{duration(tuning.season)}] offset {duration(tuning.season)})"
    return Alert(
        name=AlertName.IDENTITY_MISSING,
        expr=(
            f"{ratio} > {tuning.identity_percent / 100:g}\n"
            f"and\n{ratio} > 2 * (({before} and {known}) or {ratio} * 0)\n"
            f"and\nsum by ({by}) (increase({counter}[{slow}])) > {tuning.identity_requests} - 0.5"
        ),
        for_=tuning.identity_for,
        severity=Severity.WARNING,
        category=CALLERS,
        summary="An identity header is missing on most requests.",
        description=(
            f"On {where(tuning)}, the header {{{{ $labels.{contract.LABEL_HEADER} }}}} could not be set on "
            f"{{{{ $value | humanizePercentage }}}} of the requests: {{{{ $labels.{contract.LABEL_RESULT} }}}}. "
            "Authentication no longer supplies the value, or `set` names one that it never supplied."
        ),
    )


def _unread_fields(tuning: Tuning) -> Alert:
    counter, slow = select(tuning, contract.UNREAD_FIELDS_TOTAL), duration(tuning.slow_window)
    return Alert(
        name=AlertName.UNREAD_FIELDS,
        expr=f"sum by ({', '.join(tuning.group_by)}) (increase({counter}[{slow}])) > {tuning.unread_fields} - 0.5",
        for_=0,
        severity=Severity.WARNING,
        category=CALLERS,
        summary="Callers send extra headers in a field that no provider reads.",
        description=(
            f"{COUNT} fields in {slow} were ignored{server_of(tuning)}: their names end in "
            "`_extra_headers`, and no provider has such a `field`. The headers are not sent; callers get no error."
        ),
    )


def _policy_drift(tuning: Tuning) -> Alert:
    by = labels(tuning)
    return Alert(
        name=AlertName.POLICY_DRIFT,
        expr=(
            f"count by ({by}) (\n"
            f"  count by ({by}, {contract.LABEL_POLICY}) ({select(tuning, contract.POLICY_INFO)})\n) > 1"
        ),
        for_=tuning.drift_for,
        severity=Severity.WARNING,
        category=OPERATIONS,
        summary="Replicas do not apply the same extra-headers policy.",
        description=(
            f"On {where(tuning)}, instances report {{{{ $value }}}} different policies for longer than a rolling "
            "update takes. What happens to a caller's header depends on the replica that serves it."
        ),
    )


def _telemetry_absent(tuning: Tuning) -> Alert:
    """Return the alert on a provider that went silent, on a server that did, or that nothing ever reported.

    A server without any target is probably scaled to zero, and is reported after `gone_after`.
    """
    info = select(tuning, contract.POLICY_INFO)
    server = ", ".join(tuning.group_by)
    by, gone = labels(tuning), duration(tuning.gone_after)
    before = f"present_over_time({info}[{duration(tuning.remember)}])"
    long_before = f"present_over_time({info}[{duration(tuning.gone_after + tuning.remember)}])"
    scraped = f"\n  and on ({server}) group by ({server}) ({select(tuning, 'up')})" if tuning.scale_to_zero else ""
    branches = [
        # One provider of a server that reports others.
        f"(group by ({by}) ({before}) unless on ({by}) {info})\n  and on ({server}) group by ({server}) ({info})",
        # A whole server.
        f"(group by ({server}) ({before}) unless on ({server}) {info}){scraped}",
        f"group by ({server}) ({long_before})\n  unless on ({server}) present_over_time({info}[{gone}])",
        # Nothing at all.
        f"absent({info}) unless on () group({long_before})",
    ]
    return Alert(
        name=AlertName.TELEMETRY_ABSENT,
        expr="\nor\n".join(f"({branch})" for branch in branches),
        for_=tuning.absent_for,
        severity=Severity.WARNING,
        category=OPERATIONS,
        summary="Extra-headers metrics are absent.",
        description=(
            f"{{{{ if $labels.{_PROVIDER} }}}}On {where(tuning)}, {contract.POLICY_INFO} is no longer reported: "
            f"the add-on is switched off for it, or it was removed."
            f"{{{{ else if {any_label(tuning)} }}}}No instance{server_of(tuning)} reports {contract.POLICY_INFO} any "
            f"more.{{{{ else }}}}Nothing that Prometheus scrapes reports {contract.POLICY_INFO}.{{{{ end }}}} "
            "The other alerts cannot fire."
        ),
    )
