"""What outbound calls carry of the trace context, by setting and by who instruments the HTTP client."""

import itertools

import httpx
import httpx2
import pytest
from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from extra_headers.telemetry.origins import note_provider_urls
from extra_headers.telemetry.propagation import GuardedPropagator, is_callers_trace
from extra_headers.telemetry.spans import call_scope, clear_decision, is_provider_call
from tests.tracing import Tracing

_TRACE_ID = int("ab" * 16, 16)
_INBOUND = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "evil=1", "baggage": "who=me"}
_ALL = {"traceparent", "tracestate", "baggage"}
_SENT = {"none": set[str](), "traceparent": {"traceparent"}, "all": _ALL}


def _propagator(setting: str) -> GuardedPropagator:
    operators = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    return GuardedPropagator(operators, setting, is_provider_call)


def _sent(propagator: GuardedPropagator, context: Context, carrier: httpx.Headers | httpx2.Headers) -> set[str]:
    propagator.inject(carrier, context)
    return set(carrier) & _ALL


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_calls_that_only_the_addon_instruments(library: type) -> None:
    """By default they carry nothing, wherever they go: the host alone sends nothing."""
    for setting, expected in {**_SENT, "auto": set[str]()}.items():
        propagator = _propagator(setting)
        propagator.instruments(library.__name__)
        context = propagator.extract(_INBOUND)
        assert _sent(propagator, context, library.Headers()) == expected, setting  # type: ignore[attr-defined]


def test_calls_that_the_operator_instruments(tracing: Tracing) -> None:
    """Calls to a provider carry the traceparent by default; other calls are left alone."""
    settings = {**_SENT, "auto": {"traceparent"}}
    note_provider_urls("vllm", ["http://provider.test/v1"])
    try:
        for setting, unsampled in itertools.product(settings, (False, True)):
            propagator = _propagator(setting)
            context = propagator.extract(_INBOUND)
            clear_decision("vllm")
            for url, expected in {
                "http://provider.test/v1/chat": settings[setting],
                "http://tools.test/mcp": settings[setting] if unsampled else _ALL,
            }.items():
                # Of a call in an unsampled trace, the propagator cannot see where it goes.
                span = (
                    tracing.tracer.start_span("POST", context, SpanKind.CLIENT, attributes={"http.url": url})
                    if not unsampled
                    else trace.get_current_span(context)
                )
                called = trace.set_span_in_context(span, context)
                assert _sent(propagator, called, httpx.Headers()) == expected, (setting, url)
    finally:
        note_provider_urls("vllm", [])
        clear_decision()


def test_calls_to_nobodys_provider() -> None:
    """Without a call to a provider with extra headers, the operator's propagators do all that they do."""
    propagator = _propagator("none")
    context = propagator.extract(_INBOUND)
    with call_scope():
        assert _sent(propagator, context, httpx.Headers()) == _ALL
    assert propagator.fields == _ALL


def test_the_trace_id_of_a_caller() -> None:
    """It is known from the context of the request, and only there."""
    propagator = _propagator("auto")
    assert not is_callers_trace(_TRACE_ID)
    token = attach(propagator.extract(_INBOUND))
    try:
        assert is_callers_trace(_TRACE_ID)
        assert not is_callers_trace(1)
        assert baggage.get_baggage("who") == "me"
    finally:
        detach(token)
    assert not is_callers_trace(_TRACE_ID)
    token = attach(propagator.extract({}))
    try:
        assert not is_callers_trace(0)
    finally:
        detach(token)
