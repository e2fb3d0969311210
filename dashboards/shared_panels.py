"""Panels that stand on both dashboards."""

from typing import Final

from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Outcome
from extra_headers.telemetry import contract

from .panels import (
    ATTEMPT_COLOURS,
    DECISION_COLOURS,
    OUTCOME_COLOURS,
    REASON_COLOURS,
    Column,
    Panel,
    PanelOptions,
    Query,
    table,
    timeseries,
)
from .promql import (
    EVALUATION_SUM,
    INSTANCE,
    JOB,
    decision,
    increase,
    per_minute,
    per_second,
    quantile,
    seen_in_range,
    selector,
)
from .recording_rules import BLOCKED_NAMES_FROM_ZERO

_NO_METRICS: Final = "No metrics in this range: is the server scraped?"
_PROVIDER = contract.LABEL_PROVIDER
_REASON = contract.LABEL_REASON
_HEADER = contract.LABEL_HEADER


def decisions_over_time() -> Panel:
    """Return decisions by kind."""
    kind = contract.LABEL_DECISION
    return timeseries(
        PanelOptions(
            title="Decisions",
            description=(
                f"Extra headers a minute by decision ({contract.DECISIONS_TOTAL}). Forwarded falling while blocked or "
                "malformed rises: a policy or a client changed at that moment."
            ),
            unit="cpm",
            empty=_NO_METRICS,
        ),
        Query(expr=per_minute(contract.DECISIONS_TOTAL, by=(kind,)), legend=f"{{{{{kind}}}}}"),
        stacked=True,
        colours=DECISION_COLOURS,
    )


def stopped_by_reason(kind: DecisionKind, width: int = 12) -> Panel:
    """Return blocked or malformed headers by reason; only reasons that occur, as there are many."""
    matcher = decision(kind)
    return timeseries(
        PanelOptions(
            title=f"{kind.value.capitalize()} headers by reason",
            description=(
                f"Headers a minute by reason ({contract.DECISIONS_TOTAL}, {matcher}). Points are exemplars: open the "
                "trace of one to see its caller. The runbooks say what each reason asks for."
            ),
            unit="cpm",
            empty="None in this range.",
            width=width,
        ),
        Query(
            expr=(
                f"{per_minute(contract.DECISIONS_TOTAL, matcher, by=(_REASON,))}\n"
                f"{seen_in_range(_REASON, contract.DECISIONS_TOTAL, matcher)}"
            ),
            legend=f"{{{{{_REASON}}}}}",
            exemplars=True,
        ),
        stacked=True,
        colours={reason.value: REASON_COLOURS[reason.value] for reason in REASONS[kind]},
    )


def top_blocked_names() -> Panel:
    """Return the names that were blocked most, with their reasons."""
    by = (_HEADER, _REASON)
    counted = increase(BLOCKED_NAMES_FROM_ZERO, by=by)
    # Where the recording rules are not installed, the counter itself, which lacks the first event of each series.
    return table(
        PanelOptions(
            title="Top blocked names",
            description=(
                "The ten names blocked most in the time range, by the policy's entry "
                f"({contract.BLOCKED_NAMES_TOTAL}); "
                f"{contract.OTHER_HEADER} is a name that no entry holds. Credentials here mean a misconfigured client "
                "or an attack; a name that callers need can be unblocked, if the policy allows it."
            ),
            unit="locale",
            empty="No header was blocked by name in this range.",
            height=12,
        ),
        Query(expr=f"topk(10, {counted} or {increase(contract.BLOCKED_NAMES_TOTAL, by=by)})"),
        transformations=[
            (
                "organize",
                {
                    "excludeByName": {"Time": True},
                    "indexByName": {_HEADER: 0, _REASON: 1, "Value": 2},
                    "renameByName": {"Value": "times"},
                },
            )
        ],
        columns=[Column(name=_REASON, colours=ATTEMPT_COLOURS)],
        sort_by="times",
    )


