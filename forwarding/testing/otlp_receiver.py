"""An OTLP/HTTP receiver on loopback: what a server exports, decoded and as raw bytes.

For the demo and for tests. `opentelemetry-proto` comes with OGX and with every OTLP exporter; the add-on itself does
not need it.
"""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind

TRACES, METRICS, LOGS = "/v1/traces", "/v1/metrics", "/v1/logs"

_DECOMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@dataclass(frozen=True, slots=True)
class ExportedSpan:
    """One span as it was exported."""

    name: str
    kind: SpanKind
    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_span_id: str
    """16 hex digits; empty for a root span."""
    attributes: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    """Trace id and span id of each linked span."""
    resource: Mapping[str, Any]
    """Attributes of the process that exported it."""
    scope: str
    """Name of the instrumentation that made it."""


@dataclass(slots=True)
class _Received:
    """What arrived so far, shared between the receiver and the threads that serve its connections."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    spans: list[ExportedSpan] = field(default_factory=list)
    payloads: dict[str, list[bytes]] = field(default_factory=lambda: {path: [] for path in (TRACES, METRICS, LOGS)})

    def add(self, path: str, payload: bytes, spans: Iterable[ExportedSpan]) -> None:
        with self.changed:
            self.payloads[path].append(payload)
            self.spans.extend(spans)
            self.changed.notify_all()


class OtlpReceiver:
    """A receiver of traces, metrics and logs over OTLP/HTTP with protobuf, while the `with` block runs.

    Its `url` is what OTEL_EXPORTER_OTLP_ENDPOINT is to be set to.

    Args:
        port: of the loopback interface to listen on; 0 for any free one.

    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._received = _Received()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", self._port), self._received)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="otlp", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    @property
    def url(self) -> str:
        """The base endpoint; exporters append the path of each signal."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def spans(self) -> list[ExportedSpan]:
        """The spans so far, in order of arrival."""
        with self._received.changed:
            return list(self._received.spans)

    @property
    def payloads(self) -> dict[str, list[bytes]]:
        """The bodies so far, uncompressed, by path: `/v1/traces`, `/v1/metrics`, `/v1/logs`."""
        with self._received.changed:
            return {path: list(bodies) for path, bodies in self._received.payloads.items()}

    def wait_for(self, ready: Callable[[Sequence[ExportedSpan]], object], timeout: float) -> bool:
        """Return whether the spans so far satisfied `ready` before `timeout` seconds had passed."""
        received = self._received
        with received.changed:
            return received.changed.wait_for(lambda: bool(ready(received.spans)), timeout)

    def clear(self) -> None:
        """Forget everything that arrived so far."""
        with self._received.changed:
            self._received.spans.clear()
            for bodies in self._received.payloads.values():
                bodies.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], received: _Received) -> None:
        super().__init__(address, _Handler)
        self.received = received


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(self._accept(body))
        # An empty body is a valid, successful answer: a message with every field at its default.
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def _accept(self, body: bytes) -> HTTPStatus:
        received = self.server.received
        decompress = _DECOMPRESS.get(self.headers.get("content-encoding", "").lower())
        if self.path not in received.payloads:
            return HTTPStatus.NOT_FOUND
        if decompress is None or self.headers.get_content_type() != "application/x-protobuf":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        try:
            payload = decompress(body)
            spans = list(_spans(payload)) if self.path == TRACES else []
        except Exception:  # whatever the decoders raise
            return HTTPStatus.BAD_REQUEST
        received.add(self.path, payload, spans)
        return HTTPStatus.OK

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""


def _spans(payload: bytes) -> Iterator[ExportedSpan]:
    for of_resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield ExportedSpan(
                    name=span.name,
                    # The API counts from 0; OTLP keeps 0 for "unspecified", to be taken as internal.
                    kind=SpanKind(max(span.kind - 1, 0)),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_span_id=span.parent_span_id.hex(),
                    attributes=_attributes(span.attributes),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    resource=resource,
                    scope=of_scope.scope.name,
                )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)
