"""Traces of a real server, as a collector receives them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.trace import SpanKind

from extra_headers.forwarding.testing.otlp_receiver import ExportedSpan, OtlpReceiver
from extra_headers.forwarding.testing.processes import inference_provider
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from tests.server.host import HEADER
from tests.server.stack import PROVIDER_KEY, Stack
from tests.telemetry.servers import FILTERED, running
from tests.waiting import wait_until

_HEADERS = {"X-Tenant": "blue", "Authorization": "evil"}


@dataclass(frozen=True, slots=True)
class Traced:
    """A running server and the collector it exports to."""

    stack: Stack
    collector: OtlpReceiver

    def decided(self, kind: SpanKind, count: int = 1) -> list[ExportedSpan]:
        """Return the spans of one kind that carry a decision, once there are so many."""

        def found() -> list[ExportedSpan]:
            return [s for s in self.collector.spans if s.kind is kind and "extra_headers.provider" in s.attributes]

        wait_until(lambda: len(found()) >= count)
        return found()


def _environment(collector: OtlpReceiver) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_SERVICE_NAME": "ogx-under-test",
        "EXTRA_HEADERS_AUDIT_LOG": "stderr",
    }


def _add_providers(config: dict[str, Any]) -> None:
    """Add two providers on another spelling of the recording provider's address; one has a second host, too."""
    providers = config["providers"]["inference"]
    port = urlsplit(providers[0]["config"]["base_url"]).port
    spelled = inference_provider("spelled", f"http://User:secret@LOCALHOST:{port}/v1", True, api_token=PROVIDER_KEY)
    deepseek = inference_provider(
        "deepseek",
        f"http://localhost:{port}/v1",
        True,
        "remote::deepseek",
        anthropic_base_url=f"http://127.0.0.1:{port}",
        api_key=PROVIDER_KEY,
    )
    providers += [spelled, deepseek]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """Return a server that is told of a collector and nothing more."""
    with (
        OtlpReceiver() as collector,
        running(tmp_path_factory.mktemp("plain"), _environment(collector), change=_add_providers) as stack,
    ):
        yield Traced(stack, collector)


@pytest.fixture(scope="module")
def instrumented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """Return a server under `opentelemetry-instrument` that captures every header it can."""
    with OtlpReceiver() as collector:
        environment = _environment(collector) | {
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST": ".*",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": ".*",
        }
        with running(tmp_path_factory.mktemp("instrumented"), environment, auto_instrumented=True) as stack:
            yield Traced(stack, collector)


@pytest.fixture(autouse=True)
def _forget(request: pytest.FixtureRequest) -> None:
    for name in {"plain", "instrumented"} & set(request.fixturenames):
        request.getfixturevalue(name).collector.clear()


class TestFlagAlone:
    """The flag in the run config and the address of a collector are enough."""

    def test_the_call_carries_the_decision(self, plain: Traced) -> None:
        """The server span has all attributes, and the CLIENT span of the call to the provider all but the lists."""
        plain.stack.send("on", _HEADERS)

        (call,) = plain.decided(SpanKind.CLIENT)
        (server,) = plain.decided(SpanKind.SERVER)
        ours, of_call = (
            {key: value for key, value in span.attributes.items() if key.startswith("extra_headers.")}
            for span in (server, call)
        )
        assert ours == {**FILTERED, "extra_headers.policy": ours["extra_headers.policy"]}
        assert of_call == {key: value for key, value in ours.items() if not isinstance(value, list)}
        assert call.trace_id == server.trace_id
        assert call.resource["service.name"] == "ogx-under-test"

    def test_a_rejected_request_has_a_span(self, plain: Traced) -> None:
        """Nothing is sent, so no call can carry the decision; it is not lost."""
        plain.stack.send("reject_both", _HEADERS)

        (server,) = plain.decided(SpanKind.SERVER)
        assert server.attributes["extra_headers.outcome"] == "rejected"
        assert server.attributes["extra_headers.forwarded.count"] == 0

    @pytest.mark.parametrize("endpoint", ["chat_stream", "embeddings", "rerank", "messages", "messages_stream"])
    def test_every_way_out_carries_it(self, plain: Traced, endpoint: str) -> None:
        """SDK calls, ad-hoc calls and streams alike, and the decision is made once."""
        plain.stack.send("on", _HEADERS, endpoint)

        assert len(plain.decided(SpanKind.CLIENT)) == 1
        assert len(plain.decided(SpanKind.SERVER)) == 1

    @pytest.mark.parametrize(
        ("provider", "endpoint"), [("spelled", "chat"), ("deepseek", "chat"), ("deepseek", "messages")]
    )
    def test_whatever_the_host_and_its_spelling(self, plain: Traced, provider: str, endpoint: str) -> None:
        """A base URL with a password and capitals, and an endpoint on another host."""
        field = "deepseek_extra_headers" if provider == "deepseek" else "vllm_extra_headers"
        assert plain.stack.send(provider, _HEADERS, endpoint, field=field).status_code == 200

        (call,) = plain.decided(SpanKind.CLIENT)
        assert call.attributes["extra_headers.provider"] == provider

    def test_a_request_without_headers_carries_none(self, plain: Traced) -> None:
        """The next request on the same connection has no attributes of the one before."""
        plain.stack.send("on", _HEADERS)
        plain.stack.send_without_provider_data("on")
        wait_until(lambda: sum(s.name == "POST" for s in plain.collector.spans) == 2)

        calls = [s for s in plain.collector.spans if s.name == "POST"]
        assert ["extra_headers.provider" in s.attributes for s in calls] == [True, False]


