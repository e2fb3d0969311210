"""Span attributes: on the current span, on the CLIENT spans that follow, and never with a value."""

import importlib
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.policy.identity import User
from extra_headers.forwarding.testing.recording_provider import (
    Answer,
    ReceivedRequest,
    RecordingProvider,
    answer_as_provider,
)
from extra_headers.telemetry import contract
from extra_headers.telemetry.origins import note_provider_urls
from extra_headers.telemetry.redaction import redact
from extra_headers.telemetry.spans import (
    clear_decision,
    decision_attributes,
    record_decision,
    request_started,
)
from tests.tracing import Tracing

_HEADERS = {"X-Tenant": "secret-1", "Authorization": "secret-2", "Host": "secret-3", "X-Bad": "secret-4\n"}
_POLICY = Policy(on_malformed="drop")
_URL = "http://127.0.0.1:9001/v1/"

_ON_CALLS = {
    "extra_headers.provider": "vllm",
    "extra_headers.outcome": "filtered",
    "extra_headers.policy": "0123456789ab",
    "extra_headers.forwarded.count": 1,
    "extra_headers.blocked.count": 2,
    "extra_headers.malformed.count": 1,
}
_EXPECTED = {
    **_ON_CALLS,
    "extra_headers.forwarded.names": ["X-Tenant"],
    "extra_headers.blocked.names": ["Authorization", "Host"],
    "extra_headers.blocked.reasons": ["credential", "framing"],
    "extra_headers.malformed.reasons": ["value"],
}


def _decide(
    tracing: Tracing, base_url: str = _URL, headers: dict[str, str] | None = None, provider: str = "vllm"
) -> None:
    evaluation = evaluate(_HEADERS if headers is None else headers, _POLICY)
    attributes = decision_attributes(evaluation, provider, "0123456789ab")
    record_decision(attributes, evaluation.forwarded, base_url, tracing.tracer)


def _client_attributes(url: str = "http://127.0.0.1:9001/v1/chat/completions", **captured: list[str]) -> dict[str, Any]:
    headers = {f"{contract.HTTP_REQUEST_HEADER_PREFIX}{key}": value for key, value in captured.items()}
    return {"http.request.method": "POST", "url.full": url, **headers}


