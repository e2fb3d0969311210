"""Make traces flow: the add-on's span processor, a tracer provider where none is set, and httpx instrumentation.

Idempotent, and cooperates with `opentelemetry-instrument` and with hosts that did some of it first. Failing here must
never fail a server: each step logs one line instead. The SDK and the instrumentations are loaded where they are needed:
they would be most of what the add-on adds to the start of a server without traces.
"""

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from opentelemetry import trace

from .propagation import GuardedPropagator, guard_propagation
from .spans import annotate_client_span, is_provider_call

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider

_log = logging.getLogger(__name__)
_PROCESSOR_MARK = "_extra_headers_span_processor"
_EXPORTER_PACKAGES = {
    "otlp_proto_http": "extra-headers-forwarding[otlp]",
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
}


def set_up_tracing(propagation: str = "auto") -> None:
    """Install what is missing for decisions to be traced; do nothing where nobody wants traces.

    Args:
        propagation: what outbound calls carry of the trace context.

    """
    propagator = guard_propagation(propagation, is_provider_call)
    for step in (_install_tracer_provider, attach_span_processor, lambda: _instrument_http_clients(propagator)):
        _guarded(step)


def attach_span_processor() -> None:
    """Add the span processor to the global tracer provider, once."""
    provider = _sdk_provider()
    if provider is None or hasattr(provider, _PROCESSOR_MARK):
        return
    setattr(provider, _PROCESSOR_MARK, True)
    provider.add_span_processor(create_span_processor())


def create_span_processor() -> "SpanProcessor":
    """Return what writes decisions to CLIENT spans, and keeps captured values of extra headers out of them."""
    from opentelemetry.sdk.trace import SpanProcessor  # noqa: PLC0415 - see above

    class DecisionSpanProcessor(SpanProcessor):
        def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:  # noqa: ARG002 - the SDK's
            annotate_client_span(span)  # HTTP instrumentations capture request headers before a span starts

    return DecisionSpanProcessor()


def _sdk_provider() -> "TracerProvider | None":
    """Return the global tracer provider where it is one of the SDK; nobody can have set one without loading the SDK."""
    if (sdk := sys.modules.get("opentelemetry.sdk.trace")) is None:
        return None
    provider = trace.get_tracer_provider()
    return provider if isinstance(provider, sdk.TracerProvider) else None


def _guarded(step: Callable[[], None]) -> None:
    try:
        step()
    except Exception:
        _log.exception("extra_headers: no traces, or not all of them; requests are not affected")


def _install_tracer_provider() -> None:
    """Install a tracer provider where the environment asks for traces and nobody installed any.

    It is what the SDK's own configurator makes of the environment, but for metrics and logs: those are the host's.
    """
    if not _wants_traces() or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    from opentelemetry.sdk import _configuration as sdk  # noqa: PLC0415 - see above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    names: Sequence[str] = ()
    try:
        with _defaults_of_the_specification():
            names = sdk._get_exporter_names("traces")  # noqa: SLF001 - `opentelemetry-instrument` calls it, too
        exporters, _, _ = sdk._import_exporters(names, [], [])  # noqa: SLF001
        sdk._init_tracing(  # noqa: SLF001
            exporters=exporters,
            sampler=sdk._import_sampler(sdk._get_sampler()),  # noqa: SLF001
            id_generator=sdk._import_id_generator(sdk._get_id_generator()),  # noqa: SLF001
            resource=Resource.create(),
        )
    except Exception as error:
        _log.warning("extra_headers: no traces, requests are not affected: %s%s", error, _hint(names))


def _wants_traces() -> bool:
    if _given("OTEL_SDK_DISABLED").lower() == "true":
        return False
    if exporters := _given("OTEL_TRACES_EXPORTER"):
        return exporters.lower() != "none"
    return bool(_given("OTEL_EXPORTER_OTLP_ENDPOINT") or _given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


def _given(variable: str) -> str:
    """Return the value of a variable; an empty one is unset, by the specification."""
    return os.environ.get(variable, "").strip()


@contextmanager
def _defaults_of_the_specification() -> Iterator[None]:
    """Have unset variables read as OTLP over HTTP. The SDK's own defaults are gRPC, and not to export."""
    defaults = {"OTEL_TRACES_EXPORTER": "otlp"}
    if not _given("OTEL_EXPORTER_OTLP_PROTOCOL"):
        defaults["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf"
    before = {name: os.environ.get(name) for name in defaults if not _given(name)}
    os.environ.update({name: defaults[name] for name in before})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _hint(names: Sequence[str]) -> str:
    installed = {entry.name for entry in entry_points(group="opentelemetry_traces_exporter")}
    missing = [package for name, package in _EXPORTER_PACKAGES.items() if name in names and name not in installed]
    return f"; pip install '{missing[0]}'" if missing else ""


def _instrument_http_clients(propagator: GuardedPropagator) -> None:
    """Instrument httpx and httpx2, where present: openai 3 speaks httpx2, earlier ones httpx."""
    if _sdk_provider() is None:
        return
    from opentelemetry.instrumentation.httpx import (  # noqa: PLC0415 - see above
        HTTPX2ClientInstrumentor,
        HTTPXClientInstrumentor,
    )

    for module, instrumentor in (("httpx", HTTPXClientInstrumentor), ("httpx2", HTTPX2ClientInstrumentor)):
        if importlib.util.find_spec(module) is None:
            continue
        instance = instrumentor()
        if not instance.is_instrumented_by_opentelemetry:
            instance.instrument()
            propagator.instruments(module)
