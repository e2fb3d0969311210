"""Clocks that jump: nothing of the telemetry stays silent for long, and no total goes backwards."""

import pytest
from opentelemetry.trace import SpanContext, TraceFlags
from prometheus_client import CollectorRegistry

from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry import contract
from extra_headers.telemetry.audit import RateLimit
from extra_headers.telemetry.metrics import Metrics, ProviderLabels, ProviderMetrics

_YEAR = 365 * 86_400.0
_POLICY = Policy()


class _Clock:
    """A clock that says what it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("jump", [_YEAR, -_YEAR], ids=["forward", "back"])
def test_the_rate_limit_survives_a_jump(jump: float) -> None:
    """After it, audit records are admitted at the usual rate: neither none for a year, nor all at once."""
    clock = _Clock()
    limit = RateLimit(burst=5, per_second=1, clock=clock)
    assert [limit.admit() is not None for _ in range(6)] == [True] * 5 + [False]

    clock.now += jump
    assert sum(limit.admit() is not None for _ in range(100)) <= 5
    admitted = 0
    for _ in range(10):
        clock.now += 1
        admitted += limit.admit() is not None
    assert admitted >= 8


class TestMetrics:
    """The series of a provider, with a clock of the test's own."""

    _SAMPLED = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    @pytest.mark.parametrize("jump", [_YEAR, -_YEAR], ids=["forward", "back"])
    def test_exemplars_survive_a_jump(self, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
        """The next increment after it leads to its own trace."""
        clock, registry = _Clock(), CollectorRegistry()
        monkeypatch.setattr("extra_headers.telemetry.metrics.time.monotonic", clock)
        provider = _provider(registry)
        provider.record(evaluate({"Cookie": "s"}, _POLICY), 1e-6, self._SAMPLED)
        assert _exemplar(registry) == f"{0xABC:032x}"

        clock.now += jump
        later = SpanContext(0x123, 0x456, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        provider.record(evaluate({"Cookie": "s"}, _POLICY), 1e-6, later)
        assert _exemplar(registry) == f"{0x123:032x}"

    def test_an_evaluation_never_takes_less_than_no_time(self) -> None:
        """A sum that went backwards would be read as a restart of the server."""
        registry = CollectorRegistry()
        provider = _provider(registry)
        provider.record(evaluate({"X-A": "1"}, _POLICY), -_YEAR)

        labels = {contract.LABEL_PROVIDER: "p"}
        assert registry.get_sample_value(f"{contract.EVALUATION_SECONDS}_sum", labels) == 0
        assert registry.get_sample_value(f"{contract.EVALUATION_SECONDS}_count", labels) == 1


def _provider(registry: CollectorRegistry) -> ProviderMetrics:
    return ProviderMetrics(Metrics(registry), ProviderLabels("p", "remote::p", "d", "drop", "reject"))


def _exemplar(registry: CollectorRegistry) -> str | None:
    found = [
        sample.exemplar.labels["trace_id"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == contract.DECISIONS_TOTAL and sample.exemplar is not None
    ]
    return found[0] if found else None
