"""Reads the generated dashboards the way the linter and the live tests look at them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from extra_headers.dashboards.generate import GENERATED

type Json = dict[str, Any]

FOLDER = GENERATED / "grafana" / "dashboards"


def dashboards() -> dict[str, Json]:
    """Return the committed dashboards by file name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


@dataclass(frozen=True, slots=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: Json
    query: Json

    @property
    def expr(self) -> str:
        """The PromQL with the dashboard's variables in it."""
        return str(self.query.get("expr", ""))

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel['title']} ({self.query['refId']})"


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield every panel, those inside rows too, but not the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels") or []
        else:
            yield panel


def targets() -> list[Target]:
    """Return every PromQL query of every panel of every dashboard."""
    return [
        Target(name, panel, query)
        for name, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for query in panel.get("targets") or []
        if query["datasource"]["type"] == "prometheus"
    ]
