"""What grows with providers and requests: `python -m benchmarks.scaling` prints the tables of docs/scaling.md.

Series, bytes of a scrape and memory are measured on the add-on's own metrics, bytes of a span on its own attributes.
"""

import gzip
import tracemalloc
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.enforcement import labels_of
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry.metrics import Metrics, ProviderMetrics
from extra_headers.telemetry.spans import decision_attributes

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


def _span_bytes(headers: dict[str, str] | None) -> int:
    """Return the bytes that one span has over OTLP, with the decision on these headers or without any."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("benchmark").start_as_current_span("POST /v1/chat/completions") as span:
        if headers is not None:
            policy = Policy(block=("cookie-*",))
            evaluation = evaluate(headers, policy)
            span.set_attributes(decision_attributes(evaluation, "vllm", policy.digest))
    (finished,) = exporter.get_finished_spans()
    return _encoded(finished)


def _encoded(span: ReadableSpan) -> int:
    (resource,) = encode_spans([span]).resource_spans
    return int(resource.scope_spans[0].spans[0].ByteSize())


def main() -> None:
    """Print the tables."""
    print("| a provider | series | bytes of a scrape | compressed | memory |\n|---|---|---|---|---|")
    for what, setting in _SETTINGS.items():
        for every_name in (False, True):
            few, many = (_series(setting, count, every_name=every_name) for count in (1, 11))
            series, scrape, compressed, memory = ((b - a) // 10 for a, b in zip(few, many, strict=True))
            names = ", after every blocked name" if every_name else ""
            print(f"| {what}{names} | {series} | {scrape:,} | {compressed:,} | {memory / 1024:.0f} KiB |")
    empty = _span_bytes(None)
    print("\n| on each span of a request | bytes |" + "".join(f" {rate:,}/s |" for rate in _RATES))
    print("|---|---|" + "---|" * len(_RATES))
    for what, headers in _TRAFFIC.items():
        added = _span_bytes(headers) - empty
        columns = "".join(f" {added * rate / 1024:,.0f} KiB/s |" for rate in _RATES)
        print(f"| {what} | {added:,} |{columns}")


if __name__ == "__main__":
    main()
