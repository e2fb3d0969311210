"""Make traces flow: the add-on's span processor, a tracer provider where none is set, and httpx instrumentation.

Idempotent, and cooperates with `opentelemetry-instrument` and with hosts that did some of it first. Failing here must
never fail a server: each step logs one line instead. The SDK and the instrumentations are loaded where they are needed:
they would be most of what the add-on adds to the start of a server without traces.
"""

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_log = logging.getLogger(__name__)
_PROCESSOR_MARK = "_extra_headers_span_processor"


def set_up_tracing() -> None:
    """Install what is missing for decisions to be traced; do nothing where nobody wants traces."""
    for step in (_install_tracer_provider, attach_span_processor, _instrument_http_clients):
        _guarded(step)


def attach_span_processor() -> None:
    """Add the span processor to the global tracer provider, once."""
    provider = _sdk_provider()
    if provider is None or hasattr(provider, _PROCESSOR_MARK):
        return
    from .processor import DecisionSpanProcessor  # noqa: PLC0415 - see above

    setattr(provider, _PROCESSOR_MARK, True)
    provider.add_span_processor(DecisionSpanProcessor())


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
        _log.exception("extra_headers: %s failed; requests are not affected", step.__name__)


def _install_tracer_provider() -> None:
    """Install a tracer provider that exports over OTLP, where the environment asks for one and nobody installed any."""
    if not _wants_traces() or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    if importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        _log.warning(
            "extra_headers: OTEL_EXPORTER_OTLP_ENDPOINT is set but no exporter is installed; "
            "pip install opentelemetry-exporter-otlp-proto-http"
        )
        return
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _wants_traces() -> bool:
    environ = os.environ
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "otlp":
        return False
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))


def _instrument_http_clients() -> None:
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
