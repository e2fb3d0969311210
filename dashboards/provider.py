"""The dashboard "Extra headers: provider detail": what happens on one provider, or on a few, down to the replica."""

from typing import Final

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from . import audit_panels, policy_panels, shadow_panels, shared_panels
from .dashboard import Row, assemble
from .panels import NEUTRAL, OUTCOME_COLOURS, Panel, PanelOptions, Query, stat, timeseries
from .promql import ATTEMPTS, BLOCKED, INSTANCE, MALFORMED, increase, outcome, per_second
from .recording_rules import BLOCKED_NAMES_FROM_ZERO
from .tuning import AlertName
from .variables import OVERVIEW_UID, PROVIDER_UID, dashboard_link

TITLE: Final = "Extra headers: provider detail"

_NO_METRICS = "No metrics of this provider: does its config set extra_headers?"


def provider() -> str:
    """Return the dashboard's JSON."""
    return assemble(
        PROVIDER_UID,
        TITLE,
        "Decisions, names, outcomes, policy and cost on the chosen providers.",
        [
            Row(
                "What happens to the extra headers of this provider?",
                [
                    _headers("Override and credential attempts", ATTEMPTS, alert=AlertName.CREDENTIAL_OVERRIDE_ATTEMPT),
                    _headers("Blocked headers", BLOCKED),
                    _headers("Malformed headers", MALFORMED),
                    _requests("Requests with extra headers"),
                    _requests("Requests rejected", Outcome.REJECTED),
                ],
            ),
            Row(
                "What is stopped, and why?",
                [
                    shared_panels.decisions_over_time(),
                    shared_panels.stopped_by_group(),
                    shared_panels.stopped_by_provider(DecisionKind.BLOCKED, AlertName.BLOCKED_SPIKE),
                    shared_panels.stopped_by_provider(DecisionKind.MALFORMED, AlertName.MALFORMED_SPIKE),
                    shared_panels.reasons(),
                    shared_panels.top_blocked_names(),
                    _blocked_names(),
                    _blocked_by_instance(),
                ],
            ),
            Row("What happens to the requests?", [_outcomes(), shared_panels.stopped_requests()]),
            Row("What would the shadow policy change?", shadow_panels.panels()),
            Row("Which identity headers are sent?", [shared_panels.identity_headers(24)]),
            Row(
                "Which policy decides, and what does it cost?",
                [
                    policy_panels.policies(),
                    policy_panels.evaluation_times(8),
                    policy_panels.evaluation_tail(8),
                    policy_panels.time_spent(8),
                ],
            ),
            Row(
                "Who was it? (audit log, from Loki)",
                [audit_panels.top_users(), audit_panels.audit_log()],
                collapsed=True,
            ),
        ],
        [dashboard_link("Extra headers: overview", OVERVIEW_UID)],
    )


def _headers(title: str, matchers: str, *, alert: str | None = None) -> Panel:
    advice = (
        "All were blocked. Above zero: find the user in the audit log or by an exemplar's trace."
        if alert
        else "The panels below show the reasons."
    )
    return stat(
        PanelOptions(
            title=title,
            description=f"Headers in the time range ({contract.DECISIONS_TOTAL}, {matchers}). {advice}",
            unit="locale",
            empty=_NO_METRICS,
            width=4 if matchers == MALFORMED else 5,
            height=5,
            alert=alert,
        ),
        Query(expr=increase(contract.DECISIONS_TOTAL, matchers)),
        alarming_from=0.5 if alert else None,
    )


def _requests(title: str, result: Outcome | None = None) -> Panel:
    matchers = (outcome(result),) if result else ()
    return stat(
        PanelOptions(
            title=title,
            description=(
                f"Requests in the time range ({', '.join((contract.REQUESTS_TOTAL, *matchers))}); those without extra "
                "headers are not counted. Compare with the share by outcome before you change the policy."
            ),
            unit="locale",
            empty=_NO_METRICS,
            width=5,
            height=5,
        ),
        Query(expr=increase(contract.REQUESTS_TOTAL, *matchers)),
    )


def _blocked_names() -> Panel:
    header = contract.LABEL_HEADER
    counters = (BLOCKED_NAMES_FROM_ZERO, contract.BLOCKED_NAMES_TOTAL)
    return timeseries(
        PanelOptions(
            title="Blocked headers by name",
            description=(
                f"Blocked headers per second by the rule or entry that blocked them ({contract.BLOCKED_NAMES_TOTAL}, "
                f"with a zero before a series' first event). Grey, {contract.OTHER_HEADER}: names that no "
                "rule or entry contains. If callers need a name, unblock or allow it, or rename it in the client."
            ),
            unit="cps",
            empty="No header was blocked by name in this range.",
        ),
        Query(
            expr="\nor\n".join(per_second(counter, by=(header,)) for counter in counters),
            legend=f"{{{{{header}}}}}",
        ),
        stacked=True,
        colours={contract.OTHER_HEADER: NEUTRAL},
    )


def _blocked_by_instance() -> Panel:
    return timeseries(
        PanelOptions(
            title="Blocked headers by instance",
            description=(
                f"Blocked headers per second by replica ({contract.DECISIONS_TOTAL}). Uneven lines: another policy on "
                "one replica, or a caller that is pinned to it. A line narrows the dashboard to its replica."
            ),
            unit="cps",
            empty=_NO_METRICS,
        ),
        Query(expr=per_second(contract.DECISIONS_TOTAL, BLOCKED, by=(INSTANCE,)), legend=f"{{{{{INSTANCE}}}}}"),
    )


def _outcomes() -> Panel:
    result = contract.LABEL_OUTCOME
    return timeseries(
        PanelOptions(
            title="Requests by outcome",
            description=(
                f"Requests per second with extra headers ({contract.REQUESTS_TOTAL}): clean ones are sent whole, "
                "filtered ones without what was stopped, rejected ones not at all. If rejected ones rise with a new "
                "client, ask its owner first."
            ),
            unit="reqps",
            empty=_NO_METRICS,
        ),
        Query(expr=per_second(contract.REQUESTS_TOTAL, by=(result,)), legend=f"{{{{{result}}}}}"),
        stacked=True,
        colours=OUTCOME_COLOURS,
    )
