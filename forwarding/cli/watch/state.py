"""What is known after each round of readings, and what of it is to be shown. Pure: no I/O, no clock.

Times are seconds since the watch began.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from extra_headers.telemetry import contract

from ...policy.decision import ATTEMPT_REASONS, DecisionKind
from .samples import Policy, Series, Snapshot

_HISTORY = 40


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of asking one endpoint."""

    seconds: float
    snapshot: Snapshot | None
    failure: str = ""
    """Why there is no snapshot."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: its last numbers, and how they changed."""

    url: str
    snapshot: Snapshot | None = None
    """The last one that was read; kept while the endpoint does not answer."""
    read_at: float = 0.0
    failure: str = ""
    failed_since: float = 0.0
    increases: Mapping[Series, float] = field(default_factory=dict)
    """By how much each counter grew at the last reading; empty where that failed."""
    rates: Mapping[Series, float] | None = None
    """The same per second; None where there are no two readings to tell."""
    grown: Mapping[Series, float] = field(default_factory=dict)
    """By how much each counter grew since the first reading, over restarts of the server."""

    def after(self, reading: Reading) -> Self:
        """Return the endpoint after one more reading."""
        if reading.snapshot is None:
            since = self.failed_since if self.failure else reading.seconds
            return replace(self, failure=reading.failure, failed_since=since, increases={}, rates=None)
        read = replace(self, snapshot=reading.snapshot, read_at=reading.seconds, failure="", increases={}, rates=None)
        elapsed = reading.seconds - self.read_at
        if self.snapshot is None or elapsed <= 0:
            return read
        increases = _increases(self.snapshot.counters, reading.snapshot.counters)
        rates = {series: increase / elapsed for series, increase in increases.items()}
        return replace(read, increases=increases, rates=rates, grown=_sum([self.grown, increases]))


@dataclass(frozen=True, slots=True)
class Override:
    """Attempts that were seen at one reading of one endpoint, on one provider."""

    seconds: float
    provider: str
    headers: tuple[tuple[str, str], ...]
    """The entries of the policy that blocked, each with its reason."""
    count: int


