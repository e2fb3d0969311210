"""Puts rows of panels, variables, annotations and links together into the JSON of one dashboard."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from .panels import Panel
from .variables import annotations, variables


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under the question that they answer."""

    question: str
    panels: Sequence[Panel]
    collapsed: bool = False
    """Whether the panels are loaded only when a reader opens the row."""


def assemble(
    uid: str, title: str, description: str, rows: Sequence[Row], links: Sequence[builders.DashboardLink]
) -> str:
    """Return a dashboard's JSON. Panel ids are given in order, so that links to a panel survive a new generation."""
    dashboard = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["extra-headers", "ogx", "security"])
        .time("now-6h", "now")
        .refresh("1m")
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables(list(variables()))
        .annotations(list(annotations()))
        .links(list(links))
    )
    next_id = 1
    for row in rows:
        header = builders.Row(row.question).id(next_id)
        panels = [panel.id(next_id + index) for index, panel in enumerate(row.panels, 1)]
        next_id += len(panels) + 1
        if row.collapsed:
            for panel in panels:
                header.with_panel(panel)
        dashboard.with_row(header.collapsed(row.collapsed))
        if not row.collapsed:
            for panel in panels:
                dashboard.with_panel(panel)
    return json.dumps(dashboard.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"
