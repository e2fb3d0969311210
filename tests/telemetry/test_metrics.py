"""Prometheus counters: complete from the start, bounded for ever, exact."""

import logging
from importlib.metadata import version

import pytest
from opentelemetry.trace import SpanContext, TraceFlags
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from extra_headers.forwarding import Evaluation, Policy, evaluate
from extra_headers.forwarding.policy.decision import REASONS
from extra_headers.telemetry import contract
from extra_headers.telemetry.metrics import Metrics, ProviderLabels, ProviderMetrics
from tests.telemetry.totals import totals

_POLICY = Policy.model_validate({"on_malformed": "drop", "block": ["x-internal-*"], "limits": {"max_headers": 1000}})
_MIXED = {"X-A": "1", "X-B": "2", "Authorization": "s", "Proxy-Authorization": "s", "X-Internal-Id": "s", "X-C": "\n"}


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry of the test's own."""
    return CollectorRegistry()


@pytest.fixture
def provider(registry: CollectorRegistry) -> ProviderMetrics:
    """Return the series of a provider in that registry."""
    return ProviderMetrics(
        Metrics(registry), ProviderLabels("vllm", "remote::vllm", _POLICY.digest, "drop", _POLICY.on_malformed)
    )


def _non_zero(registry: CollectorRegistry, metric: str) -> dict[tuple[str, ...], float]:
    return {labels: value for labels, value in totals(registry, metric).items() if value}


class TestSeries:
    """Which series there are."""

    @pytest.mark.usefixtures("provider")
    def test_all_combinations_exist_at_zero(self, registry: CollectorRegistry) -> None:
        """Every decision and reason, and every outcome, is there before the first event."""
        expected = {("vllm", kind.value, reason.value): 0.0 for kind, reasons in REASONS.items() for reason in reasons}
        assert totals(registry, contract.DECISIONS_TOTAL) == expected
        outcomes = {("vllm", outcome): 0.0 for outcome in ("clean", "filtered", "rejected")}
        assert totals(registry, contract.REQUESTS_TOTAL) == outcomes

    @pytest.mark.usefixtures("provider")
    def test_the_policy_in_force_is_a_series(self, registry: CollectorRegistry) -> None:
        """Drift between replicas can be seen from the digest."""
        labels = ("vllm", "remote::vllm", _POLICY.digest, "drop", "drop")
        assert totals(registry, contract.POLICY_INFO) == {labels: 1.0}

    @pytest.mark.usefixtures("provider")
    def test_the_installed_release_is_a_series(self, registry: CollectorRegistry) -> None:
        """A roll-out of a release can be seen beside the policies."""
        assert totals(registry, contract.BUILD_INFO) == {(version("extra-headers-forwarding"),): 1.0}

    def test_hostile_names_add_no_series(self, registry: CollectorRegistry, provider: ProviderMetrics) -> None:
        """Ten thousand names that no policy knows add one series at most, and the count stays exact."""
        policy = Policy.model_validate({"allow": ["x-known"], "limits": {"max_headers": 1000}})
        for start in range(0, 10_000, 500):
            headers = {f"X-Hostile-{i}": "v" for i in range(start, start + 500)}
            provider.record(evaluate(headers, policy), 1e-6)

        assert totals(registry, contract.BLOCKED_NAMES_TOTAL) == {("vllm", "not_allowed", "_other"): 10_000.0}
        assert b"Hostile" not in generate_latest(registry)
        assert len(list(generate_latest(registry).splitlines())) < 100

    def test_many_spellings_of_core_names_add_the_entries_only(
        self, registry: CollectorRegistry, provider: ProviderMetrics
    ) -> None:
        """The `header` label is the entry of the policy, not the caller's spelling of it."""
        for i in range(300):
            provider.record(evaluate({f"X-Amz-Evil-{i}": "v", f"X_AMZ_evil-{i}b": "v"}, _POLICY), 1e-6)

        assert totals(registry, contract.BLOCKED_NAMES_TOTAL) == {("vllm", "credential", "x-amz-*"): 600.0}


