"""Writes docs/telemetry.md from registry.yaml: `python -m extra_headers.telemetry.reference > docs/telemetry.md`."""

import sys
from importlib.resources import files
from typing import Any

import yaml

_INTRODUCTION = """\
# Telemetry reference

Generated from `telemetry/registry.yaml`; do not edit. `make docs` writes it.

Metrics are in prometheus-client's default registry: on OGX's own endpoint (`OGX_METRICS_ENDPOINT_ENABLED=1`, port
9464), or on the add-on's own (`EXTRA_HEADERS_METRICS_PORT`). Traces and log events go wherever the process's
OpenTelemetry providers send them; where there is no tracer provider and `OTEL_EXPORTER_OTLP_ENDPOINT` is set, the
add-on installs one. No metric, span, log line or error ever holds the value of a header.
"""


def registry() -> list[dict[str, Any]]:
    """Return the groups of the registry."""
    text = files("extra_headers.telemetry").joinpath("registry.yaml").read_text()
    groups: list[dict[str, Any]] = yaml.safe_load(text)["groups"]
    return groups


def render() -> str:
    """Return the reference as Markdown."""
    groups = registry()
    parts = [_INTRODUCTION, "## Metrics\n"]
    for group in (g for g in groups if g["type"] == "metric"):
        labels = ", ".join(f"`{label}`" for label in group["attributes"])
        facts = f"{group['instrument']}, unit `{group['unit']}`, labels {labels}"
        if "otel_name" in group:
            facts += f"; over OTLP `{group['otel_name']}`"
        parts.append(f"### `{group['metric_name']}`\n\n{_flat(group['brief'])} ({facts})\n")
        if "note" in group:
            parts.append(_flat(group["note"]) + "\n")
    titles = {
        "labels.extra_headers": "Labels",
        "span.extra_headers": "Span attributes",
        "event.extra_headers.decision": "Audit log",
        "environment.extra_headers": "Environment variables",
    }
    for group in (g for g in groups if g["id"] in titles):
        parts.append(
            f"## {titles[group['id']]}\n\n{_flat(group['brief'])} {_flat(group.get('note', ''))}".rstrip() + "\n"
        )
        parts.append("| name | type | meaning |\n|---|---|---|\n" + "".join(map(_row, group["attributes"])))
    return "\n".join(parts)


def _row(attribute: dict[str, Any]) -> str:
    if "members" in attribute:
        values = ", ".join(f"`{member}`" for member in attribute["members"])
    else:
        values = "e.g. " + ", ".join(f"`{example}`" for example in attribute["examples"])
    return f"| `{attribute['id']}` | {attribute['type']} | {_flat(attribute['brief'])} ({values}) |\n"


def _flat(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.stdout.write(render())
