"""Tables: one instant query, its columns named, ordered, coloured and linked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .panels import Panel, PanelOptions, Query, described, property_of, target_of
from .variables import DATA_SOURCE

type Transformation = tuple[str, object]


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
    link: Mapping[str, str] | None = None
    """Title and address that each cell opens."""
    width: int | None = None


def organize(shown: Sequence[str], hidden: Sequence[str] = (), **renamed: str) -> Transformation:
    """Return the transformation that shows columns in this order, some under another name."""
    return (
        "organize",
        {
            "excludeByName": dict.fromkeys(("Time", "__name__", *hidden), True),
            "indexByName": {name: index for index, name in enumerate(shown)},
            "renameByName": renamed,
        },
    )


def table(
    options: PanelOptions,
    query: Query,
    *transformations: Transformation,
    columns: Sequence[Column] = (),
    sort_by: str | None = None,
) -> Panel:
    """Return a table of one instant query."""
    panel = (
        table_builders.Panel()
        .decimals(0)
        .with_target(target_of("A", query).instant().format(PromQueryFormat.TABLE))
        .transformations([models.DataTransformerConfig(id_val=name, options=opts) for name, opts in transformations])
        .show_header(show_header=True)
        .cell_height(common.TableCellHeight.SM)
        .datasource(DATA_SOURCE)
    )
    # An empty cell is not an empty table, whose sentence Grafana would show in it.
    panel.override_by_field_type("string", [property_of("noValue", "-")])
    if sort_by:
        panel.sort_by([common_builders.TableSortByFieldState().display_name(sort_by).desc(desc=True)])
    for column in columns:
        panel.override_by_name(column.name, _properties(column))
    return described(panel, options)


def _properties(column: Column) -> list[models.DynamicConfigValue]:
    properties = []
    if column.thresholds:
        properties.append(property_of("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
    elif column.colours:
        properties.append(property_of("custom.cellOptions", {"type": "color-text"}))
    if column.width is not None:
        properties.append(property_of("custom.width", column.width))
    if column.link:
        properties.append(property_of("links", [dict(column.link)]))
    if column.colours:
        properties.append(property_of("color", {"mode": "fixed", "fixedColor": "text"}))
    if column.thresholds:
        steps = [{"value": value, "color": colour} for value, colour in column.thresholds]
        properties += [
            property_of("thresholds", {"mode": "absolute", "steps": steps}),
            property_of("color", {"mode": "thresholds"}),
        ]
    shown = {text: {"text": text, "color": colour} for text, colour in (column.colours or {}).items()}
    shown |= {number: {"text": text} for number, text in (column.texts or {}).items()}
    if shown:
        for index, result in enumerate(shown.values()):
            result["index"] = str(index)
        properties.append(property_of("mappings", [{"type": "value", "options": shown}]))
    return properties
