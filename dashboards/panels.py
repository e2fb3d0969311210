"""The kinds of panel that the dashboards are made of, each with the house's manners over the Grafana SDK's builders.

Every panel has a title, a description, a unit and a sentence for when it is empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome, Reason

from .variables import DATA_SOURCE, provider_detail_link

type Panel = timeseries_builders.Panel | stat_builders.Panel | table_builders.Panel


# Green passes, orange and yellow is blocked, purple and blue is malformed, red is an attack. The names are Grafana's,
# so that they follow its theme.
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

ATTEMPT_COLOURS: Final[Mapping[str, str]] = {
    Reason.CREDENTIAL.value: "red",
    Reason.OVERRIDE.value: "dark-red",
}

REASON_COLOURS: Final[Mapping[str, str]] = {
    **ATTEMPT_COLOURS,
    Reason.ROUTING.value: "dark-orange",
    Reason.CLIENT_IDENTITY.value: "orange",
    Reason.FRAMING.value: "light-orange",
    Reason.GATEWAY.value: "super-light-orange",
    Reason.ACCOUNT.value: "dark-yellow",
    Reason.OPERATOR.value: "yellow",
    Reason.NOT_ALLOWED.value: "light-yellow",
    Reason.SDK.value: "dark-blue",
    Reason.TRACE_CONTEXT.value: "blue",
    Reason.BROWSER.value: "light-blue",
    Reason.TYPE.value: "purple",
    Reason.NAME.value: "dark-purple",
    Reason.VALUE.value: "light-purple",
    Reason.DUPLICATE.value: "super-light-purple",
    Reason.ENVELOPE.value: "dark-blue",
    Reason.TOO_MANY.value: "blue",
    Reason.TOO_LARGE.value: "light-blue",
}
"""Reds for what would have replaced something of the server's, blues for what clients send without thinking."""

_REFS: Final = "ABCDEF"
_STAT_SIZE: Final = 56


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
    """Names the metric and says what to do."""
    unit: str
    empty: str
    """Shown instead of data."""
    width: int = 12
    height: int = 8


def timeseries(
    options: PanelOptions,
    *queries: Query,
    stacked: bool = False,
    most: float | None = None,
    colours: Mapping[str, str] | None = None,
) -> timeseries_builders.Panel:
    """Return a panel of lines over time.

    Args:
        options: title, description and so on.
        queries: what to draw.
        stacked: whether to add up, as areas.
        most: the end of the axis.
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
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(show_legend=True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
            .hide_zeros(hide_zeros=True)
        )
        .data_links([provider_detail_link()])
    )
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if most is not None:
        panel.max(most)
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, [_property("color", {"mode": "fixed", "fixedColor": colour})])
    for ref, query in zip(_REFS[: len(queries)], queries, strict=True):
        panel.with_target(_target(ref, query).range())
        if query.dashed:
            style = {"fill": "dash", "dash": [6, 6]}
            panel.override_by_query(
                ref,
                [
                    _property("custom.lineStyle", style),
                    _property("custom.lineWidth", 1),
                    _property("custom.fillOpacity", 0),
                ],
            )
    return _described(panel, options)


def stat(options: PanelOptions, query: Query, *, alarming_from: float | None = None) -> stat_builders.Panel:
    """Return a panel with one number per series; red from `alarming_from` on."""
    steps = [models.Threshold(color="green" if alarming_from is not None else "blue", value=None)]
    if alarming_from is not None:
        steps.append(models.Threshold(color="red", value=alarming_from))
    panel = (
        stat_builders.Panel()
        .decimals(0)
        .with_target(_target("A", query).instant())
        .thresholds(builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text(common_builders.VizTextDisplayOptions().value_size(_STAT_SIZE))
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _described(panel, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How one column of a table looks."""

    name: str
    colours: Mapping[str, str] | None = None
    """Colour of the text, by the text."""
    thresholds: Sequence[tuple[float | None, str]] = ()
    """Background by number."""
    texts: Mapping[str, str] | None = None
    """What to show instead of a number."""


def table(
    options: PanelOptions,
    query: Query,
    *,
    transformations: Sequence[tuple[str, object]],
    columns: Sequence[Column] = (),
    sort_by: str | None = None,
) -> table_builders.Panel:
    """Return a table of one instant query."""
    panel = (
        table_builders.Panel()
        .decimals(0)
        .with_target(_target("A", query).instant().format(PromQueryFormat.TABLE))
        .transformations(
            [models.DataTransformerConfig(id_val=name, options=settings) for name, settings in transformations]
        )
        .show_header(show_header=True)
        .cell_height(common.TableCellHeight.SM)
    )
    if sort_by:
        panel.sort_by([common_builders.TableSortByFieldState().display_name(sort_by).desc(desc=True)])
    for column in columns:
        panel.override_by_name(column.name, _column_properties(column))
    return _described(panel, options)


def _column_properties(column: Column) -> list[models.DynamicConfigValue]:
    cell = {"type": "color-background", "mode": "basic"} if column.thresholds else {"type": "color-text"}
    properties = [_property("custom.cellOptions", cell)]
    if column.colours:
        properties.append(_property("color", {"mode": "fixed", "fixedColor": "text"}))
    if column.thresholds:
        steps = [{"value": value, "color": colour} for value, colour in column.thresholds]
        properties += [
            _property("thresholds", {"mode": "absolute", "steps": steps}),
            _property("color", {"mode": "thresholds"}),
        ]
    shown = {text: {"text": text, "color": colour} for text, colour in (column.colours or {}).items()}
    shown |= {number: {"text": text} for number, text in (column.texts or {}).items()}
    if shown:
        for index, result in enumerate(shown.values()):
            result["index"] = str(index)
        properties.append(_property("mappings", [{"type": "value", "options": shown}]))
    return properties


def _target(ref: str, query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(DATA_SOURCE).exemplar(query.exemplars)
    return target.legend_format(query.legend) if query.legend else target


def _property(name: str, value: object) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)


def _described[P: (timeseries_builders.Panel, stat_builders.Panel, table_builders.Panel)](
    panel: P, options: PanelOptions
) -> P:
    return (
        panel.title(options.title)
        .description(options.description)
        .unit(options.unit)
        .no_value(options.empty)
        .datasource(DATA_SOURCE)
        .span(options.width)
        .height(options.height)
    )