class TestWhereTheDecisionGoes:
    """The current span, or one of its own; and the calls that follow."""

    def test_the_recording_span_and_its_client_spans(self, tracing: Tracing) -> None:
        """The server span carries the whole decision, and each CLIENT span to the provider all but the lists."""
        with tracing.tracer.start_as_current_span("POST /v1/chat/completions", kind=SpanKind.SERVER):
            _decide(tracing)
            for _ in range(2):  # a retry is a call of its own
                tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=_client_attributes()).end()

        call = {"name": "POST", "kind": "CLIENT", "parent": 2, "links": [], "attributes": _client_attributes()}
        assert tracing.snapshot() == [
            {**call, "span_id": 3, "attributes": {**_client_attributes(), **_ON_CALLS}},
            {**call, "span_id": 4, "attributes": {**_client_attributes(), **_ON_CALLS}},
            {
                "name": "POST /v1/chat/completions",
                "kind": "SERVER",
                "span_id": 2,
                "parent": None,
                "links": [],
                "attributes": _EXPECTED,
            },
        ]

    def test_the_server_span_rather_than_a_part_of_it(self, tracing: Tracing) -> None:
        """Frameworks open spans within the server span; the decision is on the one that people search for."""
        with tracing.tracer.start_as_current_span("server", kind=SpanKind.SERVER):
            request_started()
            with tracing.tracer.start_as_current_span("endpoint"):
                _decide(tracing)

        endpoint, server = tracing.snapshot()
        assert (endpoint["name"], endpoint["attributes"]) == ("endpoint", {})
        assert (server["name"], server["attributes"]) == ("server", _EXPECTED)

    def test_the_server_span_of_another_request_is_left_alone(self, tracing: Tracing) -> None:
        """A span noted for an earlier request is not written to, even while it still records."""
        earlier = tracing.tracer.start_span("earlier")
        with trace.use_span(earlier):
            request_started()
        with tracing.tracer.start_as_current_span("later"):
            _decide(tracing)
        earlier.end()

        assert {s["name"]: s["attributes"] for s in tracing.snapshot()} == {"later": _EXPECTED, "earlier": {}}

    def test_a_span_of_its_own_to_which_the_calls_link(self, tracing: Tracing) -> None:
        """Where no span records, the decision has a span, and the call's span points to it."""
        _decide(tracing)
        tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=_client_attributes()).end()

        own, call = tracing.snapshot()
        assert (own["name"], own["kind"], own["attributes"]) == ("extra_headers evaluate", "INTERNAL", _EXPECTED)
        assert call["links"] == [own["span_id"]]
        assert call["attributes"] == {**_client_attributes(), **_ON_CALLS}

    def test_one_decision_on_a_span(self, tracing: Tracing) -> None:
        """Another decision of the same request has a span of its own; the same one again has none."""
        with tracing.tracer.start_as_current_span("server", kind=SpanKind.SERVER):
            _decide(tracing)
            _decide(tracing)
            _decide(tracing, headers={"X-Tenant": "secret"}, provider="other")
            tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=_client_attributes()).end()
            _decide(tracing, headers={"Cookie": "secret"})
            _decide(tracing)

        other, call, same_provider, server = tracing.snapshot()
        assert server["attributes"] == _EXPECTED
        assert [span["name"] for span in (other, same_provider)] == ["extra_headers evaluate"] * 2
        assert {span["parent"] for span in (other, same_provider)} == {server["span_id"]}
        assert other["attributes"]["extra_headers.provider"] == "other"
        assert other["attributes"]["extra_headers.forwarded.names"] == ["X-Tenant"]
        assert "extra_headers.blocked.names" not in other["attributes"]
        assert call["links"] == [other["span_id"]]
        assert call["attributes"]["extra_headers.provider"] == "other"
        assert same_provider["attributes"]["extra_headers.blocked.names"] == ["Cookie"]

    def test_calls_to_other_hosts_do_not_carry_it(self, tracing: Tracing) -> None:
        """A tool call in the same request, to another host or port, has nothing to do with the decision."""
        _decide(tracing)
        for url in ("http://127.0.0.1:9002/v1/", "http://example.org/v1/", "http://127.0.0.1/v1"):
            tracing.tracer.start_span("GET", kind=SpanKind.CLIENT, attributes=_client_attributes(url)).end()

        assert all(not key.startswith("extra_headers.") for s in tracing.snapshot()[1:] for key in s["attributes"])

    def test_however_the_host_is_spelled(self, tracing: Tracing) -> None:
        """A CLIENT span carries the decision if its URL is at the provider's host and port, in any spelling."""
        spellings = {
            "https://api.example.test/v1": [
                "https://api.example.test:443/v1/chat",
                "https://API.Example.TEST/v1/chat",
                "https://api.example.test./v1/chat",
                "https://user:pass@api.example.test/v1/chat",
                "https://REDACTED:REDACTED@api.example.test/v1/chat",
            ],
            "http://User:secret@API.example.test.:80/v1": ["http://api.example.test/v1/chat"],
            "http://[2001:DB8::0:1]:8000/v1": ["http://[2001:db8::1]:8000/v1/chat"],
            "http://[::1]/v1": ["http://[0:0:0:0:0:0:0:1]:80/v1/chat"],
        }
        for base_url, urls in spellings.items():
            _decide(tracing, base_url)
            for url in urls:
                tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=_client_attributes(url)).end()

        calls = [span["attributes"] for span in tracing.snapshot() if span["kind"] == "CLIENT"]
        assert [call["url.full"] for call in calls if "extra_headers.provider" not in call] == []
        assert len(calls) == sum(map(len, spellings.values()))

    def test_every_host_that_the_providers_settings_name(self, tracing: Tracing) -> None:
        """Some provider types send the calls of one endpoint to another host than `base_url`."""
        note_provider_urls("vllm", ["https://messages.example.test/anthropic", "no URL", "http://[bad", "http://a:b:c"])
        _decide(tracing)
        for url in (
            "https://messages.example.test/anthropic/v1/messages",
            "https://other.example.test/",
            "http://[bad",
        ):
            tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=_client_attributes(url)).end()
        note_provider_urls("vllm", [])

        assert ["extra_headers.provider" in span["attributes"] for span in tracing.snapshot()[1:]] == [
            True,
            False,
            False,
        ]

    def test_spans_of_other_kinds_do_not_carry_it(self, tracing: Tracing) -> None:
        """Only CLIENT spans are calls to the provider."""
        _decide(tracing)
        tracing.tracer.start_span("work", attributes=_client_attributes()).end()

        assert tracing.snapshot()[1]["attributes"] == _client_attributes()

    def test_a_forgotten_decision_is_nowhere(self, tracing: Tracing) -> None:
        """A later call without a caller's headers carries nothing of an earlier decision."""
        _decide(tracing)
        clear_decision()
        tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=_client_attributes()).end()

        assert tracing.snapshot()[1]["attributes"] == _client_attributes()

    def test_without_any_tracer_provider_nothing_happens(self) -> None:
        """With OpenTelemetry's defaults the decision is recorded nowhere, and nothing fails."""
        evaluation = evaluate(_HEADERS, _POLICY)
        tracer = trace.NoOpTracer()

        context = record_decision(decision_attributes(evaluation, "p", "d"), evaluation.forwarded, _URL, tracer)
        clear_decision()

        assert not context.is_valid


