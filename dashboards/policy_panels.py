"""Panels about the policies of the replicas, and about what deciding costs."""

from typing import Final

from extra_headers.telemetry import contract

from .panels import NO_METRICS, NO_REQUESTS, Panel, PanelOptions, Query, heatmap, timeseries
from .promql import (
    DEPLOYMENT,
    EVALUATION_SUM,
    INSTANCE,
    evaluation_buckets,
    evaluation_quantile,
    evaluation_seconds,
    selector,
    server_selector,
)
from .tables import Column, organize, table
from .tuning import AlertName
from .variables import cell_link

_PROVIDER: Final = contract.LABEL_PROVIDER


def policies() -> Panel:
    """Return the policy of each provider on each instance, with drift highlighted."""
    return policy_table(
        PanelOptions(
            title="Policy by instance",
            description=(
                f"Digest of the active policy by provider and instance ({contract.POLICY_INFO}), and the release of "
                f"the add-on ({contract.BUILD_INFO}). Red: the instances of a provider disagree. After a rolling "
                "update that is a replica with an old run config: restart it."
            ),
            unit="short",
            empty=NO_METRICS,
            width=24,
            height=9,
            alert=AlertName.POLICY_DRIFT,
        ),
        contract.POLICY_INFO,
        "digests",
        (contract.LABEL_ON_BLOCKED, contract.LABEL_ON_MALFORMED, contract.LABEL_VERSION),
        versions=True,
    )


def policy_table(
    options: PanelOptions, metric: str, count: str, settings: tuple[str, ...] = (), *, versions: bool = False
) -> Panel:
    """Return a table of the policies that a gauge reports; the column `count` is red where instances disagree."""
    provider = ", ".join((*DEPLOYMENT, _PROVIDER))
    shown = (_PROVIDER, *DEPLOYMENT, INSTANCE, contract.LABEL_POLICY, *settings, "Value")
    policies = f"count by ({provider}, {contract.LABEL_POLICY}) ({selector(metric)})"
    expr = f"{selector(metric)}\n* on ({provider}) group_left ()\ncount by ({provider}) ({policies})"
    if versions:
        of_instance = ", ".join((*DEPLOYMENT, INSTANCE))
        build = server_selector(contract.BUILD_INFO)
        expr += f"\n* on ({of_instance}) group_left ({contract.LABEL_VERSION})\n{build}"
    return table(
        options,
        Query(expr=expr),
        organize(shown, hidden=(contract.LABEL_PROVIDER_TYPE,), Value=count),
        columns=[
            Column(name=count, thresholds=[(None, "green"), (2, "red")], texts={"1": "the same everywhere"}, width=180),
            *(Column(name=label, link=cell_link(label)) for label in (_PROVIDER, INSTANCE)),
        ],
        sort_by=count,
    )


def drifting() -> str:
    """Return the number of providers whose instances report more than one policy."""
    provider = ", ".join((*DEPLOYMENT, _PROVIDER))
    policies = f"count by ({provider}, {contract.LABEL_POLICY}) ({selector(contract.POLICY_INFO)})"
    return f"sum(count by ({provider}) ({policies}) > bool 1)"


def evaluation_times(width: int) -> Panel:
    """Return the distribution of the time that deciding takes."""
    return heatmap(
        PanelOptions(
            title="Evaluation time, every request",
            description=(
                "Evaluations per second by the time that they took, which is added to the request's latency "
                f"({contract.EVALUATION_SECONDS}). Microseconds are normal."
            ),
            unit="s",
            empty=NO_REQUESTS,
            width=width,
        ),
        Query(expr=evaluation_buckets(), legend="{{le}}"),
    )


def evaluation_tail(width: int) -> Panel:
    """Return the median and the tail of the time that deciding takes."""
    return timeseries(
        PanelOptions(
            title="Evaluation time, median and tail",
            description=(
                f"Time to decide the extra headers of one request ({contract.EVALUATION_SECONDS}). A p99 of "
                "milliseconds means that the machine is out of CPU."
            ),
            unit="s",
            empty=NO_REQUESTS,
            width=width,
        ),
        Query(expr=evaluation_quantile(0.5), legend="p50"),
        Query(expr=evaluation_quantile(0.99), legend="p99"),
    )


def time_spent(width: int) -> Panel:
    """Return the share of a CPU core that evaluations use."""
    return timeseries(
        PanelOptions(
            title="CPU used by evaluations",
            description=(
                f"Share of one CPU core that deciding takes, by provider ({EVALUATION_SUM}). Above one percent: lower "
                "limits.max_headers in the policy."
            ),
            unit="percentunit",
            empty=NO_REQUESTS,
            width=width,
        ),
        Query(expr=evaluation_seconds((_PROVIDER,)), legend=f"{{{{{_PROVIDER}}}}}"),
    )
