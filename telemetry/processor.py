"""The span processor: what makes the SDK's CLIENT spans carry decisions, and keeps header values out of them.

The one module here that needs the OpenTelemetry SDK, and so is loaded only where the SDK is: it takes a server that
has no use for it a tenth of a second to load. What the processor does stands in `spans`.
"""

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from .spans import annotate_client_span


class DecisionSpanProcessor(SpanProcessor):
    """Writes the decision to outbound CLIENT spans, and overwrites captured values of extra headers."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        """Complete a CLIENT span; HTTP instrumentations capture request headers before a span starts."""
        annotate_client_span(span)
