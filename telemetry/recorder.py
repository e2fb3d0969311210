"""Records evaluated requests of one provider: counters and spans, together, and never at the request's expense."""

import logging
from collections.abc import Callable

from opentelemetry import trace

from extra_headers.forwarding.decisions import Evaluation
from extra_headers.telemetry import spans
from extra_headers.telemetry.metrics import Metrics, ProviderLabels, ProviderMetrics
from extra_headers.telemetry.setup import attach_span_processor, set_up_tracing

_log = logging.getLogger(__name__)


class Recorder:
    """The telemetry of one provider.

    No method raises: a fault of a registry, a tracer or an exporter is logged once and otherwise ignored.
    """

    def __init__(self, labels: ProviderLabels) -> None:
        self._labels = labels
        self._metrics: ProviderMetrics | None = None
        self._complained = False
        self._fail_open(self._set_up)

    def _set_up(self) -> None:
        set_up_tracing()
        metrics = Metrics.in_registry()
        self._metrics = ProviderMetrics(metrics, self._labels) if metrics else None

    def record(self, evaluation: Evaluation, seconds: float, base_url: str, caller: spans.Caller | None = None) -> None:
        """Record one evaluated request.

        Args:
            evaluation: the decisions.
            seconds: how long they took.
            base_url: of the provider, to recognize the spans of the calls to it.
            caller: whom the host authenticated.

        """
        self._fail_open(attach_span_processor)
        attributes = spans.decision_attributes(evaluation, self._labels.provider, self._labels.policy, caller)
        context = self._fail_open(lambda: spans.record_decision(attributes, evaluation.forwarded, base_url))
        if (metrics := self._metrics) is not None:
            self._fail_open(lambda: metrics.record(evaluation, seconds, _exemplar(context)))

    def record_nothing(self) -> None:
        """Note that the next call to the provider carries none of the caller's headers."""
        self._fail_open(spans.forget_decision)

    def _fail_open[T](self, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except Exception:
            if not self._complained:
                self._complained = True
                _log.exception("extra_headers: telemetry of provider %r failed; requests go on", self._labels.provider)
            return None


def _exemplar(context: trace.SpanContext | None) -> dict[str, str] | None:
    if context is None or not context.is_valid or not context.trace_flags.sampled:
        return None
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}
