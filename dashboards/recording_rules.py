"""Recording rules: what several alerts share, or a panel could not compute itself.

Named `level:metric:operation`, as the Prometheus documentation recommends.
"""

from extra_headers.telemetry import contract

from .promql import INSTANCE, JOB
from .tuning import Tuning, duration

type Rule = dict[str, object]

BLOCKED_NAMES_FROM_ZERO = (
    f"{JOB}_{INSTANCE}_{contract.LABEL_PROVIDER}_{contract.LABEL_REASON}_{contract.LABEL_HEADER}:"
    f"{contract.BLOCKED_NAMES_TOTAL.removesuffix('_total')}:from_zero"
)
"""The counter of blocked names, with a zero before the first event of a series.

A name's series begins with its first event, which `increase()` cannot see; the one event that matters most would be
missing from the panel that answers "which header was it".
"""

RECORDED = {BLOCKED_NAMES_FROM_ZERO: contract.METRICS[contract.BLOCKED_NAMES_TOTAL].labels}
"""Recorded series that panels query, with their labels beside job and instance."""


def window_increase(tuning: Tuning) -> str:
    """Return the name of the series that counts decisions in a window, by job, provider and decision."""
    metric = contract.DECISIONS_TOTAL.removesuffix("_total")
    return f"{JOB}_{contract.LABEL_PROVIDER}_{contract.LABEL_DECISION}:{metric}:increase{duration(tuning.window)}"


def baseline(tuning: Tuning) -> str:
    """Return the name of the mean of `window_increase` over the baseline."""
    return f"{window_increase(tuning)}_avg{duration(tuning.baseline)}"


def recording_rules(tuning: Tuning) -> list[Rule]:
    """Return the recording rules."""
    counter = contract.BLOCKED_NAMES_TOTAL
    known = f"present_over_time({counter}[{duration(tuning.forget_series)}] offset {duration(tuning.new_series)})"
    by = f"{JOB}, {contract.LABEL_PROVIDER}, {contract.LABEL_DECISION}"
    window = duration(tuning.window)
    return [
        {
            "record": window_increase(tuning),
            "expr": f"sum by ({by}) (increase({contract.DECISIONS_TOTAL}[{window}]))",
        },
        {
            "record": baseline(tuning),
            "expr": f"avg_over_time({window_increase(tuning)}[{duration(tuning.baseline)}] offset {window})",
        },
        {
            "record": BLOCKED_NAMES_FROM_ZERO,
            "expr": f"({counter} and {known})\nor\n{counter} * 0",
        },
    ]
