"""The dashboard "Extra headers: overview": an operator's questions, in the order in which they are asked."""

from typing import Final

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from . import audit_panels, policy_panels, shared_panels
from .dashboard import Row, assemble
from .panels import NO_METRICS, Panel, PanelOptions, Query, stat, timeseries
from .promql import ATTEMPTS, increase, outcome, per_second
from .tuning import AlertName
from .variables import OVERVIEW_UID, PROVIDER_UID, dashboard_link

TITLE: Final = "Extra headers: overview"

_PROVIDER = contract.LABEL_PROVIDER
_DECISIONS = contract.DECISIONS_TOTAL


def overview() -> str:
    """Return the dashboard's JSON."""
    return assemble(
        OVERVIEW_UID,
        TITLE,
        "Who tries to override what the server sends, what the policies stop, and what that costs.",
        [
            Row(
                "Is anyone trying to override credentials?",
                [_attempts(), _rejected(), _drifting(), _attempts_over_time(), shared_panels.active_alerts()],
            ),
            Row(
                "Did the rate of blocked headers change?",
                [
                    shared_panels.decisions_over_time(),
                    shared_panels.stopped_by_provider(DecisionKind.BLOCKED, AlertName.BLOCKED_SPIKE),
                    shared_panels.stopped_by_group(),
                    shared_panels.stopped_by_provider(DecisionKind.MALFORMED, AlertName.MALFORMED_SPIKE),
                    shared_panels.reasons(),
                    shared_panels.top_blocked_names(),
                ],
            ),
            Row(
                "Are legitimate callers being broken by the policy?",
                [
                    shared_panels.stopped_requests(),
                    shared_panels.all_requests(),
                    shared_panels.identity_headers(12),
                    shared_panels.unread_fields(),
                ],
            ),
            Row("Is the same policy active on every replica?", [policy_panels.policies()]),
            Row("What does the add-on cost?", [policy_panels.evaluation_times(12), policy_panels.time_spent(12)]),
            Row(
                "Who was it? (audit log, from Loki)",
                [audit_panels.top_users(), audit_panels.audit_log()],
                collapsed=True,
            ),
        ],
        [dashboard_link("Extra headers: provider detail", PROVIDER_UID)],
    )


def _attempts() -> Panel:
    return stat(
        PanelOptions(
            title="Override and credential attempts",
            description=(
                f"Headers in the time range that would have replaced a credential or another header that the server "
                f"sends itself ({_DECISIONS}, reasons credential and override). All were blocked. Above zero: see "
                "which provider, then find the user in the audit log or by an exemplar's trace. The sparkline shows "
                "the same total at each earlier moment."
            ),
            unit="locale",
            empty=NO_METRICS,
            width=5,
            height=7,
            alert=AlertName.CREDENTIAL_OVERRIDE_ATTEMPT,
        ),
        Query(expr=increase(_DECISIONS, ATTEMPTS)),
        alarming_from=0.5,
    )


def _rejected() -> Panel:
    return stat(
        PanelOptions(
            title="Requests rejected",
            description=(
                f"Requests with extra headers in the time range that were answered with 400 or 403 "
                f"({contract.REQUESTS_TOTAL}, outcome rejected). If callers complain, see the share by outcome below."
            ),
            unit="locale",
            empty=NO_METRICS,
            width=4,
            height=7,
            alert=AlertName.REJECTING_CALLERS,
        ),
        Query(expr=increase(contract.REQUESTS_TOTAL, outcome(Outcome.REJECTED))),
    )


def _drifting() -> Panel:
    return stat(
        PanelOptions(
            title="Providers with policy drift",
            description=(
                f"Providers whose instances report more than one policy ({contract.POLICY_INFO}). Above zero for "
                "longer than a rolling update: compare the run configs of the instances in the policy table."
            ),
            unit="locale",
            empty=NO_METRICS,
            width=4,
            height=7,
            alert=AlertName.POLICY_DRIFT,
        ),
        Query(expr=policy_panels.drifting()),
        alarming_from=1,
    )


def _attempts_over_time() -> Panel:
    return timeseries(
        PanelOptions(
            title="Attempts by provider",
            description=(
                f"Headers per second with reason credential or override, by provider ({_DECISIONS}). Points are "
                "exemplars: each opens the trace of one request. A line opens the provider's detail."
            ),
            unit="cps",
            empty=NO_METRICS,
            width=11,
            height=7,
        ),
        Query(
            expr=per_second(_DECISIONS, ATTEMPTS, by=(_PROVIDER,)),
            legend=f"{{{{{_PROVIDER}}}}}",
            exemplars=True,
        ),
    )
