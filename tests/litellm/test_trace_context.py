"""A caller's trace context: no baggage and no tracestate reaches a provider, with extra headers or without."""

from collections.abc import Iterator
from pathlib import Path

import opentelemetry.instrumentation.auto_instrumentation as instrumentation
import pytest

from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from tests.litellm.configuration import model
from tests.litellm.proxy import MESSAGES, Proxy, running

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_CALLERS = {
    "traceparent": f"00-{_TRACE}-b7ad6b7169203331-01",
    "tracestate": "vendor=EVIL",
    "baggage": "user=EVIL",
    "b3": "EVIL",
}
_MODELS = [
    model("gpt"),
    model("claude", "anthropic/test-model", api_base="{root}"),
    model("vllm", "hosted_vllm/test-model"),
    model("flaky", "openai/flaky"),
]
_CALLBACK = "extra_headers.forwarding.litellm.callback"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Return a proxy under `opentelemetry-instrument`, whose calls are httpx's own, with LiteLLM's otel callback.

    `opentelemetry-instrument` reads `--config` as an option of its own, so what it does to PYTHONPATH is done here.
    """
    with OtlpReceiver() as collector:
        environment = {
            "PYTHONPATH": str(Path(instrumentation.__file__).parent),
            "OTEL_PROPAGATORS": "tracecontext,baggage",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER": "otlp_http",
            "OTEL_ENDPOINT": collector.url,
        }
        with running(
            tmp_path_factory.mktemp("traces"),
            _MODELS,
            environment,
            litellm_settings={"callbacks": ["otel", _CALLBACK], "disable_aiohttp_transport": True},
            general_settings={"forward_client_headers_to_llm_api": False},
        ) as started:
            yield started


@pytest.mark.parametrize("headers", [None, {"X-A": "1"}], ids=["without extra headers", "with extra headers"])
def test_a_call_carries_the_trace_and_nothing_else(proxy: Proxy, headers: dict[str, str] | None) -> None:
    """The call is in the caller's trace, whatever LiteLLM tries again."""
    proxy.taken()
    for name in ("gpt", "claude", "vllm", "flaky"):
        assert proxy.chat(name, headers, plain=_CALLERS, num_retries=2).status == 200
    body = {"model": "gpt", "input": "hi", "extra_headers": headers}
    assert proxy.post("/v1/embeddings", body, _CALLERS).status == 200
    received = [each for each in proxy.taken() if each.method == "POST"]
    assert len(received) == 6
    for each in received:
        assert [value.split("-")[1] for value in each.values("traceparent")] == [_TRACE]
        assert b"EVIL" not in each.head


def test_a_pass_through_request_does_neither(proxy: Proxy) -> None:
    """LiteLLM writes the trace context of these by itself; a caller's own, prefixed, is blocked."""
    prefixed = {f"x-pass-{name}": value for name, value in _CALLERS.items()}
    body = {"model": "test-model", "messages": MESSAGES, "max_tokens": 5}
    proxy.taken()
    for path in ("/custom", "/custom-forwarding", "/openai/v1/chat/completions", "/anthropic/v1/messages"):
        for callers in (_CALLERS, prefixed, {**_CALLERS, **prefixed}):
            assert proxy.post(path, body, callers).status == 200
            (received,) = proxy.taken()
            assert len(received.values("traceparent")) == 1, path
            assert b"EVIL" not in received.head, (path, received.head)
