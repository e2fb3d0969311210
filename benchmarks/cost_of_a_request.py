"""What deciding and recording extra headers costs, against OGX's own way to forward as many.

The reference is `build_forwarded_headers` of OGX's passthrough provider, which copies configured keys of the provider
data into headers, and records nothing. Both get the same names and the same values, and each call is a request with a
server span that has no decision yet.
"""

import contextvars
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping

from ogx.providers.utils.forward_headers import build_forwarded_headers
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util.types import AttributeValue

from benchmarks.sidebyside import Row, measure
from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry import audit
from extra_headers.telemetry.contract import LOGGER_AUDIT
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder

_BASE_URL = "http://127.0.0.1:8000/v1/"
_OUTBOUND = frozenset({"accept", "content-type", "user-agent", "authorization", "x-stainless-lang"})
VALUES: Mapping[str, Callable[[int], str]] = {
    "36-character ids": lambda i: str(uuid.UUID(int=i * 7919)),
    "8-character values": lambda i: f"value-{i:02d}",
}
REFERENCE = "build_forwarded_headers"
COMPARED = (
    "evaluate 10 clean headers",
    "evaluate 10 headers, 3 blocked, 1 malformed",
    "evaluate + counters + span attributes, 10 clean headers",
    "evaluate + counters + span attributes, 10 headers, 3 blocked, 1 malformed",
)
"""What is compared with the reference. The targets are for instructions, which other work does not change."""
# As the ASGI instrumentation starts it.
_SERVER_ATTRIBUTES: Mapping[str, AttributeValue] = {
    "http.scheme": "http",
    "http.host": "127.0.0.1:8321",
    "net.host.port": 8321,
    "http.flavor": "1.1",
    "http.target": "/v1/chat/completions",
    "http.url": "http://127.0.0.1:8321/v1/chat/completions",
    "http.method": "POST",
    "http.server_name": "127.0.0.1:8321",
    "http.user_agent": "OpenAI/Python 3.54.0",
    "net.peer.ip": "127.0.0.1",
    "net.peer.port": 40404,
    "http.route": "/v1/chat/completions",
}
_LINEAR = (1, 10, 100, 1000)
_LINEAR_TOLERANCE = 1.2


def rows() -> Iterator[Row]:
    """Measure."""
    requests = Requests()
    for kind in VALUES:
        timings = measure(ten_headers(kind, requests), requests.prepare)
        for what in COMPARED:
            yield Row(f"{what}, {kind}", "us", timings[what], timings[REFERENCE])
    yield from _more_and_more()


class Requests:
    """Requests to a server that traces, whose spans start before anything is measured."""

    def __init__(self) -> None:
        # No audit records but the first twenty: so many a second would be many for a server that valgrind slows down.
        audit._PER_SECOND = 0.0  # noqa: SLF001 - a rate that no operator can set
        logger = logging.getLogger(LOGGER_AUDIT)
        logger.propagate = False  # its records are written, but not to this terminal
        logger.addHandler(logging.NullHandler())
        trace.set_tracer_provider(TracerProvider())
        self._contexts: list[contextvars.Context] = []

    def prepare(self, count: int) -> None:
        """Start the spans of the next `count` requests."""
        self._contexts = [contextvars.copy_context() for _ in range(count)]
        for request in self._contexts:
            request.run(_start_server_span)
        self._next = iter(self._contexts).__next__

    def each(self, work: Callable[[], object]) -> Callable[[], object]:
        """Return what does some work in a request of its own at each call."""
        return lambda: self._next().run(work)


def _start_server_span() -> None:
    span = trace.get_tracer("benchmark").start_span(
        "POST /v1/chat/completions", kind=trace.SpanKind.SERVER, attributes=_SERVER_ATTRIBUTES
    )
    context.attach(trace.set_span_in_context(span))


def ten_headers(kind: str, requests: Requests) -> dict[str, Callable[[], object]]:
    """Return the reference and all that is compared with it, for one kind of values."""
    values = [VALUES[kind](i) for i in range(10)]
    policy = Policy(on_malformed="drop")
    recorder = Recorder(ProviderLabels(f"vllm {kind}", "remote::vllm", policy.digest, "drop", "drop"))
    clean = {f"X-Maas-Header-{i}": value for i, value in enumerate(values)}
    mixed = dict(zip([*list(clean)[:6], "Authorization", "Host", "X-Api-Key", "X-Bad"], values, strict=True))
    mixed["X-Bad"] += "\n"
    configured = {f"key_{i}": name for i, name in enumerate(clean)}
    provider_data = dict(zip(configured, values, strict=True))

    def whole(headers: dict[str, str]) -> None:
        recorder.record(evaluate(headers, policy, _OUTBOUND), 1e-6, _BASE_URL)

    compared: tuple[Callable[[], object], ...] = (
        lambda: evaluate(clean, policy, _OUTBOUND),
        lambda: evaluate(mixed, policy, _OUTBOUND),
        lambda: whole(clean),
        lambda: whole(mixed),
    )
    reference: Callable[[], object] = lambda: build_forwarded_headers(provider_data, configured)  # noqa: E731 - as the others
    subjects = {REFERENCE: reference, **dict(zip(COMPARED, compared, strict=True))}
    return {what: requests.each(work) for what, work in subjects.items()}


def _more_and_more() -> Iterator[Row]:
    policy = Policy.model_validate({"limits": {"max_headers": 1024, "max_total_bytes": 131072}})
    value = VALUES["36-character ids"]
    headers = {count: {f"X-Maas-Header-{i}": value(i) for i in range(count)} for count in _LINEAR}
    timings = measure({str(n): lambda h=h: evaluate(h, policy, _OUTBOUND) for n, h in headers.items()})  # type: ignore[misc]
    per_header = {count: timings[str(count)] for count in _LINEAR}
    ten = per_header[10]
    for count, timing in per_header.items():
        what = f"evaluate {count} header{'s' if count > 1 else ''}, against 10"
        linear = timing.median <= _LINEAR_TOLERANCE * count / 10 * ten.median if count > 10 else None
        yield Row(what, "us", timing, ten, "linear" if count > 10 else "", linear)
