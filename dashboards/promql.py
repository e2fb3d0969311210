"""PromQL expressions of the panels, built from the telemetry's names: a panel cannot query what does not exist.

Strings only. Every selector carries the dashboard's variables, so that each panel follows the choice at its top.
"""

from typing import Final

from extra_headers.forwarding.policy.decision import ATTEMPT_REASONS, DecisionKind, Outcome
from extra_headers.telemetry import contract

CLUSTER: Final = "cluster"
NAMESPACE: Final = "namespace"
JOB: Final = "job"
INSTANCE: Final = "instance"
"""Labels that Prometheus adds to what it scrapes; the first two only where the scrape configuration has them."""

EVALUATION_BUCKET: Final = f"{contract.EVALUATION_SECONDS}_bucket"
EVALUATION_SUM: Final = f"{contract.EVALUATION_SECONDS}_sum"

DEPLOYMENT: Final = (CLUSTER, NAMESPACE, JOB)
"""Labels of one deployment; a label that does not exist is empty, which aggregations and joins treat alike."""

TARGET_LABELS: Final = (*DEPLOYMENT, INSTANCE)
_TARGET: Final = tuple(f'{label}=~"${label}"' for label in TARGET_LABELS)
_PROVIDER: Final = f'{contract.LABEL_PROVIDER}=~"${contract.LABEL_PROVIDER}"'

SERVER_REQUESTS: Final = (
    "ogx_requests_total",
    "llama_stack_requests_total",
    "litellm_proxy_total_requests_metric_total",
)
"""The hosts' own counters of requests. llama-stack exports its counter over OTLP only."""


def one_of(*values: str) -> str:
    """Return the pattern that matches exactly these label values."""
    return "|".join(values)


def decision(kind: DecisionKind) -> str:
    """Return the matcher of one kind of decision."""
    return f'{contract.LABEL_DECISION}="{kind.value}"'


def outcome(value: Outcome) -> str:
    """Return the matcher of one outcome."""
    return f'{contract.LABEL_OUTCOME}="{value.value}"'


BLOCKED: Final = decision(DecisionKind.BLOCKED)
MALFORMED: Final = decision(DecisionKind.MALFORMED)
NOT_FORWARDED: Final = f'{contract.LABEL_DECISION}!="{DecisionKind.FORWARDED.value}"'
OWN_ALERTS: Final = 'alertname=~"ExtraHeaders.*"'
ATTEMPTS: Final = f'{BLOCKED}, {contract.LABEL_REASON}=~"{one_of(*ATTEMPT_REASONS)}"'


def selector(metric: str, *matchers: str) -> str:
    """Return the selector of a metric within what the dashboard's variables choose."""
    return server_selector(metric, _PROVIDER, *matchers)


def server_selector(metric: str, *matchers: str) -> str:
    """Return the same of a metric that does not have the label provider."""
    return f"{metric}{{{', '.join((*_TARGET, *matchers))}}}"


def firing_alerts(*matchers: str) -> str:
    """Return the project's pending and firing alerts; an alert without a job or provider concerns every choice."""
    optional = (f'{label}=~"${label}|"' for label in (JOB, contract.LABEL_PROVIDER))
    cluster, namespace, *_ = _TARGET
    return f"ALERTS{{{', '.join((OWN_ALERTS, cluster, namespace, *optional, *matchers))}}}"


def server_requests() -> str:
    """Return the rate of all requests to the chosen servers, with or without extra headers."""
    # OGX counts model lists and health checks too, with the label `api`; the other hosts have no such label.
    counters = server_selector("", f'__name__=~"{one_of(*SERVER_REQUESTS)}"', 'api!~"inspect|models|unknown"')
    return f"sum(rate({counters}[$__rate_interval]))"


def per_second(metric: str, *matchers: str, by: tuple[str, ...] = (), offset: str = "") -> str:
    """Return the rate of a counter, added up."""
    return _added_up(by, _rate(metric, *matchers, offset=offset))


def increase(metric: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Return how much a counter grew in the dashboard's time range, added up."""
    return _added_up(by, f"increase({selector(metric, *matchers)}[$__range])")


# Prometheus stores a histogram as classic buckets or, by `convert_classic_histograms_to_nhcb`, as one native series.
# Each of these three asks for both; the form that does not exist is empty.


def evaluation_quantile(q: float) -> str:
    """Return a quantile of the evaluation time, in seconds."""
    classic, native = _added_up(("le",), _rate(EVALUATION_BUCKET)), _added_up((), _rate(contract.EVALUATION_SECONDS))
    return f"histogram_quantile({q}, {classic})\nor\nhistogram_quantile({q}, {native})"


def evaluation_buckets() -> str:
    """Return evaluations per second by bucket."""
    classic, native = _added_up(("le",), _rate(EVALUATION_BUCKET)), _added_up((), _rate(contract.EVALUATION_SECONDS))
    return f"{classic}\nor on ()\n{native}"


def evaluation_seconds(by: tuple[str, ...]) -> str:
    """Return the seconds per second that evaluations take."""
    native = f"histogram_sum({_rate(contract.EVALUATION_SECONDS)})"
    return f"{_added_up(by, _rate(EVALUATION_SUM))}\nor\n{_added_up(by, native)}"


def _rate(metric: str, *matchers: str, offset: str = "") -> str:
    shifted = f" offset {offset}" if offset else ""
    return f"rate({selector(metric, *matchers)}[$__rate_interval]{shifted})"


def _added_up(by: tuple[str, ...], vector: str) -> str:
    return f"sum by ({', '.join(by)}) ({vector})" if by else f"sum({vector})"
