"""What telemetry remembers of decisions: the same as if it derived it anew, bounded, and exact under threads."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from extra_headers.forwarding import Evaluation, Policy, evaluate
from extra_headers.forwarding.policy.provider_data import decode_object
from extra_headers.telemetry import contract, remembered
from extra_headers.telemetry.metrics import Metrics, ProviderLabels, ProviderMetrics
from extra_headers.telemetry.spans import decision_attributes
from tests.telemetry.totals import totals

_DROP = Policy(on_malformed="drop", block=("x-internal-*",))
_REJECT = Policy(on_malformed="reject", on_blocked="reject", block=("x-internal-*",))
_HEADERS: tuple[object, ...] = (
    {"X-A": "1", "X-B": "2"},
    {"X-A": "1", "X-B": "\n"},
    {"X-A": "\n", "X-B": "2"},
    {"X-A": "\n", "X-B": 2},
    {"X-A": "v" * 5000, "X-B": "2"},
    {"X-A": "1", "Cookie": "s", "Authorization": "s", "X-Internal-Id": "s"},
    {"X-A": "1", "Cookie": 1, "Authorization": "s", "X-Internal-Id": "s"},
    {"X-A": "1", "x_a": "2", "X-B": "3"},
    {"b ad": "1", "X-B": "3"},
    {f"X-{i}": "v" for i in range(100)},
    decode_object('{"X-A": "1", "X-A": "2", "X-B": "3"}'),
    {f"X-{i}": "v" * 4000 for i in range(5)},
    {},
    [],
)


def _forget() -> None:
    remembered._derived.clear()
    remembered._bytes = 0


def _evaluations() -> list[Evaluation]:
    found = [evaluate(headers, policy, {"x-own"}) for headers in _HEADERS for policy in (_DROP, _REJECT)]
    return [*found, *(replace(one, forwarded={}, withheld=True) for one in found)]


def _metrics(registry: CollectorRegistry) -> ProviderMetrics:
    return ProviderMetrics(Metrics(registry), ProviderLabels("vllm", "remote::vllm", "d", "drop", "drop"))


def _expected(evaluations: list[Evaluation]) -> Mapping[tuple[str, ...], int]:
    """Count from the decisions, without the code under test."""
    return Counter(
        ("vllm", decision.kind.value, decision.reason.value)
        for one in evaluations
        for decision in one.decisions
        if decision.kind.value != "forwarded" or one.outcome.value != "rejected"
    )


def test_attributes_and_counts_are_those_of_a_first_request() -> None:
    """In whatever order requests come, whether their names, faults, policy or fate were seen before or not."""
    _forget()
    first = []
    for one in _evaluations():
        first.append(decision_attributes(one, "p", "d"))
        _forget()
    registry = CollectorRegistry()
    metrics = _metrics(registry)
    for _ in range(3):
        again = _evaluations()
        for one in again:
            metrics.record(one, 1e-6)
        assert [decision_attributes(one, "p", "d") for one in again] == first

    counted = {labels: value for labels, value in totals(registry, contract.DECISIONS_TOTAL).items() if value}
    assert counted == _expected(again * 3)
    assert sum(totals(registry, contract.REQUESTS_TOTAL).values()) == 3 * len(again)


def test_the_same_request_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal names with the same faults are recognized, in a new request of any caller."""
    monkeypatch.setattr(remembered, "_derived", {})
    for headers in ({"X-A": "1", "X-B": "\n", "Cookie": "s"}, {"X-A": "2", "X-B": "\r", "Cookie": "t"}):
        decision_attributes(evaluate(headers, _DROP), "p", "d")
    assert len(remembered._derived) == 1


def test_no_value_is_remembered() -> None:
    """Neither a forwarded one, nor a blocked or malformed one."""
    _forget()
    for suffix in ("", "\n"):
        one = evaluate({"X-A": "secret-1", "X-B": f"secret-2{suffix}", "Cookie": "secret-3"}, _DROP)
        decision_attributes(one, "p", "d")
        _metrics(CollectorRegistry()).record(one, 1e-6)
    assert remembered._derived
    assert "secret" not in repr(remembered._derived)


def test_threads_with_ever_new_names_count_exactly_and_the_memory_is_bounded() -> None:
    """While what is remembered is forgotten again and again, each request still counts as what it is."""
    _forget()
    registry = CollectorRegistry()
    metrics = _metrics(registry)

    def requests(thread: int) -> list[Evaluation]:
        names = (f"{thread}-{request}" for request in range(400))
        return [evaluate({f"X-{n}": "1", f"X-Internal-{n}": "s", f"X-V-{n}": "\n"}, _DROP) for n in names]

    each = [requests(thread) for thread in range(8)]

    def record(evaluations: list[Evaluation]) -> None:
        for one in evaluations:
            for _ in range(2):
                metrics.record(one, 1e-6)
            assert decision_attributes(one, "p", "d")[contract.ATTR_BLOCKED_NAMES] == [one.decisions[1].name]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(record, each))

    counted = {labels: value for labels, value in totals(registry, contract.DECISIONS_TOTAL).items() if value}
    assert counted == {labels: 2 * count for labels, count in _expected([one for some in each for one in some]).items()}
    names = sum(len(decisions) for decisions, _ in remembered._derived.values())
    assert names * remembered._BYTES_OF_A_HEADER < remembered._MAX_BYTES