@dataclass(frozen=True, slots=True)
class Row:
    """One counter, added up over the endpoints."""

    series: Series
    per_second: float | None
    grown: float
    total: float


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy, and how many endpoints report it."""

    policy: Policy
    endpoints: int
    of: int
    """How many endpoints report this provider."""

    @property
    def drift(self) -> bool:
        """Whether other endpoints report another policy for the provider."""
        return self.endpoints < self.of


@dataclass(frozen=True, slots=True)
class Watch:
    """All endpoints after some rounds of readings."""

    endpoints: tuple[Endpoint, ...]
    override: Override | None = None
    """The last attempt that was seen."""
    history: tuple[Mapping[str, float], ...] = ()
    """Decisions per second by kind, of the last rounds."""

    def after(self, readings: Sequence[Reading]) -> Self:
        """Return what is known after one reading of each endpoint, in their order."""
        endpoints = tuple(e.after(reading) for e, reading in zip(self.endpoints, readings, strict=True))
        seen = [attempt for endpoint in endpoints for attempt in _attempts(endpoint)]
        override = max([*seen, *([self.override] if self.override else [])], key=lambda o: o.seconds, default=None)
        history = self.history
        if any(endpoint.rates is not None for endpoint in endpoints):
            history = (*history, _by_kind(_sum(endpoint.rates or {} for endpoint in endpoints)))[-_HISTORY:]
        return replace(self, endpoints=endpoints, override=override, history=history)

    @property
    def has_numbers(self) -> bool:
        """Whether any endpoint was ever read."""
        return any(endpoint.snapshot for endpoint in self.endpoints)

    def rows(self, metric: str) -> list[Row]:
        """Return the counters of a metric that are not zero, those first that grew most since the watch began."""
        rates = [endpoint.rates for endpoint in self.endpoints if endpoint.rates is not None]
        per_second, grown = _sum(rates), _sum(endpoint.grown for endpoint in self.endpoints)
        totals = _sum(endpoint.snapshot.counters for endpoint in self.endpoints if endpoint.snapshot)
        rows = [
            Row(series, per_second.get(series, 0.0) if rates else None, grown.get(series, 0.0), total)
            for series, total in totals.items()
            if series.metric == metric and (total or grown.get(series))
        ]
        return sorted(rows, key=lambda row: (-row.grown, -row.total, row.series.labels))

    def shadow_differences(self) -> list[Row]:
        """Return what the shadow policies would decide otherwise than the live ones."""
        rows = self.rows(contract.SHADOW_DECISIONS_TOTAL)
        return [
            r for r in rows if r.series.label(contract.LABEL_DECISION) != r.series.label(contract.LABEL_SHADOW_DECISION)
        ]

    def attempts_in_total(self) -> float:
        """Return how many override attempts the counters hold, those from before the watch included."""
        return sum(row.total for row in self.rows(contract.DECISIONS_TOTAL) if _is_attempt(row.series))

    def policies(self) -> list[PolicyRow]:
        """Return each policy that is in force somewhere, by provider, the most frequent first."""
        found = Counter(policy for e in self.endpoints if e.snapshot for policy in e.snapshot.policies)
        reporting = Counter(
            provider for e in self.endpoints if e.snapshot for provider in {p.provider for p in e.snapshot.policies}
        )
        rows = [PolicyRow(policy, count, reporting[policy.provider]) for policy, count in found.items()]
        return sorted(rows, key=lambda row: (row.policy.provider, -row.endpoints, row.policy.digest))


def _sum(many: Iterable[Mapping[Series, float]]) -> dict[Series, float]:
    total: dict[Series, float] = {}
    for one in many:
        for series, value in one.items():
            total[series] = total.get(series, 0.0) + value
    return total


def _by_kind(rates: Mapping[Series, float]) -> dict[str, float]:
    decisions = [
        (s.label(contract.LABEL_DECISION), rate) for s, rate in rates.items() if s.metric == contract.DECISIONS_TOTAL
    ]
    return {kind: sum(rate for decision, rate in decisions if decision == kind) for kind in DecisionKind}


def _increases(before: Mapping[Series, float], now: Mapping[Series, float]) -> dict[Series, float]:
    """Return how much each counter grew. One that fell or is gone tells of a restart, and all began at zero then."""
    restarted = any(now.get(series, -1.0) < value for series, value in before.items())
    return {series: value - (0.0 if restarted else before.get(series, 0.0)) for series, value in now.items()}


def _is_attempt(series: Series) -> bool:
    return (
        series.label(contract.LABEL_REASON) in ATTEMPT_REASONS
        and series.label(contract.LABEL_DECISION) == DecisionKind.BLOCKED
    )


def _attempts(endpoint: Endpoint) -> list[Override]:
    """Return the override attempts of the last reading, one for each provider."""
    counts: Counter[str] = Counter()
    for series, increase in endpoint.increases.items():
        if series.metric == contract.DECISIONS_TOTAL and _is_attempt(series) and increase > 0:
            counts[series.label(contract.LABEL_PROVIDER)] += round(increase)
    return [
        Override(endpoint.read_at, provider, _headers(endpoint.increases, provider), count)
        for provider, count in sorted(counts.items())
    ]


def _headers(increases: Mapping[Series, float], provider: str) -> tuple[tuple[str, str], ...]:
    found = {
        (series.label(contract.LABEL_HEADER), series.label(contract.LABEL_REASON))
        for series, increase in increases.items()
        if series.metric == contract.BLOCKED_NAMES_TOTAL
        and series.label(contract.LABEL_PROVIDER) == provider
        and series.label(contract.LABEL_REASON) in ATTEMPT_REASONS
        and increase > 0
    }
    return tuple(sorted(found))
