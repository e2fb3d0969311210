"""The rules of Grafana's dashboard linter, by their names there, without exclusions.

Written from the rules' documentation and behaviour (github.com/grafana/dashboard-linter). Two are stricter here: the
counter rule also sees a selector with matchers, and labels that the original only warns about are errors.
"""

import re
from collections.abc import Callable, Iterator

from tests.dashboards.documents import Json, panels
from tests.dashboards.promql import RATE_INTERVAL, parse
from tests.dashboards.units import VALID_UNITS

type DashboardRule = Callable[[Json], Iterator[str]]

_DATA_PANELS = {"stat", "singlestat", "graph", "table", "timeseries", "gauge"}
_QUERY_FUNCTIONS = {"label_names", "label_values", "metrics", "query_result"}
_ON_TIME_RANGE_CHANGE = 2


def lint(dashboard: Json) -> list[str]:
    """Return every finding, each with the name of its rule."""
    return [f"{name}: {finding}" for name, rule in RULES.items() for finding in rule(dashboard)]


def _variables(dashboard: Json, kind: str | None = None) -> list[Json]:
    listed: list[Json] = dashboard["templating"]["list"]
    return [v for v in listed if kind is None or v["type"] == kind]


def _queries(dashboard: Json) -> Iterator[tuple[Json, str]]:
    for panel in panels(dashboard):
        for target in panel.get("targets") or []:
            yield panel, target.get("expr", "")


def template_datasource(dashboard: Json) -> Iterator[str]:
    """Require a data source variable with the usual name and label."""
    sources = _variables(dashboard, "datasource")
    if not sources:
        yield "does not have a templated data source"
    for source in sources:
        kind = source["query"]
        names, labels = {f"{kind.lower()}_datasource"}, {f"{kind.title()} data source"}
        if len(sources) == 1:
            names.add("datasource")
            labels.add("Data source")
        if source["name"] not in names:
            yield f"data source variable {source['name']!r} should be one of {sorted(names)}"
        if source.get("label") not in labels:
            yield f"data source label {source.get('label')!r} should be one of {sorted(labels)}"


def _template(name: str) -> DashboardRule:
    def rule(dashboard: Json) -> Iterator[str]:
        found = [v for v in _variables(dashboard) if v["name"] == name]
        if not found:
            yield f"is missing the {name} variable"
        for variable in found:
            uid = (variable.get("datasource") or {}).get("uid")
            if uid not in {"$datasource", "${datasource}", "$prometheus_datasource", "${prometheus_datasource}"}:
                yield f"{name} should use the templated data source, not {uid!r}"
            if variable["type"] != "query":
                yield f"{name} should be a query, is {variable['type']!r}"
            if variable.get("label") != name.title():
                yield f"{name} should be labelled {name.title()!r}"
            if not variable.get("multi"):
                yield f"{name} should be a multi select"
            if variable.get("allValue") != ".+":
                yield f"{name} allValue should be '.+', is {variable.get('allValue')!r}"

    return rule


def template_label_promql(dashboard: Json) -> Iterator[str]:
    """Require that a query variable calls a known function on PromQL."""
    for variable in _variables(dashboard, "query"):
        query = variable["query"]["query"] if isinstance(variable["query"], dict) else variable["query"]
        call = re.search(r"([a-z_]+)\((.+)\)", query)
        if call is None or call[1] not in _QUERY_FUNCTIONS:
            yield f"variable {variable['name']!r}: invalid query {query!r}"
        elif call[1] == "label_values":
            series, _, _ = call[2].rpartition(",")
            if error := _fault(series):
                yield f"variable {variable['name']!r}: {error}"


def template_on_time_change_reload(dashboard: Json) -> Iterator[str]:
    """Require that query variables are refreshed when the time range changes."""
    for variable in _variables(dashboard, "query"):
        if variable.get("refresh") != _ON_TIME_RANGE_CHANGE:
            yield f"variable {variable['name']!r} should be refreshed on time range change"


