"""The results of a scenario, from the caller, the counters and the provider, and how they differ from the expected."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...policy.decision import Outcome
from ...testing.recording_provider import ReceivedRequest
from .client import Reply
from .scenarios import PROVIDER_KEY, Scenario

# Their values differ between any two calls.
_VOLATILE = {"traceparent", "content-length"}

type Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as the provider received it, compared with the first one."""

    request: ReceivedRequest
    ordinary: frozenset[str]
    """Names of the fields that every call has, in lower case."""

    @property
    def authorization(self) -> list[str]:
        """The credentials."""
        return self.request.values("authorization")

    @property
    def extra(self) -> Fields:
        """The fields in addition to those of every call."""
        return [(name, value) for name, value in self.request.fields if name.lower() not in self.ordinary]

    @property
    def rest(self) -> Fields:
        """The fields that every call has with the same value, sorted."""
        lowered = ((name.lower(), value) for name, value in self.request.fields)
        return sorted((name, value) for name, value in lowered if name in self.ordinary - _VOLATILE)

    @property
    def span_id(self) -> str | None:
        """Id of the call's span, from `traceparent` (W3C Trace Context)."""
        values = self.request.values("traceparent")
        return values[0].split("-")[2] if values else None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: what the caller sent and got back, and what the provider received."""

    sent: Mapping[str, str] | None
    """The extra headers."""
    reply: Reply
    arrival: Arrival | None
    """None where the provider received nothing."""


@dataclass(frozen=True, slots=True)
class Increases:
    """Increases of the counters, by label values."""

    decisions: Counter[tuple[str, ...]]
    """By kind and reason, as in `shadow`."""
    requests: Counter[tuple[str, ...]]
    """By outcome."""
    rules: Mapping[str, str]
    """The rule or entry that blocked a header, by reason."""
    shadow: Counter[tuple[str, ...]]
    identity_headers: int


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """A scenario and everything that happened."""

    scenario: Scenario
    exchanges: Sequence[Exchange]
    counted: Increases
    faults: Sequence[str]
    """Differences from what the scenario expects."""

    @property
    def at_once(self) -> int:
        """The most calls that were open at one moment."""
        return most_at_once(exchange.reply.seconds for exchange in self.exchanges)


def find_faults(
    scenario: Scenario, exchanges: Sequence[Exchange], counted: Increases, first: Arrival | None
) -> list[str]:
    """Return a sentence for each difference from what the scenario expects."""
    faults = [fault for exchange in exchanges for fault in _faults_of(exchange, scenario, first)]
    for what, actual, expected in (
        ("decisions", counted.decisions, scenario.expected_decisions()),
        ("requests", counted.requests, scenario.expected_requests()),
        ("shadow decisions", counted.shadow, scenario.expected_shadow()),
    ):
        if actual != expected:
            faults.append(f"{what} counted: {_tally(actual)}; expected: {_tally(expected)}")
    if counted.identity_headers != scenario.expected_identity_headers():
        faults.append(
            f"identity headers counted: {counted.identity_headers}; expected: {scenario.expected_identity_headers()}"
        )
    if len(exchanges) > 1 and most_at_once(exchange.reply.seconds for exchange in exchanges) < 2:
        faults.append("the calls did not overlap in time")
    return faults


def _faults_of(exchange: Exchange, scenario: Scenario, first: Arrival | None) -> list[str]:
    faults = []
    arrival = exchange.arrival
    if exchange.reply.status != scenario.status:
        faults.append(f"answered {exchange.reply.status} ({exchange.reply.error}); expected: {scenario.status}")
    if scenario.outcome is Outcome.REJECTED:
        return [*faults, "the provider received the request"] if arrival else faults
    if arrival is None:
        return [*faults, "the provider received nothing"]
    if arrival.authorization != [f"Bearer {PROVIDER_KEY}"]:
        faults.append("the provider received another Authorization than its own key")
    expected = sorted(scenario.forwarded(exchange.sent).items())
    if sorted((name.lower(), value) for name, value in arrival.extra) != expected:
        faults.append(f"the provider received the extra headers {arrival.extra}")
    if first is not None and arrival.rest != first.rest:
        faults.append("the provider received other ordinary fields than in the first scenario")
    return faults


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """Return the greatest number of time spans that overlap at one moment."""
    events = sorted((moment, step) for start, end in spans for moment, step in ((start, 1), (end, -1)))
    running = most = 0
    for _, step in events:
        running += step
        most = max(most, running)
    return most


def _tally(counted: Mapping[tuple[str, ...], int]) -> str:
    return ", ".join(f"{'/'.join(key)} +{count}" for key, count in counted.items()) or "nothing"
