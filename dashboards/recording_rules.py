"""Recording rules: what several alerts share, or a panel could not compute itself.

A name is `level:metric:operations`, as the Prometheus documentation recommends. The level leaves out the labels of
`group_by`, which an operator can change, but for the job.
"""

from typing import Final

from extra_headers.forwarding.policy.decision import ATTEMPT_REASONS, DecisionKind, Outcome
from extra_headers.forwarding.policy.identity import IdentityHeaderResult
from extra_headers.telemetry import contract

from .promql import INSTANCE, JOB, one_of, outcome
from .tuning import Tuning, duration

type Rule = dict[str, object]

_REASON, _DECISION = contract.LABEL_REASON, contract.LABEL_DECISION
_HEADER, _RESULT = contract.LABEL_HEADER, contract.LABEL_RESULT
_SEASONS: Final = 3

MISSING: Final = f'{_RESULT}!="{IdentityHeaderResult.SENT.value}"'
"""The matcher of identity headers that are missing on a request."""

BLOCKED_NAMES_FROM_ZERO = (
    f"{JOB}_{INSTANCE}_{contract.LABEL_PROVIDER}_{_REASON}_{_HEADER}:"
    f"{contract.BLOCKED_NAMES_TOTAL.removesuffix('_total')}:from_zero"
)
"""The counter of blocked names, with a zero before the first event of a series.

A name's series begins with its first event, which `increase()` cannot see; the one event that matters most would be
missing from the panel that answers "which header was it".
"""


def reason_increase(tuning: Tuning) -> str:
    """Return the name of the number of headers in the fast window, by provider, decision and reason."""
    return f"{_level(_DECISION, _REASON)}:extra_headers_decisions:increase{duration(tuning.window)}"


def name_increase(tuning: Tuning) -> str:
    """Return the name of the number of blocked headers in the fast window, by provider, reason and entry."""
    return f"{_level(_REASON, _HEADER)}:extra_headers_blocked_names:increase{duration(tuning.window)}"


def suspicious_increase(tuning: Tuning) -> str:
    """Return the name of the number of suspicious headers in the fast window, by provider and decision.

    Suspicious are blocked and malformed headers, without client noise, and without the attempts that have an alert.
    """
    return f"{_level(_DECISION)}:extra_headers_suspicious:increase{duration(tuning.window)}"


def suspicious_mean(tuning: Tuning) -> str:
    """Return the name of the mean of `suspicious_increase` in the slow window."""
    return f"{suspicious_increase(tuning)}_avg{duration(tuning.slow_window)}"


def suspicious_baseline(tuning: Tuning) -> str:
    """Return the name of the value of `suspicious_increase` that is usual at this time."""
    return f"{suspicious_increase(tuning)}_baseline"


def rejected_increase(window: int) -> str:
    """Return the name of the number of rejected requests in a window, by provider."""
    return f"{_level()}:extra_headers_rejected_requests:increase{duration(window)}"


def rejected_ratio(window: int) -> str:
    """Return the name of the share of rejected requests in a window, by provider."""
    return f"{_level()}:extra_headers_rejected_requests:ratio{duration(window)}"


def identity_ratio(tuning: Tuning) -> str:
    """Return the name of the share of requests without an identity header, by provider, header and result."""
    return f"{_level(_HEADER, _RESULT)}:extra_headers_identity_headers:ratio{duration(tuning.slow_window)}"


def select(tuning: Tuning, metric: str, *matchers: str) -> str:
    """Return the selector of a scraped metric with the operator's matchers."""
    both = ", ".join((*tuning.matchers, *matchers))
    return f"{metric}{{{both}}}" if both else metric


def labels(tuning: Tuning, *own: str) -> str:
    """Return the labels that an aggregation by provider keeps."""
    return ", ".join((*tuning.group_by, contract.LABEL_PROVIDER, *own))


def recording_rules(tuning: Tuning) -> list[Rule]:
    """Return the recording rules, each after those that it reads."""
    return [
        *_of_headers(tuning),
        *_of_rejections(tuning, tuning.window),
        *_of_rejections(tuning, tuning.slow_window),
        _of_identity_headers(tuning),
    ]


