"""What a reader chooses at the top of a dashboard, the annotations over its panels, and the dashboards' links."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import DataSourceRef

from extra_headers.telemetry import contract

from .promql import CLUSTER, INSTANCE, JOB, NAMESPACE, TARGET_LABELS, firing_alerts, selector
from .tuning import DEFAULT_RUNBOOKS

OVERVIEW_UID: Final = "extra-headers-overview"
PROVIDER_UID: Final = "extra-headers-provider"

DATA_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
LOKI: Final = DataSourceRef(type_val="loki", uid="${loki_datasource}")
LOG_STREAMS: Final = "log_streams"
"""Name of the variable with the stream selector of the servers' logs."""

_PROVIDER: Final = contract.LABEL_PROVIDER
_CHOICES: Final = (*TARGET_LABELS, _PROVIDER)
_OPTIONAL: Final = (CLUSTER, NAMESPACE)
_DESCRIPTIONS: Final = {
    CLUSTER: "Only where the scrape configuration or a global view adds this label.",
    NAMESPACE: "Only where the scrape configuration adds this label, as Kubernetes service discovery does.",
    JOB: "The scrape job of the servers.",
    INSTANCE: "One replica of a server.",
    _PROVIDER: "The provider id in the server's run config.",
}
_ALL: Final = models.VariableOption(selected=True, text=["All"], value=["$__all"])


def variables() -> list[builders.DatasourceVariable | builders.QueryVariable | builders.TextBoxVariable]:
    """Return the data sources and the choices; each choice narrows the next."""
    return [
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(models.VariableOption(text="default", value="default")),
        *(_label_values(label, _CHOICES[:index]) for index, label in enumerate(_CHOICES)),
        builders.DatasourceVariable("loki_datasource").label("Loki").type("loki"),
        builders.TextBoxVariable(LOG_STREAMS)
        .label("Log streams")
        .description("The stream selector of the servers' logs in Loki, without braces.")
        .default_value('job="ogx-audit"'),
    ]


def _label_values(label: str, narrowed_by: tuple[str, ...]) -> builders.QueryVariable:
    matchers = ", ".join(f'{other}=~"${other}"' for other in narrowed_by)
    series = f"{contract.POLICY_INFO}{{{matchers}}}" if matchers else contract.POLICY_INFO
    return (
        builders.QueryVariable(label)
        .label(label.capitalize())
        .description(_DESCRIPTIONS[label])
        .datasource(DATA_SOURCE)
        .query(f"label_values({series}, {label})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        # `.*` also matches series without the label.
        .all_value(".*" if label in _OPTIONAL else ".+")
        .current(_ALL)
    )


def annotations() -> list[builders.AnnotationQuery]:
    """Return the regions over the panels: firing alerts in red, pending ones in orange, policy changes in blue."""
    return [
        _alerts("Firing alerts", "firing", "red"),
        _alerts("Pending alerts", "pending", "orange"),
        _policy_changes(),
    ]


def _alerts(name: str, state: str, colour: str) -> builders.AnnotationQuery:
    runbook = f'<a href="{runbook_url("{{alertname}}")}">Runbook</a>'
    return _annotation(
        name,
        colour,
        firing_alerts(f'alertstate="{state}"'),
        "{{alertname}}",
        f"{{{{{_PROVIDER}}}}} {runbook}",
    ).tag_keys(f"severity,category,{JOB},{_PROVIDER}")


def _policy_changes() -> builders.AnnotationQuery:
    """Return the quarters of an hour after a provider's policy changed; neither a restart nor a new provider is one."""
    info = selector(contract.POLICY_INFO)
    before = f"present_over_time({info}[30m] offset 15m)"
    provider = f"{CLUSTER}, {NAMESPACE}, {JOB}, {_PROVIDER}"
    policy = f"{provider}, {contract.LABEL_POLICY}"
    expr = (
        f"group by ({policy}) ({info})\n"
        f"unless group by ({policy}) ({before})\n"
        f"and on ({provider}) group by ({provider}) ({before})"
    )
    text = f"{{{{{_PROVIDER}}}}}: {{{{{contract.LABEL_POLICY}}}}}"
    return _annotation("Policy changes", "blue", expr, "Policy changed", text).tag_keys(f"{JOB},{_PROVIDER}")


def _annotation(name: str, colour: str, expr: str, title: str, text: str) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATA_SOURCE)
        .enable(enable=True)
        .icon_color(colour)
        .expr(expr)
        .target(prometheus.Dataquery().expr(expr).ref_id("Anno").datasource(DATA_SOURCE).range())
        .title_format(title)
        .text_format(text)
        .step("30s")
    )


# A link may only name a label that the series has: Grafana replaces any other by nothing, and nothing matches that. The
# other variables keep their values: ${name:queryparam} is the whole parameter.
_TIME: Final = "${__url_time_range}"
_SOURCES: Final = ("datasource", "loki_datasource", LOG_STREAMS)


def series_links(legend: str) -> list[dict[str, str]]:
    """Return the link from a series to the detail of its provider or instance, if its legend shows one."""
    return [
        _narrowed(label, f"${{__field.labels.{label}}}")
        for label in (_PROVIDER, INSTANCE)
        if f"{{{{{label}}}}}" in legend
    ][:1]


def cell_link(label: str) -> dict[str, str]:
    """Return the link from a table's cell that shows a provider or an instance to its detail."""
    return _narrowed(label, "${__value.text}")


def runbook_url(alert: str) -> str:
    """Return the address of an alert's runbook."""
    return f"{DEFAULT_RUNBOOKS}/{alert}.md"


RUNBOOK_LINK: Final = {"title": "Runbook", "url": runbook_url("${__value.text}")}
"""From a table's cell that shows the name of an alert."""


def _narrowed(label: str, value: str) -> dict[str, str]:
    kept = (f"${{{name}:queryparam}}" for name in (*_SOURCES, *_CHOICES) if name != label)
    url = f"/d/{PROVIDER_UID}?{'&'.join((_TIME, f'var-{label}={value}', *kept))}"
    return {"title": f"Detail of this {label}", "url": url}


def dashboard_link(title: str, uid: str) -> builders.DashboardLink:
    """Return a link at the top of a dashboard to another one."""
    return (
        builders.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .icon("dashboard")
        .tooltip(f"Open {title} with the same time range and choices")
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
    )
