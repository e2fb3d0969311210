"""What a reader chooses at the top of a dashboard, the alerts over its panels, and the links between dashboards."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import DataSourceRef

from extra_headers.telemetry import contract

from .promql import INSTANCE, JOB

OVERVIEW_UID: Final = "extra-headers-overview"
PROVIDER_UID: Final = "extra-headers-provider"

# ${__field.labels.x} and ${name:queryparam} are Grafana's; a field without the label leaves the choice as it was.
_KEPT = f"${{__url_time_range}}&${{datasource:queryparam}}&${{{JOB}:queryparam}}&${{{INSTANCE}:queryparam}}"

DATA_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

_ALL = models.VariableOption(selected=True, text=["All"], value=["$__all"])
_OWN_ALERTS = 'alertname=~"ExtraHeaders.*"'


def variables() -> list[builders.DatasourceVariable | builders.QueryVariable]:
    """Return data source, job, instance and provider; each narrows the choice of the next."""
    info = contract.POLICY_INFO
    by_job = f'{JOB}=~"${JOB}"'
    return [
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(models.VariableOption(text="default", value="default")),
        _label_values(JOB, "The scrape job of the servers.", info),
        _label_values(INSTANCE, "One replica of a server.", f"{info}{{{by_job}}}"),
        _label_values(
            contract.LABEL_PROVIDER,
            "The provider id in the server's run config.",
            f'{info}{{{by_job}, {INSTANCE}=~"${INSTANCE}"}}',
        ),
    ]


def _label_values(label: str, description: str, series: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(label)
        .label(label.capitalize())
        .description(description)
        .datasource(DATA_SOURCE)
        .query(f"label_values({series}, {label})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".+")
        .current(_ALL)
    )


def annotations() -> list[builders.AnnotationQuery]:
    """Return the project's alerts as regions over the graphs: red while firing, orange while pending."""
    return [_alerts("Firing alerts", "firing", "red"), _alerts("Pending alerts", "pending", "orange")]


def _alerts(name: str, state: str, colour: str) -> builders.AnnotationQuery:
    expr = f'ALERTS{{{_OWN_ALERTS}, alertstate="{state}"}}'
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATA_SOURCE)
        .enable(enable=True)
        .icon_color(colour)
        .expr(expr)
        .target(prometheus.Dataquery().expr(expr).ref_id("Anno").datasource(DATA_SOURCE).range())
        .title_format("{{alertname}}")
        .text_format(f"{{{{{contract.LABEL_PROVIDER}}}}}")
        .tag_keys(f"severity,category,{JOB},{contract.LABEL_PROVIDER}")
        .step("30s")
    )


def provider_detail_link() -> builders.DashboardLink:
    """Return the link from a series to the detail of its provider."""
    provider = f"var-{contract.LABEL_PROVIDER}=${{__field.labels.{contract.LABEL_PROVIDER}}}"
    return builders.DashboardLink("Provider detail").url(f"/d/{PROVIDER_UID}?{provider}&{_KEPT}")


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
