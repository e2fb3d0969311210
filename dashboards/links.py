"""The dashboards' addresses, and the links between them. A link keeps the time range and the chosen variables."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from extra_headers.telemetry import contract

from .promql import INSTANCE, JOB

OVERVIEW_UID: Final = "extra-headers-overview"
PROVIDER_UID: Final = "extra-headers-provider"

# ${__field.labels.x} and ${name:queryparam} are Grafana's; a field without the label leaves the choice as it was.
_KEPT = f"${{__url_time_range}}&${{datasource:queryparam}}&${{{JOB}:queryparam}}&${{{INSTANCE}:queryparam}}"


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