def panel_datasource(dashboard: Json) -> Iterator[str]:
    """Require that each panel uses the data source variable."""
    known = {form.format(v["name"]) for v in _variables(dashboard, "datasource") for form in ("${}", "${{{}}}")}
    for panel in panels(dashboard):
        uid = (panel.get("datasource") or {}).get("uid")
        if uid not in known:
            yield f"panel {panel['title']!r} does not use a templated data source, but {uid!r}"


def panel_title_description(dashboard: Json) -> Iterator[str]:
    """Require a title and a description of each panel."""
    for panel in panels(dashboard):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel.get('id')} has no title or no description"


def panel_units(dashboard: Json) -> Iterator[str]:
    """Require a unit that Grafana knows of each panel."""
    for panel in panels(dashboard):
        unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
        if unit not in VALID_UNITS:
            yield f"panel {panel['title']!r} has no or an invalid unit: {unit!r}"


def panel_no_targets(dashboard: Json) -> Iterator[str]:
    """Require a query of each panel that shows data."""
    for panel in panels(dashboard):
        if panel["type"] in _DATA_PANELS and not panel.get("targets"):
            yield f"panel {panel['title']!r} has no targets"


def target_logql(dashboard: Json) -> Iterator[str]:
    """Refuse queries to Loki, whose two rules would need a LogQL parser."""
    for panel in panels(dashboard):
        for source in (panel, *(panel.get("targets") or [])):
            if (source.get("datasource") or {}).get("type") == "loki":
                yield f"panel {panel['title']!r} queries Loki, whose rules this linter does not have"


def target_promql(dashboard: Json) -> Iterator[str]:
    """Require that each query is PromQL."""
    for panel, expr in _queries(dashboard):
        if error := _fault(expr):
            yield f"panel {panel['title']!r}: {error}"


def target_rate_interval(dashboard: Json) -> Iterator[str]:
    """Require that rates are taken over $__rate_interval."""
    for panel, expr in _parsable(dashboard):
        for selector in parse(expr).selectors:
            if selector.function in {"rate", "irate"} and selector.window != RATE_INTERVAL:
                yield f"panel {panel['title']!r} should use $__rate_interval: {expr}"


def _target_matcher(label: str) -> DashboardRule:
    def rule(dashboard: Json) -> Iterator[str]:
        for panel, expr in _parsable(dashboard):
            for selector in parse(expr).selectors:
                if (label, "=~", f"${label}") not in selector.matchers:
                    yield f'panel {panel["title"]!r}: {selector.metric} needs {label}=~"${label}"'

    return rule


def target_counter_agg(dashboard: Json) -> Iterator[str]:
    """Require that counters stand in rate, irate or increase."""
    for panel, expr in _parsable(dashboard):
        for selector in parse(expr).selectors:
            if selector.metric.endswith("_total") and selector.function not in {"rate", "irate", "increase"}:
                yield f"panel {panel['title']!r}: counter {selector.metric} is not aggregated"


def uneditable(dashboard: Json) -> Iterator[str]:
    """Refuse a dashboard that can be edited in Grafana, where a new generation would undo it."""
    if dashboard.get("editable", False):
        yield "is editable"


def _parsable(dashboard: Json) -> Iterator[tuple[Json, str]]:
    return ((panel, expr) for panel, expr in _queries(dashboard) if not _fault(expr))


def _fault(expr: str) -> str | None:
    try:
        parse(expr)
    except ValueError as error:
        return f"invalid PromQL {expr!r}: {error}"
    return None


RULES: dict[str, DashboardRule] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": _template("job"),
    "template-instance-rule": _template("instance"),
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-logql-rule": target_logql,
    "target-logql-auto-rule": target_logql,
    "target-promql-rule": target_promql,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": _target_matcher("job"),
    "target-instance-rule": _target_matcher("instance"),
    "target-counter-agg-rule": target_counter_agg,
    "uneditable-dashboard": uneditable,
}
