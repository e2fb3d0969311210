"""Counters that are added to when they are read: exact for every reader and thread, and bounded."""

import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry import contract
from extra_headers.telemetry.deferred import Increments
from extra_headers.telemetry.metrics import Metrics, ProviderLabels, ProviderMetrics

_POLICY = Policy(on_malformed="drop")
_MIXED = evaluate({"X-A": "1", "X-B": "2", "Authorization": "s", "X-C": "\n"}, _POLICY)
_BLOCKED = {"provider": "vllm", "reason": "credential", "header": "authorization"}


class _Counted:
    """A provider's counters in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        labels = ProviderLabels("vllm", "remote::vllm", _POLICY.digest, "drop", "drop")
        self.provider = ProviderMetrics(self.metrics, labels)


@pytest.fixture
def counted() -> _Counted:
    """Return counters at zero."""
    return _Counted()


def _by_exposition(counted: _Counted) -> float:
    text: str = generate_latest(counted.registry).decode()
    return next(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == contract.BLOCKED_NAMES_TOTAL and sample.labels == _BLOCKED
    )


def _by_name_of_the_metric(counted: _Counted) -> float:
    restricted = counted.registry.restricted_registry([contract.BLOCKED_NAMES_TOTAL])
    (family,) = restricted.collect()
    return next(sample.value for sample in family.samples if sample.labels == _BLOCKED)


def _by_sample(counted: _Counted) -> float:
    return counted.registry.get_sample_value(contract.BLOCKED_NAMES_TOTAL, _BLOCKED) or 0.0


def _by_family(counted: _Counted) -> float:
    (family,) = counted.metrics.blocked_names.collect()
    return next(s.value for s in family.samples if s.name == contract.BLOCKED_NAMES_TOTAL)


@pytest.mark.parametrize("read", [_by_exposition, _by_name_of_the_metric, _by_sample, _by_family])
def test_whoever_reads_sees_every_request(counted: _Counted, read: Callable[[_Counted], float]) -> None:
    """A family that is read first, or alone, contains what has been recorded, and once."""
    for recorded in range(1, 4):
        for _ in range(recorded):
            counted.provider.record(_MIXED, 1e-6)

        assert read(counted) == read(counted) == recorded * (recorded + 1) / 2


def test_what_waits_is_bounded(counted: _Counted) -> None:
    """Requests that never repeat their names are added although nobody reads."""
    longest = 0
    for number in range(1000):
        counted.provider.record(evaluate({f"X-{number}": "1", "Authorization": "s"}, _POLICY), 1e-6)
        longest = max(longest, counted.metrics.deferred.waiting)

    assert longest <= 64
    assert _by_sample(counted) == 1000


@pytest.fixture
def hectic_threads() -> Iterator[None]:
    """Let threads take turns within lines, as they may at any time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hectic_threads")
def test_threads_that_record_and_read_at_once(counted: _Counted) -> None:
    """No request is lost or counted twice, and each reading contains every request that has ended before it."""
    evaluations = [evaluate({f"X-{number}": "1", "Authorization": "s"}, _POLICY) for number in range(100)]
    ended = [0] * 4

    def record(thread: int) -> None:
        for evaluation in evaluations * 5:
            counted.provider.record(evaluation, 1e-6)
            ended[thread] += 1

    threads = [threading.Thread(target=record, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    readings = [0.0]
    while any(thread.is_alive() for thread in threads):
        before = sum(ended)
        readings.append(_by_sample(counted))
        assert before <= readings[-1] >= readings[-2]

    assert _by_sample(counted) == 4 * 5 * 100


def test_who_reads_while_another_adds_waits_for_it(counted: _Counted) -> None:
    """Two scrapes at once both contain the requests that have ended."""
    adding, may_go_on = threading.Event(), threading.Event()

    class SlowSeries(Counter):
        def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
            adding.set()
            may_go_on.wait(10)
            super().inc(amount, exemplar)

    series = SlowSeries("slow_total", "", registry=None)
    counted.metrics.deferred.count(Increments(((series, 1),)))
    readings: list[float] = []

    def read() -> None:
        _by_sample(counted)
        readings.extend(sample.value for sample in next(iter(series.collect())).samples if sample.name == "slow_total")

    first, second = threading.Thread(target=read), threading.Thread(target=read)
    first.start()
    assert adding.wait(10)
    second.start()
    second.join(0.2)
    may_go_on.set()
    for thread in (first, second):
        thread.join()

    assert readings == [1, 1]