def _of_headers(tuning: Tuning) -> list[Rule]:
    window = duration(tuning.window)
    counter = select(tuning, contract.BLOCKED_NAMES_TOTAL)
    known = f"present_over_time({counter}[{duration(tuning.forget_series)}] offset {duration(tuning.new_series)})"
    decisions = select(tuning, contract.DECISIONS_TOTAL)
    not_counted = one_of(*tuning.noise_reasons, *ATTEMPT_REASONS)
    forwarded = DecisionKind.FORWARDED.value
    suspicious = f'{reason_increase(tuning)}{{{_DECISION}!="{forwarded}", {_REASON}!~"{not_counted}"}}'
    return [
        _rule(BLOCKED_NAMES_FROM_ZERO, f"({counter} and {known})\nor\n{counter} * 0"),
        _rule(
            name_increase(tuning),
            f"sum by ({labels(tuning, _REASON, _HEADER)}) (increase({BLOCKED_NAMES_FROM_ZERO}[{window}]))",
        ),
        _rule(
            reason_increase(tuning),
            f"sum by ({labels(tuning, _DECISION, _REASON)}) (increase({decisions}[{window}]))",
        ),
        _rule(suspicious_increase(tuning), f"sum by ({labels(tuning, _DECISION)}) ({suspicious})"),
        _rule(suspicious_mean(tuning), f"avg_over_time({suspicious_increase(tuning)}[{duration(tuning.slow_window)}])"),
        _rule(suspicious_baseline(tuning), _baseline(tuning)),
    ]


def _baseline(tuning: Tuning) -> str:
    """Return the greater of the median of the baseline, and the least of what this time of the last seasons had.

    An attack enters neither before it lasted half of the baseline, or three seasons. A nightly batch is in the second
    one. A series that did not exist a season ago has a baseline of 0.
    """
    series, season, window = suspicious_increase(tuning), tuning.season, duration(tuning.window)
    # A batch may start two windows earlier or later, and stays in the slow window for as long as that is.
    around, shift = duration(tuning.slow_window + 4 * tuning.window), 2 * tuning.window
    known = f"present_over_time({series}[{duration(_SEASONS * season)}] offset {duration(season)})"
    median = f"quantile_over_time(0.5, {series}[{duration(tuning.baseline)}] offset {window})"
    earlier = [
        f"label_replace(max_over_time({series}[{around}] offset {duration(days * season - shift)}) "
        f'or {series} * 0, "season", "{days}", "", "")'
        for days in range(1, _SEASONS + 1)
    ]
    by = labels(tuning, _DECISION)
    least = f"min by ({by}) (\n    {'\n    or '.join(earlier)}\n  )"
    return f'max by ({by}) (\n  ({median} and {known})\n  or label_replace({least}, "of", "season", "", "")\n)'


def _of_rejections(tuning: Tuning, window: int) -> list[Rule]:
    by, over = labels(tuning), duration(window)
    requests = select(tuning, contract.REQUESTS_TOTAL)
    rejected = select(tuning, contract.REQUESTS_TOTAL, outcome(Outcome.REJECTED))
    identity = select(tuning, contract.IDENTITY_HEADERS_TOTAL)
    # A request without extra headers is counted only if it is rejected for a missing identity. Where identity headers
    # are set, they are on each request: the greater of the two is the number of requests.
    everything = (
        f"max by ({by}) (\n"
        f"    sum by ({by}) (increase({requests}[{over}]))\n"
        f"    or sum by ({labels(tuning, _HEADER)}) (increase({identity}[{over}]))\n"
        f"  )"
    )
    return [
        _rule(rejected_increase(window), f"sum by ({by}) (increase({rejected}[{over}]))"),
        _rule(rejected_ratio(window), f"{rejected_increase(window)}\n  / ({everything} > 0)"),
    ]


def _of_identity_headers(tuning: Tuning) -> Rule:
    over, by = duration(tuning.slow_window), labels(tuning, _HEADER)
    results = f"sum by ({by}, {_RESULT}) (increase({select(tuning, contract.IDENTITY_HEADERS_TOTAL, MISSING)}[{over}]))"
    everything = f"sum by ({by}) (increase({select(tuning, contract.IDENTITY_HEADERS_TOTAL)}[{over}]))"
    return _rule(identity_ratio(tuning), f"{results}\n  / on ({by}) group_left () ({everything} > 0)")


def _rule(name: str, expr: str) -> Rule:
    return {"record": name, "expr": expr}


def _level(*own: str) -> str:
    return "_".join((JOB, contract.LABEL_PROVIDER, *own))
