"""The OTLP receiver, fed by OpenTelemetry's own exporter and by hand."""

import gzip
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind
from opentelemetry.util.types import AttributeValue

from extra_headers.forwarding.testing.otlp_receiver import LOGS, METRICS, TRACES, OtlpReceiver

SECONDS = 10.0


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Return a receiver on a free port."""
    with OtlpReceiver() as running:
        yield running


def export_two_spans(receiver: OtlpReceiver, compression: Compression) -> TracerProvider:
    """Export a server span and a client span within it, which links back to the first."""
    exporter = OTLPSpanExporter(f"{receiver.url}{TRACES}", compression=compression)
    provider = TracerProvider(resource=Resource({"service.name": "tested"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("the-scope")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER) as outer:
        link = Link(outer.get_span_context())
        attributes: dict[str, AttributeValue] = {"text": "a", "number": 3, "truth": True, "names": ["X-A", "X-B"]}
        tracer.start_span("inner", kind=SpanKind.CLIENT, attributes=attributes, links=[link]).end()
    provider.shutdown()
    return provider


def post(url: str, body: bytes, **headers: str) -> int:
    """Post a body as an exporter would and return the status."""
    named = {"content-type": "application/x-protobuf"} | {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, named), timeout=SECONDS) as answer:  # noqa: S310 - ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class TestOtlpReceiver:
    """What an exporter sends is there, decoded and raw."""

    @pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
    def test_decodes_spans(self, receiver: OtlpReceiver, compression: Compression) -> None:
        """Spans have their names, kinds, ids, links, attributes, resource and scope, whatever the compression."""
        export_two_spans(receiver, compression)
        inner, outer = receiver.spans
        assert (inner.name, inner.kind, outer.name, outer.kind) == ("inner", SpanKind.CLIENT, "outer", SpanKind.SERVER)
        assert inner.attributes == {"text": "a", "number": 3, "truth": True, "names": ["X-A", "X-B"]}
        assert inner.trace_id == outer.trace_id
        assert inner.parent_span_id == outer.span_id
        assert (outer.parent_span_id, outer.links) == ("", ())
        assert inner.links == ((outer.trace_id, outer.span_id),)
        assert (len(inner.trace_id), len(inner.span_id)) == (32, 16)
        assert inner.resource == {"service.name": "tested"}
        assert inner.scope == "the-scope"

    def test_keeps_payloads_uncompressed(self, receiver: OtlpReceiver) -> None:
        """The raw bytes of each signal can be searched, also when they came compressed."""
        export_two_spans(receiver, Compression.Gzip)
        assert post(receiver.url + METRICS, gzip.compress(b"some metrics"), content_encoding="gzip") == 200
        assert post(receiver.url + LOGS, b"some logs") == 200
        payloads = receiver.payloads
        assert any(b"the-scope" in payload for payload in payloads[TRACES])
        assert payloads[METRICS] == [b"some metrics"]
        assert payloads[LOGS] == [b"some logs"]

    def test_waits_for_a_condition(self, receiver: OtlpReceiver) -> None:
        """Waiting ends when the condition holds, or tells that it did not in time."""
        assert not receiver.wait_for(lambda spans: spans, timeout=0)
        export_two_spans(receiver, Compression.NoCompression)
        assert receiver.wait_for(lambda spans: len(spans) == 2, timeout=SECONDS)

    def test_forgets_on_request(self, receiver: OtlpReceiver) -> None:
        """A cleared receiver has neither spans nor payloads, and takes new ones."""
        export_two_spans(receiver, Compression.NoCompression)
        receiver.clear()
        assert (receiver.spans, receiver.payloads) == ([], {TRACES: [], METRICS: [], LOGS: []})
        export_two_spans(receiver, Compression.NoCompression)
        assert len(receiver.spans) == 2

    @pytest.mark.parametrize(
        ("path", "body", "headers", "status"),
        [
            ("/v1/other", b"", {}, 404),
            (TRACES, b"", {"content_type": "application/json"}, 415),
            (TRACES, b"", {"content_encoding": "br"}, 415),
            (TRACES, b"\xff\xff\xff", {}, 400),
            (TRACES, b"no gzip", {"content_encoding": "gzip"}, 400),
        ],
    )
    def test_refuses_what_it_cannot_decode(
        self, receiver: OtlpReceiver, path: str, body: bytes, headers: dict[str, str], status: int
    ) -> None:
        """A payload that is not OTLP in protobuf is answered with the fitting status, and not kept."""
        assert post(receiver.url + path, body, **headers) == status
        assert receiver.payloads == {TRACES: [], METRICS: [], LOGS: []}
