"""What every dashboard must have beyond a valid query, after the rules of Grafana's dashboard linter.

Only the rules that the generator does not keep by its types. Two are stricter: every selector has every variable, and
the counter rule also sees a selector with matchers.
"""

from collections.abc import Iterator

from extra_headers.dashboards.promql import TARGET_LABELS
from extra_headers.telemetry import contract
from tests.dashboards.documents import Json, panels
from tests.dashboards.promql import RANGE, RATE_INTERVAL, Selector, parse

UNITS = frozenset(("short", "locale", "percentunit", "s", "cps", "reqps"))
"""Ids of units that Grafana knows and that a panel here uses."""

_ON_TIME_RANGE_CHANGE = 2
_WITHOUT_PROVIDER = {"", contract.BUILD_INFO, contract.UNREAD_FIELDS_TOTAL}
_RATES = {"rate", "increase"}


def lint(dashboard: Json) -> list[str]:
    """Return every finding."""
    findings = [*_variables(dashboard)]
    for panel in panels(dashboard):
        findings += [f"{panel.get('title')}: {finding}" for finding in _panel(panel)]
    if dashboard.get("editable", False):
        findings.append("is editable, and a new generation would undo that")
    return findings


def _variables(dashboard: Json) -> Iterator[str]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        name = variable["name"]
        if not (variable.get("multi") and variable.get("includeAll")):
            yield f"${name} cannot be several or all"
        if variable.get("refresh") != _ON_TIME_RANGE_CHANGE:
            yield f"${name} is not refreshed when the time range changes"
        if variable["datasource"]["uid"] != "${datasource}":
            yield f"${name} is not from the chosen data source"


def _panel(panel: Json) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    if not panel.get("title") or not panel.get("description"):
        yield "has no title or no description"
    if defaults.get("unit") not in UNITS:
        yield f"has the unit {defaults.get('unit')!r}"
    if not defaults.get("noValue", "").endswith((".", "?")):
        yield "has no sentence for when it is empty"
    if not panel.get("targets"):
        yield "has no query"
    for target in panel.get("targets") or []:
        sources = {target["datasource"]["uid"], panel["datasource"]["uid"]}
        if sources not in ({"${datasource}"}, {"${loki_datasource}"}):
            yield f"queries {sources}"
        if target["datasource"]["type"] == "prometheus":
            yield from _query(target["expr"])


def _query(expr: str) -> Iterator[str]:
    try:
        selectors = parse(expr).selectors
    except ValueError as error:
        yield f"is not PromQL: {error}"
        return
    for selector in selectors:
        missing = [label for label in _needed(selector) if (label, "=~", f"${label}") not in selector.matchers]
        if missing:
            yield f"{selector.metric} does not follow {missing}"
        if selector.function in _RATES and selector.window not in {RATE_INTERVAL, RANGE}:
            yield f"{selector.metric} is not over $__rate_interval or $__range"
        if selector.metric.endswith("_total") and selector.function not in _RATES:
            yield f"counter {selector.metric} is not a rate"


def _needed(selector: Selector) -> tuple[str, ...]:
    if selector.metric == "ALERTS":
        # An alert may lack every other label.
        return TARGET_LABELS[:2]
    return TARGET_LABELS if selector.metric in _WITHOUT_PROVIDER else (*TARGET_LABELS, contract.LABEL_PROVIDER)
