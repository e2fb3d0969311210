"""Every panel's query, run against a real Prometheus that scrapes real counters of two replicas."""

import math
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from extra_headers.dashboards.tuning import Tuning
from tests.dashboards.documents import dashboards, targets
from tests.dashboards.node import ROOT, run_script
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
        elsewhere = stack.exporter({"openai": POLICIES["openai"]}, cluster="eu", namespace="prod")
        running = stack.prometheus(
            first, second, elsewhere, tuning=Tuning(window=10, slow_window=20, baseline=30, new_series=8)
        )
        wait_for(lambda: len(running.query("extra_headers_policy_info")) == 5, "the first scrapes")
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
    for variable in ("cluster", "namespace"):
        expr = expr.replace(f"${variable}", ".*")
    return expr.replace("$__rate_interval", "20s").replace("$__range", "60s")


def _numbers(result: list[dict[str, Any]]) -> list[float]:
    points = [point for series in result for point in series.get("values") or [series["value"]]]
    return [number for _, text in points if not math.isnan(number := float(text))]


def test_panels_show_data(prometheus: Prometheus) -> None:
    """Every query returns numbers, except for the day before on the first day."""

    def empty() -> list[str]:
        found, now = [], time.time()
        for target in targets():
            expr, instant = _with_variables(target.expr), target.query.get("instant")
            result = prometheus.query(expr) if instant else prometheus.query_range(expr, now - 60, now)
            if not NEEDS_A_DAY.search(expr) and not _numbers(result):
                found.append(str(target))
        return found

    wait_for(lambda: not empty() or None, "data in every panel")


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
    assert len(rows) == 5


def test_first_event_of_a_name_counts(prometheus: Prometheus) -> None:
    """The top of the blocked names holds a name whose series began with its only burst of events."""

    def counted() -> dict[str, float]:
        rows = _only("Top blocked names", prometheus)
        return {row["metric"]["header"]: float(row["value"][1]) for row in rows}

    wait_for(lambda: counted().get("authorization") == pytest.approx(16, rel=0.25), "16 times authorization")
    assert {"authorization", "user-agent"} <= counted().keys()
    assert "_other" not in counted()


def test_what_the_shadow_policy_would_change_is_counted(prometheus: Prometheus) -> None:
    """On each of two replicas: 20 and 5 that would no longer pass, and 5 that would."""
    wait_for(
        lambda: _numbers(_only("Headers decided differently", prometheus)) == [pytest.approx(60, rel=0.25)],
        "60 headers that the two decide differently",
    )
    assert _numbers(_only("Requests newly rejected", prometheus)) == [pytest.approx(50, rel=0.25)]


def test_the_roll_out_guide_compares(prometheus: Prometheus) -> None:
    """Each query of the roll-out guide returns numbers."""
    guide = (ROOT / "docs" / "roll-out.md").read_text(encoding="utf-8")
    queries = re.findall(r"^```promql\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    assert queries
    assert all(_numbers(prometheus.query(expr.replace("[1d]", "[60s]"))) for expr in queries)


def test_exemplars_lead_to_a_trace(prometheus: Prometheus) -> None:
    """A graph that shows exemplars gets them from Prometheus, each with the id of a trace."""
    traces: dict[str, set[str]] = defaultdict(set)
    for target in targets():
        if target.query.get("exemplar"):
            found = prometheus.exemplars(_with_variables(target.expr))
            traces[target.panel["title"]] |= {e["labels"]["trace_id"] for series in found for e in series["exemplars"]}
    assert traces
    for ids in traces.values():
        assert ids
        assert all(re.fullmatch(r"[0-9a-f]{32}", trace) for trace in ids)


def test_no_value_is_scraped(prometheus: Prometheus) -> None:
    """No label value of any series is a value that a caller sent."""
    for series in prometheus.query('{__name__=~"extra_headers.*"}'):
        assert not any("made-up" in text for text in series["metric"].values())


ONE_CLUSTER = "/d/extra-headers-overview?var-cluster=eu"


@pytest.fixture(scope="module")
def followed(prometheus: Prometheus) -> dict[str, Any]:
    """Return every link of every series and cell, and what each link opens."""
    found: dict[str, Any] = run_script(
        ROOT / "tests" / "dashboards" / "scenes.js",
        {
            "prometheus": prometheus.url,
            "dashboards": list(dashboards().values()),
            "open": [ONE_CLUSTER, "/d/extra-headers-overview"],
        },
    )
    return found


class TestLinks:
    """The dashboards' links and variables, followed by Grafana's own code for them (`@grafana/scenes`)."""

    def test_links_open_panels_with_data(self, followed: dict[str, Any]) -> None:
        """A link opens a dashboard on which no variable is empty and the decisions are shown."""
        for address, target in followed["targets"].items():
            assert [query for query in target["queries"] if '=~""' in query["query"]] == [], address
            assert any(query["series"] for query in target["queries"] if query["panel"] == "Decisions"), address

    def test_series_and_cells_link_to_their_provider_or_replica(self, followed: dict[str, Any]) -> None:
        """Lines and cells of a provider or a replica narrow the detail to it; each dashboard links to the other."""
        narrowed = {
            (link["panel"], value)
            for link in followed["links"]
            for value in re.findall(r"var-(?:provider|instance)=([^$&]+)", link["href"])
        }
        assert {
            ("Attempts by provider", "vllm"),
            ("Active alerts", "vllm"),
            ("Policy by instance", "openai"),
        } <= narrowed
        assert len({value for panel, value in narrowed if panel == "Blocked headers by instance"}) == 3
        assert {link["panel"] for link in followed["links"]} >= {d["title"] for d in dashboards().values()}

    def test_alerts_link_to_their_runbooks(self, followed: dict[str, Any]) -> None:
        """The name of an active alert opens its runbook."""
        runbooks = {link["href"].rpartition("/")[2] for link in followed["links"] if not link["href"].startswith("/d/")}
        assert runbooks
        assert all((ROOT / "dashboards" / "runbooks" / name).exists() for name in runbooks)

    def test_choices_narrow_each_other(self, followed: dict[str, Any]) -> None:
        """The choice of a cluster leaves its replicas; All also shows replicas without cluster and namespace."""
        everything = followed["targets"]["/d/extra-headers-overview"]["variables"]
        assert everything["cluster"]["options"] == ["eu"]
        assert len(everything["instance"]["options"]) == 3
        assert everything["provider"]["options"] == ["openai", "vllm"]
        one = followed["targets"][ONE_CLUSTER]["variables"]
        assert one["cluster"]["value"] == ["eu"]
        assert len(one["instance"]["options"]) == 1

    def test_queries_of_logs_are_logql(self, followed: dict[str, Any]) -> None:
        """Grafana's LogQL grammar accepts the queries of the audit log."""
        assert followed["errors"] == []
