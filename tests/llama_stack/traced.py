"""A running server, and the spans that it exports."""

from collections.abc import Callable
from dataclasses import dataclass

from extra_headers.forwarding.testing.otlp_receiver import ExportedSpan, OtlpReceiver
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from tests.server.stack import Stack
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Traced:
    """A running server and the collector it exports to."""

    stack: Stack
    collector: OtlpReceiver

    def span_of(self, received: ReceivedRequest) -> ExportedSpan:
        """Return the span of the call that a provider received."""
        (traceparent,) = received.values("traceparent")
        return self.span(lambda span: span.span_id in traceparent)

    def span(self, wanted: Callable[[ExportedSpan], bool]) -> ExportedSpan:
        """Return a wanted span, once it is there."""
        return wait_until(lambda: [span for span in self.collector.spans if wanted(span)])[0]