class TestAttributes:
    """What they hold, and how much of it."""

    def test_the_caller(self) -> None:
        """Whom the host authenticated is on the span, cut to a bounded length."""
        attributes = decision_attributes(evaluate({"X-A": "1"}, _POLICY), "p", "d", User("alice", "t" * 1000))

        assert attributes["user.id"] == "alice"
        assert attributes["extra_headers.tenant"] == "t" * 256

    def test_names_are_capped(self) -> None:
        """A span stays small: 32 names of 64 characters, while the counts say how many there were."""
        policy = Policy.model_validate({"limits": {"max_headers": 100, "max_total_bytes": 16384}})
        headers = {f"X-{i:03}-" + "n" * 100: "v" for i in range(100)}
        attributes = decision_attributes(evaluate(headers, policy), "p", "d")

        listed = attributes["extra_headers.forwarded.names"]
        assert isinstance(listed, list)
        assert (len(listed), {len(str(name)) for name in listed}) == (32, {64})
        assert attributes["extra_headers.forwarded.count"] == 100

    def test_an_invalid_name_is_not_emitted(self) -> None:
        """Of a name that is no field name only the reason shows."""
        attributes = decision_attributes(evaluate({"secret in a name": "1"}, _POLICY), "p", "d")

        assert "secret" not in repr(attributes)
        assert attributes["extra_headers.malformed.reasons"] == ["name"]

    def test_no_value_is_emitted(self, tracing: Tracing) -> None:
        """No part of any value is in any attribute."""
        with tracing.tracer.start_as_current_span("server"):
            _decide(tracing)

        assert "secret" not in repr(tracing.snapshot())

    def test_a_rejected_request_forwards_nothing(self) -> None:
        """What would have passed counts as forwarded only if the request goes on."""
        attributes = decision_attributes(evaluate(_HEADERS, Policy(on_blocked="reject")), "p", "d")

        assert attributes["extra_headers.outcome"] == "rejected"
        assert attributes["extra_headers.forwarded.count"] == 0
        assert "extra_headers.forwarded.names" not in attributes


