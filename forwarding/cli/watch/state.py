"""The state of all endpoints after each round of readings, and the figures to show. Pure: no I/O, no clock.

Times are seconds since the watch began.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from extra_headers.telemetry import contract

from ...policy.decision import ATTEMPT_REASONS, DecisionKind
from .samples import PolicyInfo, Series, Snapshot

type Values = Mapping[Series, float]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: its last numbers, and their changes."""

    url: str
    snapshot: Snapshot | None = None
    """The last one that was read; kept while the endpoint is down."""
    read_at: float = 0.0
    failure: str = ""
    """The reason why the last reading failed."""
    failed_since: float = 0.0
    increases: Values = field(default_factory=dict)
    """The increase of each counter at the last reading; empty if that failed."""
    rates: Values | None = None
    """The same per second; None without two readings."""
    grown: Values = field(default_factory=dict)
    """The increase of each counter since the first reading, including restarts of the server."""

    def after(self, seconds: float, result: Snapshot | str) -> Self:
        """Return the endpoint after one more reading: a snapshot, or the reason why it failed."""
        if isinstance(result, str):
            since = self.failed_since if self.failure else seconds
            return replace(self, failure=result, failed_since=since, increases={}, rates=None)
        read = replace(self, snapshot=result, read_at=seconds, failure="", increases={}, rates=None)
        elapsed = seconds - self.read_at
        if self.snapshot is None or elapsed <= 0:
            return read
        increases = _increases(self.snapshot.counters, result.counters)
        rates = {series: increase / elapsed for series, increase in increases.items()}
        return replace(read, increases=increases, rates=rates, grown=_sum([self.grown, increases]))


@dataclass(frozen=True, slots=True)
class Override:
    """Override attempts on one provider, at one reading of one endpoint."""

    seconds: float
    provider: str
    headers: tuple[tuple[str, str], ...]
    """The rules and entries that blocked, each with its reason."""


@dataclass(frozen=True, slots=True)
class CounterRow:
    """One counter, added up over the endpoints."""

    series: Series
    per_second: float | None
    grown: float
    total: float


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy, and the number of endpoints that report it."""

    policy: PolicyInfo
    endpoints: int
    of: int
    """The number of endpoints that report this provider."""

    @property
    def drift(self) -> bool:
        """Whether other endpoints report another policy for the provider."""
        return self.endpoints < self.of


@dataclass(frozen=True, slots=True)
class Watch:
    """All endpoints after some rounds of readings."""

    endpoints: tuple[Endpoint, ...]
    override: Override | None = None
    """The last attempt."""

    def after(self, seconds: float, results: Sequence[Snapshot | str]) -> Self:
        """Return the state after one reading of each endpoint, in their order."""
        endpoints = tuple(e.after(seconds, result) for e, result in zip(self.endpoints, results, strict=True))
        attempts = [attempt for endpoint in endpoints for attempt in _attempts(endpoint)]
        return replace(self, endpoints=endpoints, override=attempts[-1] if attempts else self.override)

    @property
    def up(self) -> int:
        """The number of endpoints that were read."""
        return sum(bool(endpoint.snapshot and not endpoint.failure) for endpoint in self.endpoints)

    @property
    def down(self) -> int:
        """The number of endpoints that could not be read."""
        return sum(bool(endpoint.failure) for endpoint in self.endpoints)

    @property
    def snapshots(self) -> list[Snapshot]:
        """The last snapshot of each endpoint that was ever read."""
        return [endpoint.snapshot for endpoint in self.endpoints if endpoint.snapshot]

    def rows(self, metric: str) -> list[CounterRow]:
        """Return the counters of a metric that are not zero, sorted by their increase since the watch began."""
        rates = [endpoint.rates for endpoint in self.endpoints if endpoint.rates is not None]
        per_second, grown = _sum(rates), _sum(endpoint.grown for endpoint in self.endpoints)
        rows = [
            CounterRow(series, per_second.get(series, 0.0) if rates else None, grown.get(series, 0.0), total)
            for series, total in _sum(snapshot.counters for snapshot in self.snapshots).items()
            if series.metric == metric and (total or grown.get(series))
        ]
        return sorted(rows, key=lambda row: (-row.grown, -row.total, row.series.labels))

    def shadow_differences(self) -> list[CounterRow]:
        """Return the decisions on which shadow and live policy differ."""
        kinds = (contract.LABEL_DECISION, contract.LABEL_SHADOW_DECISION)
        rows = self.rows(contract.SHADOW_DECISIONS_TOTAL)
        return [row for row in rows if len(set(map(row.series.label, kinds))) > 1]

    def attempts_in_total(self) -> float:
        """Return the number of override attempts in the counters, including those from before the watch."""
        return sum(row.total for row in self.rows(contract.DECISIONS_TOTAL) if _is_attempt(row.series))

    def policies(self) -> list[PolicyRow]:
        """Return each active policy, by provider, the most frequent first."""
        reported = Counter(policy for snapshot in self.snapshots for policy in snapshot.policies)
        of = Counter(name for snapshot in self.snapshots for name in {policy.provider for policy in snapshot.policies})
        rows = [PolicyRow(policy, count, of[policy.provider]) for policy, count in reported.items()]
        return sorted(rows, key=lambda row: (row.policy.provider, -row.endpoints, row.policy.digest))


def _sum(many: Iterable[Values]) -> dict[Series, float]:
    total: dict[Series, float] = {}
    for one in many:
        for series, value in one.items():
            total[series] = total.get(series, 0.0) + value
    return total


def _increases(before: Values, now: Values) -> dict[Series, float]:
    """Return the increase of each counter. If one fell or is gone, the server restarted and all began at zero."""
    restarted = any(now.get(series, -1.0) < value for series, value in before.items())
    return {series: value - (0.0 if restarted else before.get(series, 0.0)) for series, value in now.items()}


def _is_attempt(series: Series) -> bool:
    blocked = series.label(contract.LABEL_DECISION) == DecisionKind.BLOCKED
    return blocked and series.label(contract.LABEL_REASON) in ATTEMPT_REASONS


def _attempts(endpoint: Endpoint) -> list[Override]:
    """Return the override attempts at the last reading, one for each provider."""
    grown = [series for series, increase in endpoint.increases.items() if increase > 0]
    headers = [
        (s.label(contract.LABEL_PROVIDER), (s.label(contract.LABEL_HEADER), s.label(contract.LABEL_REASON)))
        for s in grown
        if s.metric == contract.BLOCKED_NAMES_TOTAL and s.label(contract.LABEL_REASON) in ATTEMPT_REASONS
    ]
    attempted = {
        s.label(contract.LABEL_PROVIDER) for s in grown if s.metric == contract.DECISIONS_TOTAL and _is_attempt(s)
    }
    return [
        Override(endpoint.read_at, provider, tuple(sorted(header for of, header in headers if of == provider)))
        for provider in sorted(attempted)
    ]
