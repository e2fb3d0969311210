"""The dashboard "Extra headers: provider detail": what happens on one provider, or on a few, down to the replica."""

from typing import Final

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from . import shadow_panels, shared_panels
from .dashboard import assemble
from .panels import OUTCOME_COLOURS, Panel, PanelOptions, Query, stat, timeseries
from .promql import ATTEMPTS, BLOCKED, INSTANCE, MALFORMED, increase, outcome, per_minute
from .recording_rules import BLOCKED_NAMES_FROM_ZERO
from .variables import OVERVIEW_UID, PROVIDER_UID, dashboard_link

TITLE: Final = "Extra headers: provider detail"

_NO_METRICS = "No metrics of this provider: does it have extra_headers switched on?"


def provider() -> str:
    """Return the dashboard's JSON."""
    return assemble(
        PROVIDER_UID,
        TITLE,
        "Decisions, names, outcomes, policy and cost on the chosen providers.",
        {
            "What happens to the extra headers of this provider?": [
                _headers("Override and credential attempts", ATTEMPTS, alarming=True),
                _headers("Blocked headers", BLOCKED),
                _headers("Malformed headers", MALFORMED),
                _requests("Requests with extra headers"),
                _requests("Requests rejected", Outcome.REJECTED),
            ],
            "What is stopped, and why?": [
                shared_panels.decisions_over_time(),
                shared_panels.stopped_by_reason(DecisionKind.BLOCKED),
                _blocked_names(),
                shared_panels.top_blocked_names(),
                shared_panels.stopped_by_reason(DecisionKind.MALFORMED),
                _blocked_by_instance(),
            ],
            "What becomes of the requests?": [_outcomes(), shared_panels.stopped_requests()],
            "What would the shadow policy change?": shadow_panels.panels(),
            "Does the provider learn who calls?": [_identity_headers()],
            "Which policy decides, and what does it cost?": [
                shared_panels.policies(),
                shared_panels.evaluation_time(),
                shared_panels.time_spent(),
            ],
        },
        [dashboard_link("Extra headers: overview", OVERVIEW_UID)],
    )


def _headers(title: str, matchers: str, *, alarming: bool = False) -> Panel:
    advice = (
        "All were blocked. Above zero: find the caller by an exemplar's trace."
        if alarming
        else "The panels below say why."
    )
    return stat(
        PanelOptions(
            title=title,
            description=f"Headers in the time range ({contract.DECISIONS_TOTAL}, {matchers}). {advice}",
            unit="locale",
            empty=_NO_METRICS,
            width=5 if alarming else 4,
            height=4,
        ),
        Query(expr=increase(contract.DECISIONS_TOTAL, matchers)),
        alarming_from=0.5 if alarming else None,
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
            width=6 if result is None else 5,
            height=4,
        ),
        Query(expr=increase(contract.REQUESTS_TOTAL, *matchers)),
    )


def _blocked_names() -> Panel:
    header = contract.LABEL_HEADER
    return timeseries(
        PanelOptions(
            title="Blocked headers by name",
            description=(
                f"Blocked headers a minute by the policy's entry that blocked them ({contract.BLOCKED_NAMES_TOTAL}, "
                "with "
                f"a zero before a series' first event). {contract.OTHER_HEADER} is a name that no entry holds. A name "
                "that callers need: unblock it, or rename it in the client."
            ),
            unit="cpm",
            empty="No header was blocked by name in this range.",
            height=12,
        ),
        Query(
            expr=(
                f"{per_minute(BLOCKED_NAMES_FROM_ZERO, by=(header,))}\n"
                f"or\n{per_minute(contract.BLOCKED_NAMES_TOTAL, by=(header,))}"
            ),
            legend=f"{{{{{header}}}}}",
        ),
        stacked=True,
    )


def _blocked_by_instance() -> Panel:
    return timeseries(
        PanelOptions(
            title="Blocked headers by instance",
            description=(
                f"Blocked headers a minute by replica ({contract.DECISIONS_TOTAL}). Uneven lines: another policy on "
                "one replica, or a caller that is pinned to it."
            ),
            unit="cpm",
            empty=_NO_METRICS,
        ),
        Query(expr=per_minute(contract.DECISIONS_TOTAL, BLOCKED, by=(INSTANCE,)), legend=f"{{{{{INSTANCE}}}}}"),
    )


def _outcomes() -> Panel:
    result = contract.LABEL_OUTCOME
    return timeseries(
        PanelOptions(
            title="Requests by outcome",
            description=(
                f"Requests a minute with extra headers ({contract.REQUESTS_TOTAL}): clean go on whole, filtered "
                "without "
                "what was stopped, rejected not at all. Rejected ones rise with a new client: ask its owner first."
            ),
            unit="cpm",
            empty=_NO_METRICS,
        ),
        Query(expr=per_minute(contract.REQUESTS_TOTAL, by=(result,)), legend=f"{{{{{result}}}}}"),
        stacked=True,
        colours=OUTCOME_COLOURS,
    )


def _identity_headers() -> Panel:
    header, result = contract.LABEL_HEADER, contract.LABEL_RESULT
    return timeseries(
        PanelOptions(
            title="Identity headers",
            description=(
                "Headers a minute that the policy sets from the authenticated caller "
                f"({contract.IDENTITY_HEADERS_TOTAL}), by "
                "what becomes of them. Rejected or omitted: callers without such a value; see whom in the audit log or "
                "by a trace, and what the server's auth provider says of them."
            ),
            unit="cpm",
            empty="The policy of this provider sets no header.",
            width=24,
        ),
        Query(
            expr=per_minute(contract.IDENTITY_HEADERS_TOTAL, by=(header, result)),
            legend=f"{{{{{header}}}}} {{{{{result}}}}}",
        ),
    )