class TestRedaction:
    """Instrumentations that were told to capture headers do not put values into traces."""

    @pytest.mark.parametrize("captured", ["x_tenant", "x-tenant", "X-Tenant"])
    def test_captured_extra_headers_are_overwritten(self, tracing: Tracing, captured: str) -> None:
        """Whatever way an instrumentation spells the attribute, the value of an extra header is gone."""
        key = contract.HTTP_REQUEST_HEADER_PREFIX + captured
        with tracing.tracer.start_as_current_span("server"):
            _decide(tracing)
            attributes = {**_client_attributes("http://elsewhere.test/"), key: ["secret-1"], "other": "kept"}
            tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=attributes).end()

        assert tracing.snapshot()[0]["attributes"] == {**attributes, key: ["[REDACTED]"]}

    def test_beside_another_decision(self, tracing: Tracing) -> None:
        """The span of the request shows no value of a decision that has its own span."""
        with tracing.tracer.start_as_current_span("server") as span:
            _decide(tracing)
            _decide(tracing, headers={"X-Other": "secret-5"}, provider="other")
            span.set_attribute(f"{contract.HTTP_REQUEST_HEADER_PREFIX}x_other", ["secret-5"])
            span.record_exception(ValueError("not allowed: secret-5"))

        assert "secret" not in repr([(ended.attributes, ended.events) for ended in tracing.spans])

    @pytest.mark.parametrize("layout", [{}, {"__slots__": ("__dict__",)}, {"__slots__": ("__dict__", "__weakref__")}])
    def test_spans_of_other_sdks(self, layout: dict[str, tuple[str, ...]]) -> None:
        """Spans of any class that can take an attribute are covered, and remain of that class."""
        written: dict[str, Any] = {}
        base = type("Base", (), {"__slots__": ()})
        other = type("Other", (base,), {**layout, "set_attribute": lambda _, key, value: written.update({key: value})})
        span = other()
        redact(span, ["X-Tenant"], ["secret-1"])
        span.set_attribute(f"{contract.HTTP_REQUEST_HEADER_PREFIX}x_tenant", ["secret-1"])

        assert isinstance(span, other)
        assert type(span).__name__ == "Other"
        assert list(written.values()) == [["[REDACTED]"]]

    def test_attributes_that_are_a_plain_mapping(self) -> None:
        """Captured headers that a span of another SDK already has are overwritten, too."""
        key = f"{contract.HTTP_REQUEST_HEADER_PREFIX}x_tenant"
        written: dict[str, Any] = {}

        class Attributes(Mapping[str, Any]):
            def __getitem__(self, name: str) -> Any:
                return {key: ["secret-1"], "other": "kept"}[name]

            def __iter__(self) -> Iterator[str]:
                return iter((key, "other"))

            def __len__(self) -> int:
                return 2

        class Other:
            attributes = Attributes()

            def set_attribute(self, key: str, value: Any) -> None:
                written[key] = value

        redact(Other(), ["X-Tenant"])  # type: ignore[arg-type]

        assert written == {key: ["[REDACTED]"]}

    def test_a_span_of_a_class_without_subclasses(self) -> None:
        """It costs no request."""

        class Closed:
            def __init_subclass__(cls) -> None:
                raise TypeError

        redact(Closed(), ["X-Tenant"])  # type: ignore[arg-type]

    def test_a_span_that_has_ended_is_freed(self) -> None:
        """At once, without the garbage collector, which would find thousands of spans a minute."""
        span = TracerProvider().get_tracer("test").start_span("server")
        redact(span, ["X-Tenant"], ["secret-1"])
        span.end()
        freed = weakref.ref(span)
        del span

        assert freed() is None

    def test_other_captured_headers_stay(self, tracing: Tracing) -> None:
        """What the operator wants captured of the rest of the request is not ours to take."""
        with tracing.tracer.start_as_current_span("server"):
            _decide(tracing)
            attributes = _client_attributes("http://elsewhere.test/", accept=["application/json"])
            tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=attributes).end()

        assert tracing.snapshot()[0]["attributes"] == attributes

    @pytest.mark.parametrize("header", ["x_ogx_provider_data", "x-llamastack-provider-data"])
    def test_captured_provider_data_is_overwritten(self, tracing: Tracing, header: str) -> None:
        """The provider-data header, with all its values, does not stay on the server span."""
        key = contract.HTTP_REQUEST_HEADER_PREFIX + header
        with tracing.tracer.start_as_current_span("server", attributes={key: ["secret"]}):
            request_started()

        assert tracing.snapshot()[0]["attributes"] == {key: ["[REDACTED]"]}

    def test_a_value_that_the_provider_repeats(self, tracing: Tracing) -> None:
        """A captured response header shows neither a forwarded header nor its value under another name."""
        prefix = contract.HTTP_RESPONSE_HEADER_PREFIX
        with tracing.tracer.start_as_current_span("server", kind=SpanKind.SERVER) as server:
            _decide(tracing, headers={"X-Tenant": "blue", "X-Shard": "7"})
            call = tracing.tracer.start_span("POST", kind=SpanKind.CLIENT, attributes=_client_attributes())
            for span in (call, server):
                span.set_attribute(f"{prefix}x_tenant", ["changed"])
                span.set_attributes({f"{prefix}x_echo": ["tenant=blue; a"], f"{prefix}content_length": ["707"]})
                span.set_attributes({f"{prefix}x_other": ["a", "7"], "http.status_code": 200, "note": "blue"})
            call.end()

        for exported in tracing.snapshot():
            shown = {key: value for key, value in exported["attributes"].items() if key.startswith(prefix)}
            assert shown == {
                f"{prefix}x_tenant": ["[REDACTED]"],
                f"{prefix}x_echo": ["[REDACTED]"],
                f"{prefix}x_other": ["[REDACTED]"],
                f"{prefix}content_length": ["707"],
            }
            assert (exported["attributes"]["http.status_code"], exported["attributes"]["note"]) == (200, "blue")

    def test_a_value_in_an_exception(self, tracing: Tracing) -> None:
        """An error of the provider that repeats a value shows it neither in an event nor in the status."""
        client_span: dict[str, Any] = {"kind": SpanKind.CLIENT, "attributes": _client_attributes()}

        def call_provider() -> None:
            with tracing.tracer.start_as_current_span("server"):
                _decide(tracing)
                with tracing.tracer.start_as_current_span("POST", **client_span):
                    raise ValueError("400: no tenant secret-1")

        with pytest.raises(ValueError, match="secret-1"):
            call_provider()

        for ended in tracing.spans:
            (event,) = ended.events
            assert (event.attributes or {})["exception.message"] == "400: no tenant [REDACTED]"
            assert "secret-1" not in str((event.attributes or {})["exception.stacktrace"])
            assert ended.status.description == "ValueError: 400: no tenant [REDACTED]"


