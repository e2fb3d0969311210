"""What of a caller's trace context goes out: no baggage and no tracestate to a provider, unless the operator allows it.

Every HTTP instrumentation asks the global propagator, so that is where it is decided. On the way in, the propagator
notes the trace id that a caller chose.
"""

from collections.abc import Callable, Mapping

from opentelemetry import propagate, trace
from opentelemetry.context import Context, get_value, set_value
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

_CALLERS_TRACE_ID = "extra_headers.callers_trace_id"
_TRACEPARENT = "traceparent"


def sends_trace_context() -> bool:
    """Return whether the caller of the current request sent a trace context."""
    return get_value(_CALLERS_TRACE_ID) is not None


def is_callers_trace(trace_id: int) -> bool:
    """Return whether the caller of the current request chose this trace id, by sending a trace context."""
    return trace_id != trace.INVALID_TRACE_ID and get_value(_CALLERS_TRACE_ID) == trace_id


class GuardedPropagator(TextMapPropagator):
    """Passes on what the operator's propagators write, or less.

    Args:
        propagator: the operator's.
        setting: `auto` sends nothing with calls that only the add-on instruments, and the W3C `traceparent` with other
            calls to a provider.
        is_provider_call: whether the span of a call belongs to a call to a provider with extra headers.

    """

    def __init__(
        self, propagator: TextMapPropagator, setting: str, is_provider_call: Callable[[trace.Span], bool]
    ) -> None:
        self._propagator = propagator
        self._setting = setting
        self._is_provider_call = is_provider_call
        self._instrumented: set[str] = set()

    def instruments(self, library: str) -> None:
        """Note that calls by an HTTP library are instrumented by nobody but the add-on."""
        self._instrumented.add(library)

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Read a caller's trace context, and note its trace id."""
        extracted = self._propagator.extract(carrier, context, getter)
        caller = trace.get_current_span(extracted).get_span_context()
        return set_value(_CALLERS_TRACE_ID, caller.trace_id, extracted) if caller.is_remote else extracted

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write what an outbound call may carry."""
        match self._allowed(carrier, context):
            case "all":
                self._propagator.inject(carrier, context, setter)
            case "traceparent":
                written: dict[str, str] = {}
                self._propagator.inject(written, context)
                if _TRACEPARENT in written:
                    setter.set(carrier, _TRACEPARENT, written[_TRACEPARENT])

    def allowed_to_provider(self, written: Mapping[str, str]) -> dict[str, str]:
        """Return what a call to a provider may carry of a trace context that the host has written by itself."""
        names = {"all": written.keys(), "none": set()}.get(self._setting, {_TRACEPARENT})
        return {name: value for name, value in written.items() if name in names}

    def _allowed(self, carrier: object, context: Context | None) -> str:
        # The instrumentations of httpx and httpx2 write into the library's own `Headers`.
        if type(carrier).__module__.partition(".")[0] in self._instrumented:
            return "none" if self._setting == "auto" else self._setting
        if self._is_provider_call(trace.get_current_span(context)):
            return "traceparent" if self._setting == "auto" else self._setting
        return "all"

    @property
    def fields(self) -> set[str]:
        """Names of the headers that the operator's propagators write."""
        return self._propagator.fields


def allowed_to_provider(written: Mapping[str, str]) -> dict[str, str]:
    """Return what a call to a provider may carry of a trace context that the host has written; nothing if unguarded."""
    current = propagate.get_global_textmap()
    return current.allowed_to_provider(written) if isinstance(current, GuardedPropagator) else {}


def guard_propagation(setting: str, is_provider_call: Callable[[trace.Span], bool]) -> GuardedPropagator:
    """Return the global propagator with a guard around it, put there unless it is there already."""
    current = propagate.get_global_textmap()
    if not isinstance(current, GuardedPropagator):
        current = GuardedPropagator(current, setting, is_provider_call)
        propagate.set_global_textmap(current)
    return current
