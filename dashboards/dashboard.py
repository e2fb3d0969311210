"""Puts rows of panels, variables, annotations and links together into the JSON of one dashboard."""

import json
from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from .panels import Panel
from .variables import annotations, variables

type Rows = Mapping[str, Sequence[Panel]]
"""Panels by the title of their row, which is the question they answer."""


def assemble(uid: str, title: str, description: str, rows: Rows, links: Sequence[builders.DashboardLink]) -> str:
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
    for question, panels in rows.items():
        dashboard.with_row(builders.Row(question).id(next_id))
        for panel in panels:
            next_id += 1
            dashboard.with_panel(panel.id(next_id))
        next_id += 1
    return json.dumps(dashboard.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"
