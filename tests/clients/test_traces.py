"""Spans of the calls: the decision is on the CLIENT span of its own call, its names once, and no value on any."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor

from extra_headers.forwarding import ExtraHeaders
from extra_headers.forwarding.testing.recording_provider import Answer, RecordingProvider
from extra_headers.telemetry import contract
from tests.clients.kinds import Kind, http_library_of_openai
from tests.tracing import Tracing

_CAPTURED = contract.HTTP_REQUEST_HEADER_PREFIX


@pytest.fixture(autouse=True)
def _capture_every_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", ".*")


def _instrument(kind: Kind, tracing: Tracing) -> Callable[[Any], None]:
    library = http_library_of_openai() if kind.library == "openai" else kind.library
    instrumentor: Any = HTTPX2ClientInstrumentor if library == "httpx2" else HTTPXClientInstrumentor
    return lambda http_client: instrumentor.instrument_client(http_client, tracer_provider=tracing.provider)


async def test_the_decision_is_on_both_spans(
    kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider, tracing: Tracing
) -> None:
    """The span around the call and the CLIENT span carry it, the former with names; captured values are overwritten."""
    client = kind.make_instrumented(upstream.base_url, _instrument(kind, tracing))
    with tracing.tracer.start_as_current_span("work"):
        await kind.call(extra_headers.with_headers(client, {"X-Tenant": "secret-1", "Cookie": "secret-2"}))
    await kind.close(client)

    expected = {
        "extra_headers.provider": extra_headers.provider,
        "extra_headers.outcome": "filtered",
        "extra_headers.blocked.count": 1,
    }
    call, work = tracing.snapshot()
    for span in (call, work):
        assert {key: value for key, value in span["attributes"].items() if key in expected} == expected
    names = {"extra_headers.forwarded.names": ["X-Tenant"], "extra_headers.blocked.names": ["Cookie"]}
    assert {key: value for key, value in work["attributes"].items() if key.endswith(".names")} == names
    assert not any(key.endswith(".names") for key in call["attributes"])
    assert call["attributes"][f"{_CAPTURED}x_tenant"] == ["[REDACTED]"]
    assert call["attributes"][f"{_CAPTURED}accept"] != ["[REDACTED]"]
    assert "secret" not in repr(tracing.snapshot())


async def test_copies_used_in_another_order(
    kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider, tracing: Tracing
) -> None:
    """Redaction and decision are those of the copy, not of the headers that were taken last."""
    client = kind.make_instrumented(upstream.base_url, _instrument(kind, tracing))
    first = extra_headers.with_headers(client, {"X-First": "secret-1"})
    second = extra_headers.with_headers(client, {"X-Second": "secret-2", "Host": "secret-3"})
    for carrying in (second, first, client):
        await kind.call(carrying)
    await kind.close(client)

    spans = [span["attributes"] for span in tracing.snapshot()]
    assert [span.get("extra_headers.forwarded.names") for span in spans] == [["X-Second"], ["X-First"], None]
    assert [span.get("extra_headers.blocked.count") for span in spans] == [1, 0, None]
    assert "secret" not in repr(spans)


async def test_a_copy_that_crosses_threads(
    kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider, tracing: Tracing
) -> None:
    """A framework that takes the headers in one thread and makes the call in another gets the same spans."""
    client = kind.make_instrumented(upstream.base_url, _instrument(kind, tracing))
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(extra_headers.with_headers(client, {"X-Tenant": "secret"})))
    thread.start()
    thread.join()
    await kind.call(made[0])
    await kind.close(client)

    (span,) = tracing.snapshot()
    assert span["attributes"]["extra_headers.forwarded.names"] == ["X-Tenant"]  # no other span has them
    assert "secret" not in repr(span)


async def test_baggage_of_the_caller(
    kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider, tracing: Tracing
) -> None:
    """None is sent with a call for a caller, with and without extra headers, nor to where the provider redirects it."""
    client = kind.make_instrumented(upstream.base_url, _instrument(kind, tracing))
    http_client = client._client if kind.library == "openai" else client
    http_client.follow_redirects = True
    token = context.attach(baggage.set_baggage("who", "caller"))
    with RecordingProvider() as other, tracing.tracer.start_as_current_span("work"):
        for headers in ({"X-Tenant": "a"}, None):
            await kind.call(extra_headers.with_headers(client, headers))
        upstream.answer = lambda _: Answer(307, b"", fields=(("Location", f"{other.base_url}/embeddings"),))
        await kind.call(extra_headers.with_headers(client, {"X-Tenant": "a"}))
        received = [*upstream.take(), *other.take()]
    context.detach(token)
    await kind.close(client)

    assert [r.values("x-tenant") for r in received] == [["a"], [], ["a"], []]
    assert [r.values("baggage") for r in received] == [[]] * 4
    assert all(r.values("traceparent") for r in received)
