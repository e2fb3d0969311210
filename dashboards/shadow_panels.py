"""The panels that compare a shadow policy with the live one, before it is enforced."""

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome
from extra_headers.telemetry import contract

from .panels import REASON_COLOURS, Column, Panel, PanelOptions, Query, stat, table, timeseries
from .promql import INSTANCE, JOB, decision, increase, per_minute, selector

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
                f"Requests in the time range that go on now, and would be answered with 400 or 403 under the shadow "
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
    reason = contract.LABEL_SHADOW_REASON
    return timeseries(
        PanelOptions(
            title="Headers that the shadow policy would stop",
            description=(
                f"Headers a minute that pass now, by the reason for which the shadow policy would stop them "
                f"({_DECISIONS}). Which ones they are stands in the span attribute "
                f"{contract.ATTR_SHADOW_STOPPED_NAMES}."
            ),
            unit="cpm",
            empty=_NO_SHADOW,
            width=16,
        ),
        Query(expr=f"{per_minute(_DECISIONS, *NEWLY_STOPPED, by=(reason,))} > 0", legend=f"{{{{{reason}}}}}"),
        stacked=True,
        colours=REASON_COLOURS,
    )


def _outcomes() -> Panel:
    live, would_be = contract.LABEL_OUTCOME, contract.LABEL_SHADOW_OUTCOME
    return timeseries(
        PanelOptions(
            title="Outcomes, live and under the shadow policy",
            description=(
                f"Requests a minute with extra headers, by outcome now and under the shadow policy ({_REQUESTS}). "
                "Anything that ends in rejected and does not begin with it: those callers first."
            ),
            unit="cpm",
            empty=_NO_SHADOW,
        ),
        Query(
            expr=f"{per_minute(_REQUESTS, by=(live, would_be))} > 0", legend=f"{{{{{live}}}}}, then {{{{{would_be}}}}}"
        ),
    )


def _policies() -> Panel:
    provider, policy = contract.LABEL_PROVIDER, contract.LABEL_POLICY
    candidates = f"count by ({JOB}, {provider}, {policy}) ({selector(contract.SHADOW_POLICY_INFO)})"
    different = "shadow policies of this provider"
    shown = (provider, INSTANCE, policy, "Value")
    return table(
        PanelOptions(
            title="Shadow policy by instance",
            description=(
                f"Digest of the policy that enforcing the shadow policy would give ({contract.SHADOW_POLICY_INFO}). "
                "After that, the table of policies shows the same digest. Red: the instances try different ones."
            ),
            unit="short",
            empty=_NO_SHADOW,
        ),
        Query(
            expr=(
                f"{selector(contract.SHADOW_POLICY_INFO)}\n"
                f"* on ({JOB}, {provider}) group_left ()\n"
                f"count by ({JOB}, {provider}) ({candidates})"
            )
        ),
        transformations=[
            (
                "organize",
                {
                    "excludeByName": dict.fromkeys(("Time", "__name__", JOB), True),
                    "indexByName": {name: index for index, name in enumerate(shown)},
                    "renameByName": {"Value": different},
                },
            )
        ],
        columns=[
            Column(name=different, thresholds=[(None, "green"), (2, "red")], texts={"1": "one: the same everywhere"})
        ],
    )