def stopped_requests() -> Panel:
    """Return the share of requests that were filtered or rejected."""
    result = contract.LABEL_OUTCOME
    stopped = f'{result}=~"{Outcome.FILTERED}|{Outcome.REJECTED}"'
    return timeseries(
        PanelOptions(
            title="Requests filtered or rejected",
            description=(
                f"Share of the requests with extra headers that lost some of them (filtered) or were refused "
                f"(rejected) ({contract.REQUESTS_TOTAL}). A high share that begins with a change of the policy breaks "
                "callers: loosen it, or set on_blocked or on_malformed to drop while they adapt."
            ),
            unit="percentunit",
            empty="No request carried extra headers in this range.",
        ),
        Query(
            expr=(
                f"{per_second(contract.REQUESTS_TOTAL, stopped, by=(result,))}\n"
                f"/ ignoring ({result}) group_left ()\n"
                f"{per_second(contract.REQUESTS_TOTAL)}"
            ),
            legend=f"{{{{{result}}}}}",
        ),
        most=1,
        colours=OUTCOME_COLOURS,
    )


def policies() -> Panel:
    """Return the policy of each provider on each instance, with drift highlighted."""
    per_policy = f"count by ({JOB}, {_PROVIDER}, {contract.LABEL_POLICY}) ({selector(contract.POLICY_INFO)})"
    drift = "policies of this provider"
    shown = (_PROVIDER, INSTANCE, contract.LABEL_POLICY, contract.LABEL_ON_BLOCKED, contract.LABEL_ON_MALFORMED)
    hidden = ("Time", "__name__", JOB, contract.LABEL_PROVIDER_TYPE)
    return table(
        PanelOptions(
            title="Policy by instance",
            description=(
                f"Digest of the policy in force, by provider and instance ({contract.POLICY_INFO}). Red: the instances "
                "of a provider disagree. After a rolling update that is a replica with an old run config: restart it."
            ),
            unit="short",
            empty=_NO_METRICS,
            width=24,
            height=9,
        ),
        Query(
            expr=(
                f"{selector(contract.POLICY_INFO)}\n"
                f"* on ({JOB}, {_PROVIDER}) group_left ()\n"
                f"count by ({JOB}, {_PROVIDER}) ({per_policy})"
            )
        ),
        transformations=[
            (
                "organize",
                {
                    "excludeByName": dict.fromkeys(hidden, True),
                    "indexByName": {name: index for index, name in enumerate((*shown, "Value"))},
                    "renameByName": {"Value": drift},
                },
            )
        ],
        columns=[Column(name=drift, thresholds=[(None, "green"), (2, "red")], texts={"1": "one: the same everywhere"})],
        sort_by=drift,
    )


def evaluation_time() -> Panel:
    """Return the median and the tail of the time that deciding takes."""
    return timeseries(
        PanelOptions(
            title="Evaluation time",
            description=(
                "Time to decide the extra headers of one request, added to its latency "
                f"({contract.EVALUATION_SECONDS}). "
                "Microseconds are normal; a p99 of milliseconds means that the machine is out of CPU."
            ),
            unit="s",
            empty="No request carried extra headers in this range.",
        ),
        Query(expr=quantile(0.5), legend="p50"),
        Query(expr=quantile(0.99), legend="p99"),
    )


def time_spent() -> Panel:
    """Return the share of a CPU core that evaluations use."""
    return timeseries(
        PanelOptions(
            title="Time spent on evaluations",
            description=(
                f"Share of one CPU core spent on deciding, by provider ({EVALUATION_SUM}). Above a percent: lower "
                "limits.max_headers in the policy."
            ),
            unit="percentunit",
            empty="No request carried extra headers in this range.",
        ),
        Query(expr=per_second(EVALUATION_SUM, by=(_PROVIDER,)), legend=f"{{{{{_PROVIDER}}}}}"),
    )
