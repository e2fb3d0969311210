"""Draws the panels into docs/images: `python -m tests.dashboards.pictures [SECONDS]`, by `make pictures`.

Two exporters count the decisions on made-up traffic, a real Prometheus scrapes them, and Grafana's own React components
draw what it answers in a headless Chromium. No Grafana server takes part.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from extra_headers.dashboards.tuning import Tuning
from tests.dashboards.documents import Json, dashboards
from tests.dashboards.node import ROOT, SOURCE, bundle
from tests.dashboards.stack import Prometheus, Stack, wait_for
from tests.dashboards.story import REPLICAS, tell

IMAGES = ROOT / "docs" / "images"

_SCROLLBARS = "--alias:react-custom-scrollbars-2=./scrollbars.js"

WIDTH = 1600
_TITLE, _UNIT = 40, 38
_STEP = 2
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--virtual-time-budget=20000",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of a dashboard."""

    name: str
    dashboard: str
    rows: slice = slice(None)
    """Which of its rows."""


PICTURES = (
    Picture(name="attack.png", dashboard="extra-headers-overview.json", rows=slice(2)),
    Picture(name="overview.png", dashboard="extra-headers-overview.json"),
    Picture(name="provider-detail.png", dashboard="extra-headers-provider.json"),
)


def draw(seconds: float) -> None:
    """Run the traffic for so long, and draw every picture of that time."""
    click.echo("installing Grafana's packages (two minutes the first time)")
    define = '--define:process.env.NODE_ENV="production"'
    script = bundle(SOURCE / "render.jsx", "--format=iife", "--jsx=automatic", "--minify", define, _SCROLLBARS)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        exporters = tuple(stack.exporter(policies) for policies in REPLICAS)
        prometheus = stack.prometheus(*exporters, tuning=Tuning(window=60, slow_window=120, baseline=180, new_series=2))
        wait_for(lambda: len(prometheus.query("extra_headers_policy_info")) == 6, "the first scrapes")
        click.echo(f"traffic for {seconds:g} seconds")
        tell(exporters, seconds, threading.Event().wait)
        end = time.time()
        for picture in PICTURES:
            drawing = _drawing(picture, prometheus, end - seconds, end)
            _screenshot(drawing, script, IMAGES / picture.name)
            click.echo(f"docs/images/{picture.name}")


def _drawing(picture: Picture, prometheus: Prometheus, start: float, end: float) -> dict[str, Any]:
    dashboard = dashboards()[picture.dashboard]
    dashboard["panels"] = _rows(dashboard["panels"], picture.rows)
    results = {
        f"{panel['id']}/{target['refId']}": _answer(target, prometheus, start, end)
        for panel in dashboard["panels"]
        for target in panel.get("targets") or []
    }
    return {"dashboard": dashboard, "results": results, "from": start, "to": end, "width": WIDTH}


def _rows(panels: list[Json], chosen: slice) -> list[Json]:
    rows: list[list[Json]] = []
    for panel in panels:
        if panel["type"] == "row":
            if panel["collapsed"]:
                break
            rows.append([])
        rows[-1].append(panel)
    return [panel for row in rows[chosen] for panel in row]


def _answer(target: Json, prometheus: Prometheus, start: float, end: float) -> list[dict[str, Any]]:
    expr = target["expr"].replace("$__rate_interval", "15s").replace("$__range", f"{end - start:.0f}s")
    for variable in ("job", "instance", "provider"):
        expr = expr.replace(f"${variable}", ".+")
    for variable in ("cluster", "namespace"):
        expr = expr.replace(f"${variable}", ".*")
    if target.get("instant"):
        return prometheus.query(expr, end)
    # A rate needs its interval; the first seconds have none.
    return prometheus.query_range(expr, start, end, _STEP)


def _screenshot(drawing: dict[str, Any], script: Path, image: Path) -> None:
    image.parent.mkdir(parents=True, exist_ok=True)
    page = script.parent / "page.html"
    data = json.dumps(drawing).replace("</", "<\\/")
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="{script.with_suffix(".css").name}">'
        f'<div id="root"></div><script>window.DRAWING = {data}</script><script src="{script.name}"></script>',
        encoding="utf-8",
    )
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in drawing["dashboard"]["panels"])
    chromium = shutil.which("chromium") or sys.exit("chromium is not installed; see `make tools`")
    with tempfile.TemporaryDirectory() as profile:
        browser = [chromium, *_FLAGS, f"--user-data-dir={profile}", f"--window-size={WIDTH},{_TITLE + bottom * _UNIT}"]
        dom = subprocess.run(  # noqa: S603 - the lines above
            [*browser, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True, timeout=120
        )
        if "data-error" in dom.stdout:
            sys.exit(dom.stdout.partition("data-error=")[2][:2000])
        subprocess.run([*browser, f"--screenshot={image}", page.as_uri()], capture_output=True, check=True, timeout=120)  # noqa: S603 - ours


if __name__ == "__main__":
    draw(float(sys.argv[1]) if len(sys.argv) > 1 else 240)
