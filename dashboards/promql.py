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

_VARIABLES: Final = tuple(f'{label}=~"${label}"' for label in (JOB, INSTANCE, contract.LABEL_PROVIDER))


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
ATTEMPTS: Final = f'{BLOCKED}, {contract.LABEL_REASON}=~"{one_of(*ATTEMPT_REASONS)}"'


def selector(metric: str, *matchers: str) -> str:
    """Return the selector of a metric within what the dashboard's variables choose."""
    return f"{metric}{{{', '.join((*_VARIABLES, *matchers))}}}"


def per_second(metric: str, *matchers: str, by: tuple[str, ...] = (), offset: str = "") -> str:
    """Return the rate of a counter, added up."""
    shifted = f" offset {offset}" if offset else ""
    return _added_up(by, f"rate({selector(metric, *matchers)}[$__rate_interval]{shifted})")


def per_minute(metric: str, *matchers: str, by: tuple[str, ...] = (), offset: str = "") -> str:
    """Return the rate of a counter per minute, added up: a rate per second of rare events is unreadable."""
    return f"60 * {per_second(metric, *matchers, by=by, offset=offset)}"


def increase(metric: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Return how much a counter grew in the dashboard's time range, added up."""
    return _added_up(by, f"increase({selector(metric, *matchers)}[$__range])")


def seen_in_range(label: str, metric: str, *matchers: str) -> str:
    """Return the filter that keeps the series whose label value occurred in the dashboard's time range at all."""
    counted = f"sum by ({label}) (increase({selector(metric, *matchers)}[$__range] @ end()))"
    return f"and on ({label}) {counted} > 0"


def quantile(q: float, by: tuple[str, ...] = ()) -> str:
    """Return a quantile of the evaluation time, in seconds."""
    return f"histogram_quantile({q}, {per_second(EVALUATION_BUCKET, by=(*by, 'le'))})"


def _added_up(by: tuple[str, ...], vector: str) -> str:
    return f"sum by ({', '.join(by)}) ({vector})" if by else f"sum({vector})"
