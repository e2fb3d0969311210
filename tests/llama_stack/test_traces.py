"""Traces of llama-stack."""

import pytest
from opentelemetry.trace import SpanKind

from tests.llama_stack.traced import Traced
from tests.telemetry.servers import FILTERED

_HEADERS = {"X-Tenant": "blue", "Authorization": "evil"}


@pytest.mark.parametrize("endpoint", ["chat", "chat_stream", "completion", "embeddings", "rerank"])
def test_every_way_out_carries_the_decision(traced: Traced, endpoint: str) -> None:
    """The address of a collector is enough: both spans have the decision, one the names, and none a value."""
    traced.stack.send("on", _HEADERS, endpoint)

    (received,) = traced.stack.upstream.take()
    call = traced.span_of(received)
    assert call.kind is SpanKind.CLIENT
    assert call.attributes["extra_headers.blocked.count"] == 1
    server = traced.span(lambda span: span.kind is SpanKind.SERVER and span.trace_id == call.trace_id)
    ours = {key: value for key, value in server.attributes.items() if key.startswith("extra_headers.")}
    assert ours == {**FILTERED, "extra_headers.policy": ours["extra_headers.policy"]}
    assert b"evil" not in b"".join(traced.collector.payloads["/v1/traces"])


def test_a_rejected_request_has_a_span(traced: Traced) -> None:
    """Nothing is sent, so no call can carry the decision; it is not lost."""
    traced.stack.send("reject_both", _HEADERS)

    span = traced.span(lambda span: span.attributes.get("extra_headers.outcome") == "rejected")
    assert span.kind is not SpanKind.CLIENT
    assert span.attributes["extra_headers.blocked.names"] == ["Authorization"]
