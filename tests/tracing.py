"""A tracer provider for tests, with ids that do not change from run to run. The global one stays untouched."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Tracer

from extra_headers.telemetry.spans import clear_decision
from extra_headers.telemetry.tracing import create_span_processor


class _CountingIds(IdGenerator):
    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def generate_span_id(self) -> int:
        return next(self._numbers)

    def generate_trace_id(self) -> int:
        return next(self._numbers) << 64


@dataclass(frozen=True, slots=True)
class Tracing:
    """A tracer provider with the add-on's span processor, and what it exported."""

    provider: TracerProvider
    exporter: InMemorySpanExporter

    @property
    def tracer(self) -> Tracer:
        """A tracer of the provider."""
        return self.provider.get_tracer("tests")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that ended so far."""
        return self.exporter.get_finished_spans()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return everything of the ended spans that does not depend on the time."""
        return [
            {
                "name": span.name,
                "kind": span.kind.name,
                "span_id": span.context.span_id,
                "parent": span.parent.span_id if span.parent else None,
                "links": [link.context.span_id for link in span.links],
                "attributes": {k: list(v) if isinstance(v, tuple) else v for k, v in (span.attributes or {}).items()},
            }
            for span in self.spans
        ]


@contextmanager
def in_memory_tracing() -> Iterator[Tracing]:
    """Run a tracer provider that exports into memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(id_generator=_CountingIds())
    provider.add_span_processor(create_span_processor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Tracing(provider, exporter)
    clear_decision()
    provider.shutdown()
