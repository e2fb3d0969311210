"""The kinds of panel that the dashboards are made of, each with the project's defaults over the Grafana SDK's builders.

Every panel has a title, a description, a unit and a sentence for when it is empty. Tables are in `tables`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import bargauge as bargauge_builders
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap as heatmap_builders
from grafana_foundation_sdk.builders import logs as logs_builders
from grafana_foundation_sdk.builders import loki, prometheus
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from extra_headers.forwarding.policy.decision import ATTEMPT_REASONS, REASONS, DecisionKind, Outcome, Reason

from .variables import DATA_SOURCE, LOKI, runbook_url, series_links

type Panel = (
    timeseries_builders.Panel
    | stat_builders.Panel
    | table_builders.Panel
    | heatmap_builders.Panel
    | logs_builders.Panel
    | bargauge_builders.Panel
)

# Green passes, orange is blocked, purple is malformed, red is an attack. The names are Grafana's and follow its theme.
NEUTRAL: Final = "#9DA5B4"

DECISION_COLOURS: Final[Mapping[str, str]] = {
    DecisionKind.FORWARDED.value: "green",
    DecisionKind.BLOCKED.value: "orange",
    DecisionKind.MALFORMED.value: "purple",
}

OUTCOME_COLOURS: Final[Mapping[str, str]] = {
    Outcome.CLEAN.value: "green",
    Outcome.FILTERED.value: "yellow",
    Outcome.REJECTED.value: "red",
}

REASON_GROUPS: Final[Mapping[str, tuple[Reason, ...]]] = {
    "credential and override": ATTEMPT_REASONS,
    "spoofing": (Reason.CLIENT_IDENTITY, Reason.ROUTING, Reason.FRAMING, Reason.GATEWAY, Reason.ACCOUNT),
    "policy": (Reason.OPERATOR, Reason.NOT_ALLOWED),
    "client noise": (Reason.SDK, Reason.TRACE_CONTEXT, Reason.BROWSER),
    "malformed": REASONS[DecisionKind.MALFORMED],
}
"""The reasons of blocked headers in four groups, and those of malformed ones: nobody can distinguish twenty colours."""

GROUP_COLOURS: Final[Mapping[str, str]] = dict(
    zip(REASON_GROUPS, ("red", "yellow", "blue", NEUTRAL, "purple"), strict=True)
)

REASON_COLOURS: Final[Mapping[str, str]] = {
    reason.value: GROUP_COLOURS[group] for group, reasons in REASON_GROUPS.items() for reason in reasons
}

NO_METRICS: Final = "No metrics in this range: is the server scraped?"
NO_REQUESTS: Final = "No request carried extra headers in this range."

_REFS: Final = "ABCDEF"
_SPARKLINE_POINTS: Final = 60
"""Each point of a stat's sparkline is a total over the whole time range, which is expensive to compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a panel."""

    expr: str
    legend: str = ""
    exemplars: bool = False
    """Whether to show exemplars: points that open the trace of one request."""
    dashed: bool = False
    """Whether to draw a thin dashed line, for what others are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelOptions:
    """What a reader needs to know of a panel."""

    title: str
    description: str
    """Names the metric and what to do."""
    unit: str
    empty: str
    """Shown instead of data."""
    width: int = 12
    height: int = 8
    alert: str | None = None
    """Name of the alert on what the panel shows; the panel links to its runbook."""


def timeseries(
    options: PanelOptions,
    *queries: Query,
    stacked: bool = False,
    most: float | None = None,
    alert_lines: Mapping[str, float] | None = None,
    colours: Mapping[str, str] | None = None,
) -> Panel:
    """Return a panel of lines over time.

    Args:
        options: title, description and so on.
        queries: what to draw.
        stacked: whether to add up, as areas.
        most: the end of the axis.
        alert_lines: where to draw the threshold lines of alerts, by their colours, the lowest first.
        colours: of series that have a meaning, by their names; the others get Grafana's palette.

    """
    panel = (
        timeseries_builders.Panel()
        .fill_opacity(40 if stacked else 8)
        .line_width(1 if stacked else 2)
        .show_points(common.VisibilityMode.NEVER)
        .min(0)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC))
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
            .calcs([])
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
            .hide_zeros(hide_zeros=True)
        )
        .datasource(DATA_SOURCE)
    )
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if most is not None:
        panel.max(most)
    if alert_lines:
        panel.thresholds(_thresholds("transparent", alert_lines)).thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
        # The lines are visible, however little happens.
        panel.axis_soft_max(max(alert_lines.values()) * 1.2)
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, [property_of("color", {"mode": "fixed", "fixedColor": colour})])
    for ref, query in zip(_REFS[: len(queries)], queries, strict=True):
        panel.with_target(target_of(ref, query).range())
        if links := series_links(query.legend):
            panel.override_by_query(ref, [property_of("links", links)])
        if query.dashed:
            style = {"fill": "dash", "dash": [6, 6]}
            panel.override_by_query(
                ref,
                [
                    property_of("custom.lineStyle", style),
                    property_of("custom.lineWidth", 1),
                    property_of("custom.fillOpacity", 0),
                ],
            )
    return described(panel, options)


def stat(options: PanelOptions, query: Query, *, alarming_from: float | None = None) -> Panel:
    """Return a panel with the last value of a query and its course as a sparkline; red from `alarming_from` on."""
    alarming = _thresholds("blue") if alarming_from is None else _thresholds("green", {"red": alarming_from})
    panel = (
        stat_builders.Panel()
        .decimals(0)
        .with_target(target_of("A", query).range())
        .max_data_points(_SPARKLINE_POINTS)
        .thresholds(alarming)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .datasource(DATA_SOURCE)
    )
    return described(panel, options)


def heatmap(options: PanelOptions, query: Query) -> Panel:
    """Return a heatmap of a histogram's buckets over time."""
    colours = (
        heatmap_builders.HeatmapColorOptions()
        .mode(heatmap_models.HeatmapColorMode.SCHEME)
        .scheme("Oranges")
        .exponent(0.5)
        .steps(64)
    )
    panel = (
        heatmap_builders.Panel()
        .calculate(calculate=False)
        .color(colours)
        .cell_gap(1)
        .y_axis(heatmap_builders.YAxisConfig().unit(options.unit))
        .with_target(target_of("A", query).range().format(PromQueryFormat.HEATMAP))
        .datasource(DATA_SOURCE)
    )
    return described(panel, options)


