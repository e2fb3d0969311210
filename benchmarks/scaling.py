"""What grows with providers and requests: `python -m benchmarks.scaling` prints the tables of docs/scaling.md.

Series, bytes of a scrape and memory are measured on the add-on's own metrics, bytes of a span on its own attributes.
"""

import gzip
import tracemalloc
from collections.abc import Iterator
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry, generate_latest

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.enforcement import labels_of
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry.metrics import Metrics, ProviderMetrics
from extra_headers.telemetry.spans import clear_decision, decision_attributes, record_decision
from extra_headers.telemetry.tracing import create_span_processor

_SETTINGS: dict[str, dict[str, Any]] = {
    "the flag alone": {},
    "with two identity headers": {"set": {"x-user": "${user.id}", "x-tenant": "${user.tenant}"}, "on_missing": "omit"},
    "with a shadow policy": {"shadow": {"allow": ["x-maas-*"]}},
}
_TRAFFIC: dict[str, dict[str, str]] = {
    "one header, forwarded": {"X-MaaS-Subscription": "free-tier"},
    "one of four blocked": {"X-MaaS-Subscription": "a", "X-Tenant": "b", "X-Region": "c", "User-Agent": "d"},
    "32 headers of 64 characters, all blocked": {f"cookie-{i:02}".ljust(64, "x"): "a" for i in range(32)},
}
_URL = "http://127.0.0.1:8000/v1/chat/completions"
_RATES = (10, 1_000, 100_000)


def _series(setting: dict[str, Any], providers: int, *, every_name: bool) -> tuple[int, int, int, int]:
    """Return series, bytes of a scrape, compressed bytes, and bytes of memory of so many providers."""
    policy = Policy.model_validate(setting)
    names = [rule.pattern.replace("*", "x") for rule in CORE_BLOCKLIST]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for number in range(providers):
        provider = ProviderMetrics(metrics, labels_of(f"provider-{number}", "remote::vllm", policy))
        if identity_headers := policy.identity_headers(User("somebody")):
            provider.record_identity_headers(identity_headers)
        for start in range(0, len(names) if every_name else 0, 30):
            provider.record(evaluate(dict.fromkeys(names[start : start + 30], "a"), policy), 1e-5)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    page = generate_latest(registry)
    lines = [line for line in page.splitlines() if not line.startswith(b"#")]
    return len(lines), len(page), len(gzip.compress(page)), after - before


def _bytes_of_spans(headers: dict[str, str] | None) -> tuple[int, ...]:
    """Return the bytes over OTLP of a request's span and its CLIENT span, with the decision on headers or without."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(create_span_processor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("benchmark")
    with tracer.start_as_current_span("POST /v1/chat/completions"):
        if headers is not None:
            policy = Policy(block=("cookie-*",))
            evaluation = evaluate(headers, policy)
            record_decision(decision_attributes(evaluation, "vllm", policy.digest), evaluation.forwarded, _URL)
        tracer.start_span("POST", kind=SpanKind.CLIENT, attributes={"url.full": _URL}).end()
    clear_decision()
    client, server = exporter.get_finished_spans()
    return _encoded(server), _encoded(client)


def _encoded(span: ReadableSpan) -> int:
    (resource,) = encode_spans([span]).resource_spans
    return int(resource.scope_spans[0].spans[0].ByteSize())


def of_providers(count: int = 10) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield a setting with series, bytes of a scrape, compressed bytes and bytes of memory of one provider of many."""
    for what, setting in _SETTINGS.items():
        for every_name in (False, True):
            few, many = (_series(setting, of, every_name=every_name) for of in (1, 1 + count))
            series, scrape, compressed, memory = ((b - a) // count for a, b in zip(few, many, strict=True))
            yield what + (", after every blocked name" if every_name else ""), series, scrape, compressed, memory


def of_requests() -> Iterator[tuple[str, int, int]]:
    """Yield a request with the bytes that its decision adds to its span and to a CLIENT span."""
    empty = _bytes_of_spans(None)
    for what, headers in _TRAFFIC.items():
        server, client = (b - a for a, b in zip(empty, _bytes_of_spans(headers), strict=True))
        yield what, server, client


def main() -> None:
    """Print the tables."""
    print("| a provider | series | bytes of a scrape | compressed | memory |\n|---|---|---|---|---|")
    for what, series, scrape, compressed, memory in of_providers():
        print(f"| {what} | {series} | {scrape:,} | {compressed:,} | {memory / 1024:.0f} KiB |")
    rates = " | ".join(f"{rate:,}/s" for rate in _RATES)
    print(f"\n| a request with | bytes on its span | on each CLIENT span | {rates} |\n|---|---|---|---|---|---|")
    for what, server, client in of_requests():
        columns = " | ".join(f"{(server + client) * rate / 1024:,.0f} KiB/s" for rate in _RATES)
        print(f"| {what} | {server:,} | {client:,} | {columns} |")


if __name__ == "__main__":
    main()
