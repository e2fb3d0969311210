"""The panels that compare a shadow policy with the live one, before it is enforced."""

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from .panels import GROUP_COLOURS, Panel, PanelOptions, Query, stat, timeseries
from .policy_panels import policy_table
from .promql import decision, increase, per_second
from .shared_panels import group_queries

_NO_SHADOW = "No shadow policy on this provider."
_DECISIONS = contract.SHADOW_DECISIONS_TOTAL
_REQUESTS = contract.SHADOW_REQUESTS_TOTAL
_FORWARDED = DecisionKind.FORWARDED
_REJECTED = Outcome.REJECTED

NEWLY_REJECTED = (f'{contract.LABEL_OUTCOME}!="{_REJECTED}"', f'{contract.LABEL_SHADOW_OUTCOME}="{_REJECTED}"')
"""Matchers of the requests that only the shadow policy would reject."""
NEWLY_STOPPED = (decision(_FORWARDED), f'{contract.LABEL_SHADOW_DECISION}!="{_FORWARDED}"')
"""Matchers of the headers that only the shadow policy would stop."""


def panels() -> list[Panel]:
    """Return the panels of the row."""
    return [_differing(), _newly_rejected(), _newly_stopped(), _outcomes(), _policies()]


def _differing() -> Panel:
    by_kind = [
        increase(_DECISIONS, decision(kind), f'{contract.LABEL_SHADOW_DECISION}!="{kind.value}"')
        for kind in DecisionKind
    ]
    return stat(
        PanelOptions(
            title="Headers decided differently",
            description=(
                f"Headers in the time range with another decision under the shadow policy ({_DECISIONS}). Zero over a "
                "time that has seen every kind of caller: enforcing it changes nothing for them."
            ),
            unit="locale",
            empty=_NO_SHADOW,
            width=4,
        ),
        Query(expr="\n+ ".join(by_kind)),
        alarming_from=0.5,
    )


def _newly_rejected() -> Panel:
    return stat(
        PanelOptions(
            title="Requests newly rejected",
            description=(
                f"Requests in the time range that are sent now, and would be answered with 400 or 403 under the shadow "
                f"policy ({_REQUESTS}). Above zero: enforcing it breaks these callers; find them by the span attribute "
                f"{contract.ATTR_SHADOW_OUTCOME}."
            ),
            unit="locale",
            empty=_NO_SHADOW,
            width=4,
        ),
        Query(expr=increase(_REQUESTS, *NEWLY_REJECTED)),
        alarming_from=0.5,
    )


def _newly_stopped() -> Panel:
    return timeseries(
        PanelOptions(
            title="Headers that the shadow policy would stop",
            description=(
                f"Headers per second that pass now, by the kind of reason for which the shadow policy would stop them "
                f"({_DECISIONS}). The span attribute {contract.ATTR_SHADOW_STOPPED_NAMES} has their names."
            ),
            unit="cps",
            empty=_NO_SHADOW,
            width=16,
        ),
        *group_queries(_DECISIONS, *NEWLY_STOPPED, label=contract.LABEL_SHADOW_REASON),
        stacked=True,
        colours=GROUP_COLOURS,
    )


def _outcomes() -> Panel:
    live, would_be = contract.LABEL_OUTCOME, contract.LABEL_SHADOW_OUTCOME
    return timeseries(
        PanelOptions(
            title="Outcomes, live and under the shadow policy",
            description=(
                f"Requests per second with extra headers, by outcome now and under the shadow policy ({_REQUESTS}). "
                "Look first at those that end in rejected and do not begin with it."
            ),
            unit="reqps",
            empty=_NO_SHADOW,
            width=8,
        ),
        Query(expr=f"{per_second(_REQUESTS, by=(live, would_be))} > 0", legend=f"{{{{{live}}}}} → {{{{{would_be}}}}}"),
    )


def _policies() -> Panel:
    return policy_table(
        PanelOptions(
            title="Shadow policy by instance",
            description=(
                f"Digest of the policy that enforcing the shadow policy would give ({contract.SHADOW_POLICY_INFO}). "
                "After that, the table of policies shows the same digest. Red: the instances try different ones."
            ),
            unit="short",
            empty=_NO_SHADOW,
            width=16,
        ),
        contract.SHADOW_POLICY_INFO,
        "digests",
    )
