"""Every panel's query, run against a real Prometheus that scrapes real counters of two replicas."""

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from extra_headers.dashboards.tuning import Tuning
from tests.dashboards.documents import Target, targets
from tests.dashboards.stack import Prometheus, Stack, wait_for

POLICIES: dict[str, dict[str, object]] = {
    "vllm": {
        "allow": ["x-maas-*"],
        "on_malformed": "drop",
        "shadow": {"allow": ["x-other"], "on_blocked": "reject", "on_malformed": "drop"},
        "set": {"x-user": "${user.id}", "x-team": "${user.tenant}"},
        "on_missing": "omit",
    },
    "openai": {"on_blocked": "reject"},
}
HOSTILE = {"Authorization": "Bearer made-up", "x-maas-tenant": "a", "x-other": "b", "User-Agent": "c"}
NEEDS_A_DAY = re.compile(r"offset 1d")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Yield a Prometheus that has seen clean, filtered and rejected requests, and two policies for one provider."""
    with Stack(tmp_path_factory.mktemp("panels")) as stack:
        first = stack.exporter(POLICIES)
        second = stack.exporter({**POLICIES, "vllm": {**POLICIES["vllm"], "allow": ["x-maas-*", "x-new"]}})
        running = stack.prometheus(first, second, tuning=Tuning(window=10, baseline=30, new_series=8))
        wait_for(lambda: len(running.query("extra_headers_policy_info")) == 4, "the first scrapes")
        for exporter in (first, second):
            exporter.send("vllm", {"x-maas-tenant": "a"}, times=20)
            exporter.send("vllm", HOSTILE, times=5)
            exporter.send("vllm", {"x-maas-a": 1, "bad name": "b"}, times=5)
            exporter.send("openai", HOSTILE, times=3, outbound=("x-other",))
            exporter.send("openai", {"x-request-id": "a"}, times=10)
        wait_for(
            lambda: running.query('sum(increase({__name__=~".*:from_zero"}[30s])) > 0'), "recorded names of headers"
        )
        yield running


def _with_variables(expr: str) -> str:
    for variable in ("job", "instance", "provider"):
        expr = expr.replace(f"${variable}", ".+")
    return expr.replace("$__rate_interval", "20s").replace("$__range", "60s")


def _numbers(result: list[dict[str, Any]]) -> list[float]:
    points = [point for series in result for point in series.get("values") or [series["value"]]]
    return [number for _, text in points if not math.isnan(number := float(text))]


@pytest.mark.parametrize("target", targets(), ids=str)
def test_panel_shows_data(prometheus: Prometheus, target: Target) -> None:
    """A panel's query, with its variables substituted, returns numbers; the day before is empty on the first day."""
    expr = _with_variables(target.expr)
    now = time.time()
    result = prometheus.query(expr) if target.query.get("instant") else prometheus.query_range(expr, now - 60, now)
    if NEEDS_A_DAY.search(expr):
        assert result == []
    else:
        assert _numbers(result)


def _only(title: str, prometheus: Prometheus) -> list[dict[str, Any]]:
    target = next(t for t in targets() if t.panel["title"] == title)
    return prometheus.query(_with_variables(target.expr))


def test_attempts_are_counted(prometheus: Prometheus) -> None:
    """The headline shows the attempts on credentials and overrides, of all replicas and providers together."""
    # Two replicas; on each, five and three credentials, and three overrides. increase() extrapolates, and the less the
    # more scrapes it has.
    wait_for(
        lambda: _numbers(_only("Override and credential attempts", prometheus)) == [pytest.approx(22, rel=0.25)],
        "22 attempts",
    )


def test_drift_is_counted(prometheus: Prometheus) -> None:
    """One of the two providers has two policies."""
    assert _numbers(_only("Providers with policy drift", prometheus)) == [1.0]


def test_drift_is_shown_by_instance(prometheus: Prometheus) -> None:
    """The policy table marks every instance of the provider whose replicas disagree, and no other."""
    rows = _only("Policy by instance", prometheus)
    assert {(row["metric"]["provider"], row["value"][1]) for row in rows} == {("vllm", "2"), ("openai", "1")}
    assert len(rows) == 4


def test_first_event_of_a_name_counts(prometheus: Prometheus) -> None:
    """The top of the blocked names holds a name whose series began with its only burst of events."""

    def counted() -> dict[str, float]:
        rows = _only("Top blocked names", prometheus)
        return {row["metric"]["header"]: float(row["value"][1]) for row in rows}

    wait_for(lambda: counted().get("authorization") == pytest.approx(16, rel=0.25), "16 times authorization")
    assert {"authorization", "user-agent", "_other"} <= counted().keys()


def test_what_the_shadow_policy_would_change_is_counted(prometheus: Prometheus) -> None:
    """On each of two replicas: 20 and 5 that would no longer pass, and 5 that would."""
    wait_for(
        lambda: _numbers(_only("Headers decided differently", prometheus)) == [pytest.approx(60, rel=0.25)],
        "60 headers that the two decide differently",
    )
    assert _numbers(_only("Requests newly rejected", prometheus)) == [pytest.approx(50, rel=0.25)]


GUIDE = (Path(__file__).parents[2] / "docs" / "roll-out.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("expr", re.findall(r"^```promql\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE))
def test_the_roll_out_guide_compares(prometheus: Prometheus, expr: str) -> None:
    """Each of its queries returns numbers."""
    assert _numbers(prometheus.query(expr.replace("[1d]", "[60s]")))


def test_exemplars_lead_to_a_trace(prometheus: Prometheus) -> None:
    """A graph that shows exemplars gets them from Prometheus, each with the id of a trace."""
    with_exemplars = [target for target in targets() if target.query.get("exemplar")]
    assert with_exemplars
    for target in with_exemplars:
        found = prometheus.exemplars(_with_variables(target.expr))
        ids = {e["labels"]["trace_id"] for series in found for e in series["exemplars"]}
        assert ids
        assert all(re.fullmatch(r"[0-9a-f]{32}", trace) for trace in ids)


def test_no_value_is_scraped(prometheus: Prometheus) -> None:
    """No label value of any series is a value that a caller sent."""
    for series in prometheus.query('{__name__=~"extra_headers.*"}'):
        assert not any("made-up" in text for text in series["metric"].values())


def test_variables_list_their_choices(prometheus: Prometheus) -> None:
    """The series behind the variables have the labels that a reader chooses from."""
    labels = [series["metric"] for series in prometheus.query("extra_headers_policy_info")]
    assert {metric["provider"] for metric in labels} == {"vllm", "openai"}
    assert {metric["job"] for metric in labels} == {"ogx"}
    assert len({metric["instance"] for metric in labels}) == 2
