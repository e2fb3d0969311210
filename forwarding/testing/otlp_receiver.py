"""An OTLP/HTTP receiver on loopback that keeps exported spans, decoded, and all payloads as raw bytes.

For the demo and for tests. It needs `opentelemetry-proto`, which OGX and every OTLP exporter install.
"""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind

from .loopback import LoopbackServer, Posted

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


class OtlpReceiver(LoopbackServer):
    """A receiver of traces, metrics and logs over OTLP/HTTP with protobuf, while the `with` block runs.

    Set OTEL_EXPORTER_OTLP_ENDPOINT to its `url`; exporters append the path of each signal.

    Args:
        port: to listen on; 0 for any free one.

    """

    def __init__(self, port: int = 0) -> None:
        # An empty body is a valid, successful answer: a message with every field at its default.
        super().__init__(lambda export: (self._receive(export), b""), port, "application/x-protobuf")
        self._changed = threading.Condition()
        self._spans: list[ExportedSpan] = []
        self._payloads: dict[str, list[bytes]] = {path: [] for path in (TRACES, METRICS, LOGS)}

    @property
    def spans(self) -> list[ExportedSpan]:
        """The spans so far, in order of arrival."""
        with self._changed:
            return list(self._spans)

    @property
    def payloads(self) -> dict[str, list[bytes]]:
        """The bodies so far, uncompressed, by path: `/v1/traces`, `/v1/metrics`, `/v1/logs`."""
        with self._changed:
            return {path: list(bodies) for path, bodies in self._payloads.items()}

    def wait_for(self, ready: Callable[[Sequence[ExportedSpan]], object], timeout: float) -> bool:
        """Return whether the spans so far satisfied `ready` within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(ready(self._spans)), timeout)

    def clear(self) -> None:
        """Forget all spans and payloads so far."""
        with self._changed:
            self._spans.clear()
            for bodies in self._payloads.values():
                bodies.clear()

    def _receive(self, export: Posted) -> HTTPStatus:
        decompress = _DECOMPRESS.get(export.headers.get("content-encoding", "").lower())
        if export.path not in self._payloads:
            return HTTPStatus.NOT_FOUND
        if decompress is None or export.headers.get_content_type() != "application/x-protobuf":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        try:
            payload = decompress(export.body)
            spans = list(_decode(payload)) if export.path == TRACES else []
        except Exception:  # whatever the decoders raise
            return HTTPStatus.BAD_REQUEST
        with self._changed:
            self._payloads[export.path].append(payload)
            self._spans.extend(spans)
            self._changed.notify_all()
        return HTTPStatus.OK


def _decode(payload: bytes) -> Iterator[ExportedSpan]:
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
