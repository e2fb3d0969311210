"""Writes docs/telemetry.md from the contract: `python -m extra_headers.telemetry.reference > docs/telemetry.md`."""

import sys
from collections.abc import Iterator, Sequence

from . import contract
from .audit_sinks import MAX_LINE_BYTES
from .contract import Attribute, Metric

_INTRODUCTION = """\
# Telemetry reference

Generated from `telemetry/contract.py`; do not edit. `make docs` writes it.

Metrics are registered in prometheus-client's default registry, which one of these endpoints serves:

| endpoint | switched on by | address |
|---|---|---|
| OGX's own | `OGX_METRICS_ENDPOINT_ENABLED=1` | `OGX_METRICS_HOST`, `OGX_METRICS_PORT` (9464 by default) |
| LiteLLM's own | the callback `prometheus` | `/metrics` of the proxy |
| the add-on's: any host, several workers | `EXTRA_HEADERS_METRICS_PORT` | `EXTRA_HEADERS_METRICS_HOST` and this port |

Both hosts are `127.0.0.1` by default, which only scrapers on the same machine can reach. For a Prometheus on another
machine or in another pod, set the host to `0.0.0.0` or to one address of the machine. Let only the scraper reach the
port, because the endpoint has no authentication. At start, the server logs where the metrics are, with a WARNING if no
endpoint serves them or only the same machine can reach it. Another INFO line for each provider shows its policy.

The process's OpenTelemetry providers export traces and log events. If the process has no tracer provider and
`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_TRACES_EXPORTER` is set, the add-on installs one; see
[OpenTelemetry Collector](otel-collector.md). No metric, span, log line or error contains the value of a header. What a
provider repeats in its answers has [limits](threat-model.md#what-is-not-defended).
"""

_SPANS = f"""\
These attributes are on the request's server span: names only, never a value. The CLIENT spans of the calls to the
provider that follow have all but the lists. A span carries one decision. The decision for a second provider of a
request, for an MCP server, or for a request of which no span is recorded has a span `{contract.SPAN_EVALUATE}`, to
which the CLIENT spans link. If that is not recorded, either, the CLIENT spans have the lists. A request without extra
headers has these attributes only where the server sets identity headers on it, and then without counts."""

_AUDIT = f"""\
A request with a blocked or malformed header, or one that is rejected because an identity header is missing, leads to
one OpenTelemetry log event `{contract.EVENT_DECISION}` and one audit record with the same attributes. With
`{contract.ENV_AUDIT}=all`, every request with extra headers or identity headers does. Records are rate-limited per
provider and process: a burst of 20, then 5 per second, and as many of requests from which nothing was stopped.

With `{contract.ENV_AUDIT_LOG}`, a record is one flat JSON object on one line of ASCII, of {MAX_LINE_BYTES:,} bytes at
most; longer lists and texts are cut. Without it, the record goes to the logger `{contract.LOGGER_AUDIT}`: a sentence,
with the same keys as attributes of the log record, where unprintable characters and brackets are escaped. [Audit
log](logs.md) shows how to collect and query records. An attribute without content is absent."""


def render() -> str:
    """Return the reference as Markdown."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Metrics\n"
    for metric in contract.METRICS.values():
        yield _metric(metric)
    yield _table(
        "Labels", "Label values come from closed sets and from the run config, never from a caller.", contract.LABELS
    )
    yield _table("Span attributes", _SPANS, (*contract.DECISION_ATTRIBUTES, *contract.SHADOW_ATTRIBUTES))
    yield _table("Audit log", _AUDIT, (*contract.AUDIT_KEYS, *contract.DECISION_ATTRIBUTES, *contract.AUDIT_ATTRIBUTES))
    yield _table("Environment variables", "Set these for the server process.", contract.ENVIRONMENT)


def _metric(metric: Metric) -> str:
    facts = f"{metric.kind}, unit `{metric.unit}`, labels {_code(metric.labels)}"
    if metric.otlp_name is not None:
        facts += f"; over OTLP `{metric.otlp_name}`"
    note = f"\n{metric.note}\n" if metric.note else ""
    return f"### `{metric.name}`\n\n{metric.help} ({facts})\n{note}"


def _table(title: str, introduction: str, rows: Sequence[Attribute]) -> str:
    header = "| name | type | meaning |\n|---|---|---|\n"
    return f"## {title}\n\n{introduction}\n\n{header}{''.join(map(_row, rows))}"


def _row(attribute: Attribute) -> str:
    values = _code(attribute.members) or f"e.g. `{attribute.example}`"
    return f"| `{attribute.name}` | {attribute.kind} | {attribute.help} ({values}) |\n"


def _code(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    sys.stdout.write(render())
