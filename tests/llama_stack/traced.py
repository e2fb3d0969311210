"""A running server, and the spans that it exports."""

from dataclasses import dataclass

from opentelemetry.trace import SpanKind

from extra_headers.forwarding.demo.otlp import ExportedSpan, OtlpReceiver
from tests.server.stack import Stack
from tests.telemetry.servers import wait_until


@dataclass(frozen=True, slots=True)
class Traced:
    """A running server and the collector it exports to."""

    stack: Stack
    collector: OtlpReceiver

    def decided(self, kind: SpanKind, count: int = 1) -> list[ExportedSpan]:
        """Return the spans of one kind that carry a decision, once there are so many."""

        def found() -> list[ExportedSpan]:
            return [s for s in self.collector.spans if s.kind is kind and "extra_headers.provider" in s.attributes]

        wait_until(lambda: len(found()) >= count)
        return found()
