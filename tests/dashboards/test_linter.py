"""The committed dashboards pass Grafana's lint rules, and each rule finds what it is for."""

import copy
from collections.abc import Callable

import pytest

from tests.dashboards.documents import Json, dashboards, panels
from tests.dashboards.linter import RULES, lint


@pytest.mark.parametrize("name", dashboards())
def test_dashboard_passes_every_rule(name: str) -> None:
    """A committed dashboard has no finding under any rule of Grafana's dashboard linter, without exclusions."""
    assert lint(dashboards()[name]) == []


def _variable(dashboard: Json, name: str) -> Json:
    found: Json = next(v for v in dashboard["templating"]["list"] if v["name"] == name)
    return found


def _panel(dashboard: Json) -> Json:
    return next(panels(dashboard))


def _set_expr(expr: str) -> Callable[[Json], object]:
    return lambda dashboard: _panel(dashboard)["targets"][0].update(expr=expr)


_CHOSEN = 'job=~"$job", instance=~"$instance"'

BREAKS: dict[str, Callable[[Json], object]] = {
    "template-datasource-rule": lambda d: _variable(d, "datasource").update(name="source"),
    "template-job-rule": lambda d: _variable(d, "job").update(multi=False),
    "template-instance-rule": lambda d: _variable(d, "instance").update(allValue=".*"),
    "template-label-promql-rule": lambda d: _variable(d, "job").update(query="label_values(a{, job)"),
    "template-on-time-change-reload-rule": lambda d: _variable(d, "provider").update(refresh=1),
    "panel-datasource-rule": lambda d: _panel(d).update(datasource={"uid": "prometheus"}),
    "panel-title-description-rule": lambda d: _panel(d).update(description=""),
    "panel-units-rule": lambda d: _panel(d)["fieldConfig"]["defaults"].update(unit="headers"),
    "panel-no-targets-rule": lambda d: _panel(d).update(targets=[]),
    "target-logql-rule": lambda d: _panel(d)["targets"][0].update(datasource={"type": "loki", "uid": "x"}),
    "target-logql-auto-rule": lambda d: _panel(d)["targets"][0].update(datasource={"type": "loki", "uid": "x"}),
    "target-promql-rule": _set_expr("sum(rate("),
    "target-rate-interval-rule": _set_expr(f"rate(a_total{{{_CHOSEN}}}[5m])"),
    "target-job-rule": _set_expr('rate(a_total{instance=~"$instance"}[$__rate_interval])'),
    "target-instance-rule": _set_expr('rate(a_total{job=~"$job", instance="$instance"}[$__rate_interval])'),
    "target-counter-agg-rule": _set_expr(f"sum(a_total{{{_CHOSEN}}})"),
    "uneditable-dashboard": lambda d: d.update(editable=True),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_finds_what_it_is_for(rule: str) -> None:
    """Each rule reports a dashboard that breaks it: none of them is empty."""
    broken = copy.deepcopy(next(iter(dashboards().values())))
    BREAKS[rule](broken)
    assert any(finding.startswith(f"{rule}: ") for finding in lint(broken))