class _Sdk:
    """One way to call the provider through an instrumented HTTP library."""

    def __init__(self, library: str, instrumentor: Any, *, is_async: bool) -> None:
        self.library = library
        self.instrumentor = instrumentor
        self.is_async = is_async

    async def call(self, base_url: str, provider: TracerProvider, headers: dict[str, str]) -> None:
        """Send one chat request with `headers`, by an openai client where it speaks this library."""
        module = importlib.import_module(self.library)
        http_client = module.AsyncClient() if self.is_async else module.Client()
        self.instrumentor.instrument_client(http_client, tracer_provider=provider)
        body: dict[str, Any] = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}
        if self.library == _openai_library():
            arguments: dict[str, Any] = {"api_key": "k", "base_url": base_url, "http_client": http_client}
            if self.is_async:
                async with AsyncOpenAI(**arguments) as client:
                    await client.with_options(default_headers=headers).chat.completions.create(**body)
            else:
                with OpenAI(**arguments) as client:
                    client.with_options(default_headers=headers).chat.completions.create(**body)
        elif self.is_async:
            async with http_client as client:
                await client.post(f"{base_url}/chat/completions", json=body, headers=headers)
        else:
            with http_client as client:
                client.post(f"{base_url}/chat/completions", json=body, headers=headers)


def _openai_library() -> str:
    """Return the HTTP library that the installed openai speaks: httpx2 from version 3 on."""
    client = OpenAI(api_key="k", base_url=_URL)
    library = type(client._client).__mro__[1].__module__.partition(".")[0]
    client.close()
    return library


_SDKS = {
    f"{library} {'async' if is_async else 'sync'}": _Sdk(library, instrumentor, is_async=is_async)
    for library, instrumentor in (("httpx", HTTPXClientInstrumentor), ("httpx2", HTTPX2ClientInstrumentor))
    for is_async in (False, True)
}


@pytest.mark.parametrize("sdk", _SDKS.values(), ids=_SDKS)
async def test_real_instrumented_clients(tracing: Tracing, monkeypatch: pytest.MonkeyPatch, sdk: _Sdk) -> None:
    """With real instrumentations told to capture everything, decisions are there and values are not."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", ".*")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", ".*")

    def answer(request: ReceivedRequest) -> Answer:
        repeated = f"x-echo: {request.values('x-tenant')[0]}"
        return replace(answer_as_provider(request), content_type=f"application/json\r\n{repeated}")

    with RecordingProvider(answer=answer) as upstream, tracing.tracer.start_as_current_span("server"):
        evaluation = evaluate(_HEADERS, _POLICY)
        attributes = decision_attributes(evaluation, "vllm", "0123456789ab")
        record_decision(attributes, evaluation.forwarded, upstream.base_url)
        await sdk.call(upstream.base_url, tracing.provider, dict(evaluation.forwarded))
        (received,) = upstream.take()

    assert received.values("x-tenant") == ["secret-1"]
    (call,) = (span for span in tracing.snapshot() if span["kind"] == "CLIENT")
    assert call["attributes"]["http.request.header.x_tenant"] == ["[REDACTED]"]
    assert call["attributes"]["http.request.header.accept"] != ["[REDACTED]"]
    assert call["attributes"]["http.response.header.x_echo"] == ["[REDACTED]"]
    assert call["attributes"]["http.response.header.content_type"] == ["application/json"]
    assert {key: value for key, value in call["attributes"].items() if key in _EXPECTED} == _ON_CALLS
    assert "secret" not in repr(tracing.snapshot())