def logs(options: PanelOptions, expr: str) -> Panel:
    """Return the lines of a LogQL query, the newest first."""
    panel = (
        logs_builders.Panel()
        .show_time(show_time=True)
        .wrap_log_message(wrap_log_message=True)
        .enable_log_details(enable_log_details=True)
        .sort_order(common.LogsSortOrder.DESCENDING)
        .with_target(loki.Dataquery().expr(expr).ref_id("A").datasource(LOKI).query_type("range"))
        .datasource(LOKI)
    )
    return described(panel, options)


def bars(options: PanelOptions, expr: str, legend: str) -> Panel:
    """Return a horizontal bar for each series of a LogQL metric query."""
    query = loki.Dataquery().expr(expr).ref_id("A").legend_format(legend).datasource(LOKI).query_type("instant")
    panel = (
        bargauge_builders.Panel()
        .decimals(0)
        .min(0)
        .thresholds(_thresholds("blue"))
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(query)
        .datasource(LOKI)
    )
    return described(panel, options)


def target_of(ref: str, query: Query) -> prometheus.Dataquery:
    """Return the query in Grafana's form."""
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(DATA_SOURCE).exemplar(query.exemplars)
    return target.legend_format(query.legend) if query.legend else target


def property_of(name: str, value: object) -> models.DynamicConfigValue:
    """Return one property of a field override."""
    return models.DynamicConfigValue(id_val=name, value=value)


def described(panel: Panel, options: PanelOptions) -> Panel:
    """Return the panel with what a reader needs to know of it."""
    if options.alert:
        link = builders.DashboardLink(f"Runbook of {options.alert}").url(runbook_url(options.alert))
        panel.links([link.target_blank(target_blank=True)])
    return (
        panel.title(options.title)
        .description(options.description)
        .unit(options.unit)
        .no_value(options.empty)
        .span(options.width)
        .height(options.height)
    )


def _thresholds(base: str, above: Mapping[str, float] | None = None) -> builders.ThresholdsConfig:
    steps = [models.Threshold(color=base, value=None)]
    steps += [models.Threshold(color=colour, value=value) for colour, value in (above or {}).items()]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