class TestAutoInstrumentation:
    """Under `opentelemetry-instrument`, which was first."""

    def test_the_server_span_carries_the_decision(self, instrumented: Traced) -> None:
        """Server span and call are one trace, and no span of our own is added."""
        instrumented.stack.send("on", _HEADERS)

        (call,) = instrumented.decided(SpanKind.CLIENT)
        (server,) = instrumented.decided(SpanKind.SERVER)
        assert server.attributes["extra_headers.blocked.names"] == ["Authorization"]
        assert call.trace_id == server.trace_id
        assert call.links == ()
        assert all(span.name != "extra_headers evaluate" for span in instrumented.collector.spans)

    def test_captured_values_are_overwritten(self, instrumented: Traced) -> None:
        """Neither the forwarded value nor the provider data is in any span, though all headers are captured."""
        instrumented.stack.send("on", {"X-Tenant": "a-secret-value", "Cookie": "a-secret-value"})

        (call,) = instrumented.decided(SpanKind.CLIENT)
        (server,) = instrumented.decided(SpanKind.SERVER)
        assert call.attributes["http.request.header.x_tenant"] == ["[REDACTED]"]
        assert server.attributes["http.request.header.x_ogx_provider_data"] == ["[REDACTED]"]
        assert server.attributes["http.request.header.content_type"] == ["application/json"]
        assert b"a-secret-value" not in b"".join(instrumented.collector.payloads["/v1/traces"])

    def test_being_second_is_no_warning(self, instrumented: Traced) -> None:
        """Already instrumented is the normal case there."""
        assert "Attempting to instrument while already instrumented" not in instrumented.stack.server.log
        assert "Overriding of current TracerProvider" not in instrumented.stack.server.log


_CALLERS_TRACE = "ab" * 16


def _send_with_trace_context(traced: Traced, headers: Mapping[str, str] | None, *, sampled: bool) -> ReceivedRequest:
    """Send a request with a trace context, and return what reaches the provider."""
    body = {"model": "on/test-model", "messages": [{"role": "user", "content": "hi"}]}
    context = {
        "traceparent": f"00-{_CALLERS_TRACE}-{'cd' * 8}-{'01' if sampled else '00'}",
        "tracestate": "evil=1",
        "baggage": "who=me",
    }
    provider_data = {} if headers is None else {HEADER: json.dumps({"vllm_extra_headers": headers})}
    url = f"{traced.stack.server.url}/v1/chat/completions"
    traced.stack.upstream.take()
    assert traced.stack.client.post(url, json=body, headers={**context, **provider_data}).status_code == 200
    (received,) = traced.stack.upstream.take()
    if headers is not None:
        traced.decided(SpanKind.SERVER if sampled else SpanKind.INTERNAL)  # or it would arrive in the next test
    return received


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("headers", [_HEADERS, None], ids=["with extra headers", "without"])
class TestTraceContextOfACaller:
    """What of it reaches the provider, with the default setting."""

    def test_the_addons_instrumentation_sends_none(
        self, plain: Traced, headers: Mapping[str, str] | None, *, sampled: bool
    ) -> None:
        """The host alone sends none, so the add-on sends none."""
        received = _send_with_trace_context(plain, headers, sampled=sampled)

        assert [received.values(name) for name in ("traceparent", "tracestate", "baggage")] == [[], [], []]

    def test_the_operators_instrumentation_sends_the_traceparent(
        self, instrumented: Traced, headers: Mapping[str, str] | None, *, sampled: bool
    ) -> None:
        """An operator who propagates keeps the connection of traces, without what a caller may write freely."""
        received = _send_with_trace_context(instrumented, headers, sampled=sampled)

        (traceparent,) = received.values("traceparent")
        assert traceparent.startswith(f"00-{_CALLERS_TRACE}-")
        assert received.values("tracestate") == received.values("baggage") == []


@pytest.mark.parametrize("fixture", ["plain", "instrumented"])
class TestTraceOfACaller:
    """A caller can choose a trace id, but not whether a decision is traced."""

    def test_an_unsampled_trace_hides_no_decision(self, request: pytest.FixtureRequest, fixture: str) -> None:
        """The decision has a trace of its own, which links to the caller's."""
        traced: Traced = request.getfixturevalue(fixture)
        _send_with_trace_context(traced, _HEADERS, sampled=False)

        (own,) = traced.decided(SpanKind.INTERNAL)
        assert own.name == "extra_headers evaluate"
        assert own.attributes["extra_headers.blocked.names"] == ["Authorization"]
        assert own.parent_span_id == ""
        assert own.trace_id != _CALLERS_TRACE
        assert [trace_id for trace_id, _ in own.links] == [_CALLERS_TRACE]
        assert "extra_headers.trace_id_from_caller" not in own.attributes

    def test_a_trace_id_of_a_caller_is_marked(self, request: pytest.FixtureRequest, fixture: str) -> None:
        """In a trace that a caller began, spans and audit records say so; in one of the server's, they do not."""
        traced: Traced = request.getfixturevalue(fixture)
        _send_with_trace_context(traced, _HEADERS, sampled=True)
        traced.stack.send("on", _HEADERS)

        marked = {
            span.trace_id == _CALLERS_TRACE: span.attributes.get("extra_headers.trace_id_from_caller")
            for span in traced.decided(SpanKind.SERVER, 2)
        }
        assert marked == {True: True, False: None}
        records = [json.loads(line) for line in traced.stack.server.log.splitlines() if line.startswith("{")]
        assert {r["trace_id"] == _CALLERS_TRACE: r.get("extra_headers.trace_id_from_caller") for r in records} == marked
