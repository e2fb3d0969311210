"""The committed dashboards have no finding, and each check of the linter finds something."""

import copy
from collections.abc import Callable

import pytest

from tests.dashboards.documents import Json, dashboards, panels
from tests.dashboards.linter import lint


def test_dashboards_have_no_finding() -> None:
    """No committed dashboard has a finding."""
    assert {name: lint(dashboard) for name, dashboard in dashboards().items()} == {name: [] for name in dashboards()}


def _variable(dashboard: Json) -> Json:
    found: Json = next(v for v in dashboard["templating"]["list"] if v["type"] == "query")
    return found


def _panel(dashboard: Json) -> Json:
    return next(panels(dashboard))


def _query(expr: str) -> Callable[[Json], object]:
    return lambda dashboard: _panel(dashboard)["targets"][0].update(expr=expr)


_CHOSEN = ", ".join(f'{label}=~"${label}"' for label in ("cluster", "namespace", "job", "instance", "provider"))

BREAKS: dict[str, Callable[[Json], object]] = {
    "several or all": lambda d: _variable(d).update(multi=False),
    "not refreshed": lambda d: _variable(d).update(refresh=1),
    "not from the chosen": lambda d: _variable(d).update(datasource={"uid": "prometheus"}),
    "no title or no description": lambda d: _panel(d).update(description=""),
    "unit 'headers'": lambda d: _panel(d)["fieldConfig"]["defaults"].update(unit="headers"),
    "no sentence": lambda d: _panel(d)["fieldConfig"]["defaults"].update(noValue=""),
    "no query": lambda d: _panel(d).update(targets=[]),
    "queries {": lambda d: _panel(d).update(datasource={"uid": "prometheus"}),
    "not PromQL": _query("sum(rate("),
    "does not follow ['provider']": _query(f"rate(a{{{_CHOSEN.rpartition(', ')[0]}}}[$__rate_interval])"),
    "not over $__rate_interval": _query(f"rate(a_total{{{_CHOSEN}}}[5m])"),
    "is not a rate": _query(f"sum(a_total{{{_CHOSEN}}})"),
    "editable": lambda d: d.update(editable=True),
}


@pytest.mark.parametrize("finding", BREAKS)
def test_a_broken_dashboard_is_found(finding: str) -> None:
    """Each check reports a dashboard that breaks it."""
    broken = copy.deepcopy(next(iter(dashboards().values())))
    BREAKS[finding](broken)
    assert any(finding in found for found in lint(broken))