class TestCounts:
    """What they count."""

    def test_each_header_once(self, registry: CollectorRegistry, provider: ProviderMetrics) -> None:
        """A mixed request counts each of its headers under its decision, and itself as filtered."""
        provider.record(evaluate(_MIXED, _POLICY), 1e-6)

        assert _non_zero(registry, contract.DECISIONS_TOTAL) == {
            ("vllm", "forwarded", "allowed"): 2,
            ("vllm", "blocked", "credential"): 2,
            ("vllm", "blocked", "operator"): 1,
            ("vllm", "malformed", "value"): 1,
        }
        assert _non_zero(registry, contract.BLOCKED_NAMES_TOTAL) == {
            ("vllm", "credential", "authorization"): 1,
            ("vllm", "credential", "proxy-authorization"): 1,
            ("vllm", "operator", "x-internal-*"): 1,
        }
        assert _non_zero(registry, contract.REQUESTS_TOTAL) == {("vllm", "filtered"): 1}

    def test_a_rejected_request_forwards_nothing(self, registry: CollectorRegistry, provider: ProviderMetrics) -> None:
        """Headers that would have passed are not counted as forwarded when nothing was sent."""
        provider.record(evaluate(_MIXED, Policy(on_blocked="reject", on_malformed="drop")), 1e-6)

        assert ("vllm", "forwarded", "allowed") not in _non_zero(registry, contract.DECISIONS_TOTAL)
        assert _non_zero(registry, contract.REQUESTS_TOTAL) == {("vllm", "rejected"): 1}

    def test_the_time_it_took(self, registry: CollectorRegistry, provider: ProviderMetrics) -> None:
        """The histogram is in seconds."""
        provider.record(evaluate({"X-A": "1"}, _POLICY), 0.0000075)

        assert registry.get_sample_value(f"{contract.EVALUATION_SECONDS}_sum", {"provider": "vllm"}) == 0.0000075
        buckets = {"provider": "vllm", "le": "1e-05"}
        assert registry.get_sample_value(f"{contract.EVALUATION_SECONDS}_bucket", buckets) == 1


class TestExemplars:
    """From a counter to the trace behind it."""

    _SAMPLED = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    _UNSAMPLED = SpanContext(0xABC, 0xDEF, is_remote=False)

    def _exposition(self, registry: CollectorRegistry) -> list[str]:
        text: str = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
        return [line for line in text.splitlines() if " # {" in line]

    def test_blocked_and_malformed_increments_have_one(
        self, registry: CollectorRegistry, provider: ProviderMetrics
    ) -> None:
        """The OpenMetrics exposition shows trace and span id for stopped headers, not for forwarded ones."""
        provider.record(evaluate(_MIXED, _POLICY), 1e-6, self._SAMPLED)

        lines = self._exposition(registry)
        assert {line.split('reason="')[1].split('"')[0] for line in lines} == {"credential", "operator", "value"}
        ids = f'# {{span_id="{0xDEF:016x}",trace_id="{0xABC:032x}"}}'
        assert all(ids in line for line in lines)

    def test_an_unsampled_trace_has_none(self, registry: CollectorRegistry, provider: ProviderMetrics) -> None:
        """An exemplar that leads to no trace would be a dead end."""
        provider.record(evaluate(_MIXED, _POLICY), 1e-6, self._UNSAMPLED)
        provider.record(evaluate(_MIXED, _POLICY), 1e-6)

        assert self._exposition(registry) == []


class TestRegistryClash:
    """Somebody else has the names."""

    def test_is_one_log_line_and_no_metrics(
        self, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The clash is reported once, and the rest goes on without metrics."""
        Counter("extra_headers_decisions", "not ours", registry=registry)

        with caplog.at_level(logging.ERROR):
            assert Metrics.in_registry(registry) is None

        (record,) = caplog.records
        assert "no metrics, requests are not affected" in record.getMessage()

    def test_the_families_are_registered_once(self, registry: CollectorRegistry) -> None:
        """A second provider shares the families of the first."""
        assert Metrics.in_registry(registry) is Metrics.in_registry(registry)


def test_an_empty_evaluation_counts_as_clean(registry: CollectorRegistry, provider: ProviderMetrics) -> None:
    """Nothing forwarded and nothing stopped is no event of any decision."""
    provider.record(Evaluation({}, ()), 1e-6)

    assert _non_zero(registry, contract.DECISIONS_TOTAL) == {}
