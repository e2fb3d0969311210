"""The dashboard "Extra headers: overview": an operator's questions, in the order in which they are asked."""

from typing import Final

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from . import shared_panels
from .dashboard import assemble
from .panels import ATTEMPT_COLOURS, Column, Panel, PanelOptions, Query, stat, table, timeseries
from .promql import ATTEMPTS, BLOCKED, JOB, NOT_FORWARDED, increase, outcome, per_minute, selector
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
        {
            "Is anyone trying to override credentials?": [_attempts(), _rejected(), _drifting(), _attempts_over_time()],
            "Did the rate of blocked headers change?": [
                shared_panels.decisions_over_time(),
                _blocked_by_provider(),
                shared_panels.stopped_by_reason(DecisionKind.BLOCKED, width=24),
                shared_panels.top_blocked_names(),
                _provider_by_reason(),
            ],
            "Are legitimate callers being broken by the policy?": [
                shared_panels.stopped_requests(),
                shared_panels.stopped_by_reason(DecisionKind.MALFORMED),
            ],
            "Is the same policy in force on every replica?": [shared_panels.policies()],
            "What does the add-on cost?": [shared_panels.evaluation_time(), shared_panels.time_spent()],
        },
        [dashboard_link("Extra headers: provider detail", PROVIDER_UID)],
    )


def _attempts() -> Panel:
    return stat(
        PanelOptions(
            title="Override and credential attempts",
            description=(
                f"Headers in the time range that would have replaced a credential or another header that the server "
                f"sends itself ({_DECISIONS}, reasons credential and override). All were blocked. Above zero: see "
                "which provider, then find the caller in the audit log or by an exemplar's trace."
            ),
            unit="locale",
            empty="No metrics in this range: is the server scraped?",
            width=5,
            height=7,
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
            empty="No metrics in this range: is the server scraped?",
            width=4,
            height=7,
        ),
        Query(expr=increase(contract.REQUESTS_TOTAL, outcome(Outcome.REJECTED))),
    )


def _drifting() -> Panel:
    policies = f"count by ({JOB}, {_PROVIDER}, {contract.LABEL_POLICY}) ({selector(contract.POLICY_INFO)})"
    return stat(
        PanelOptions(
            title="Providers with policy drift",
            description=(
                f"Providers whose instances report more than one policy ({contract.POLICY_INFO}). Above zero for "
                "longer than a rolling update: compare the run configs of the instances in the policy table."
            ),
            unit="locale",
            empty="No metrics in this range: is the server scraped?",
            width=4,
            height=7,
        ),
        Query(expr=f"sum(count by ({JOB}, {_PROVIDER}) ({policies}) > bool 1)"),
        alarming_from=1,
    )


def _attempts_over_time() -> Panel:
    return timeseries(
        PanelOptions(
            title="Attempts by provider",
            description=(
                f"Headers a minute with reason credential or override, by provider ({_DECISIONS}). Points are "
                "exemplars: open the trace of one to see its caller. A line opens the provider's detail."
            ),
            unit="cpm",
            empty="No metrics in this range: is the server scraped?",
            width=11,
            height=7,
        ),
        Query(
            expr=per_minute(_DECISIONS, ATTEMPTS, by=(_PROVIDER,)),
            legend=f"{{{{{_PROVIDER}}}}}",
            exemplars=True,
        ),
    )


def _blocked_by_provider() -> Panel:
    return timeseries(
        PanelOptions(
            title="Blocked headers by provider, and a day before",
            description=(
                f"Blocked headers a minute by provider ({_DECISIONS}); dashed: all of them at the same time the day "
                "before. A step without a deployment is a caller who changed: see the reasons and names."
            ),
            unit="cpm",
            empty="No metrics in this range: is the server scraped?",
        ),
        Query(expr=per_minute(_DECISIONS, BLOCKED, by=(_PROVIDER,)), legend=f"{{{{{_PROVIDER}}}}}", exemplars=True),
        Query(expr=per_minute(_DECISIONS, BLOCKED, offset="1d"), legend="all, a day before", dashed=True),
    )


def _provider_by_reason() -> Panel:
    reason = contract.LABEL_REASON
    return table(
        PanelOptions(
            title="Reasons by provider",
            description=(
                f"Headers that were not forwarded in the time range, by reason and provider ({_DECISIONS}). One "
                "provider that stands out has a policy or a client of its own; all of them at once is a new client."
            ),
            unit="locale",
            empty="Nothing was blocked or malformed in this range.",
            height=12,
        ),
        Query(expr=f"{increase(_DECISIONS, NOT_FORWARDED, by=(_PROVIDER, reason))} > 0"),
        transformations=[
            (
                "groupingToMatrix",
                {"columnField": _PROVIDER, "rowField": reason, "valueField": "Value", "emptyValue": "zero"},
            ),
            ("organize", {"renameByName": {f"{reason}\\{_PROVIDER}": reason}}),
        ],
        columns=[Column(name=reason, colours=ATTEMPT_COLOURS)],
    )
