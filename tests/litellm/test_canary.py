"""The canary: every value in the traffic is a secret of its own, and comes out nowhere but at the provider."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from extra_headers.forwarding.testing.otlp_receiver import ExportedSpan, OtlpReceiver
from extra_headers.telemetry import contract
from tests.litellm.configuration import model
from tests.litellm.proxy import MESSAGES, Proxy, grown, running

_MODELS = [
    model("gpt"),
    model("claude", "anthropic/test-model", api_base="{root}"),
    model("strict", policy={"on_blocked": "reject"}),
    model("failing", "openai/failing"),
]
_CALLBACKS = ["otel", "prometheus", "extra_headers.forwarding.litellm.callback", "tests.litellm.sink.sink"]


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpReceiver]:
    """Return a collector."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, collector: OtlpReceiver) -> Iterator[Proxy]:
    """Return a proxy that logs, traces, caches and counts all that LiteLLM can."""
    directory = tmp_path_factory.mktemp("canary")
    environment = {
        "TESTS_LITELLM_SINK": str(directory / "sink.jsonl"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    settings = {"callbacks": _CALLBACKS, "cache": True, "cache_params": {"type": "local"}}
    with running(directory, _MODELS, environment, litellm_settings=settings) as started:
        yield started


def test_no_value_comes_out(proxy: Proxy, collector: OtlpReceiver) -> None:
    """Not in LiteLLM's log, its callbacks' payloads, the metrics, the spans or the errors."""
    numbers = itertools.count(100_000)
    answers = []

    def secret() -> str:
        return f"canary{next(numbers)}"

    for name in ("gpt", "claude", "strict", "failing"):
        for headers in (
            {"X-Tenant": secret(), "Cookie": secret()},
            {"Authorization": f"Bearer {secret()}", "x-api-key": secret()},
            {"X-Tenant": f"{secret()}\n"},
            {f"x {secret()}": "1"},
            {"X-Tenant": [secret()]},
            [secret()],
            secret(),
        ):
            plain = {"X-Plain": secret(), "X-Real-IP": secret(), "anthropic-beta": secret()}
            answers.append(proxy.chat(name, headers, plain=plain, api_key=secret(), organization=secret()).body)
    body = {"model": "claude", "messages": MESSAGES, "max_tokens": 5, "extra_headers": {"X-Tenant": secret()}}
    answers.append(proxy.post("/v1/messages", body, {"X-Plain": secret()}).body)
    assert any(b"canary" in received.head for received in proxy.taken())
    assert collector.wait_for(_is_decided, 20)
    sink = Path(proxy.server.log_path).with_name("sink.jsonl")
    places = {
        "log": proxy.server.log.encode(),
        "callbacks": sink.read_bytes(),
        "answers": b"".join(answers),
        "spans": b"".join(payload for payloads in collector.payloads.values() for payload in payloads),
        "metrics": proxy.metrics(),
        "litellm's metrics": proxy.post("/metrics/", b"", method="GET").body,
    }
    assert all(places.values())
    found = {place: sorted(set(re.findall(rb"canary\d{6}", content))) for place, content in places.items()}
    assert {place: secrets for place, secrets in found.items() if secrets} == {}


def test_an_answer_from_the_cache_is_decided_on_and_counted(proxy: Proxy) -> None:
    """Each request counts once, whether LiteLLM has to ask the provider or not, and a blocked header is refused."""
    before = proxy.counts(contract.REQUESTS_TOTAL)
    body = {"model": "strict", "messages": [{"role": "user", "content": "cached"}]}
    proxy.taken()
    for number in range(3):
        answer = proxy.post("/v1/chat/completions", {**body, "extra_headers": {"X-Tenant": "a"}})
        assert answer.status == 200
        assert len(proxy.taken()) == (number == 0)
    assert proxy.post("/v1/chat/completions", {**body, "extra_headers": {"Cookie": "a"}}).status == 403
    counted = grown(before, proxy.counts(contract.REQUESTS_TOTAL))
    assert counted == {("clean", "strict"): 3, ("rejected", "strict"): 1}


def test_the_span_of_the_request_has_the_decision(collector: OtlpReceiver) -> None:
    """LiteLLM's own span of the request carries the attributes."""
    assert collector.wait_for(_is_decided, 20)


def _is_decided(spans: Sequence[ExportedSpan]) -> bool:
    return any("extra_headers.outcome" in span.attributes for span in spans)


def test_the_cache_does_not_know_headers(proxy: Proxy) -> None:
    """LiteLLM answers from its cache whatever headers a caller sends, as the documentation warns."""
    proxy.taken()
    first = proxy.chat("gpt", {"X-Tenant": "a"}, seed=4711)
    second = proxy.chat("gpt", {"X-Tenant": "b"}, seed=4711)
    assert first.status == second.status == 200
    assert [received.values("x-tenant") for received in proxy.taken()] == [["a"]]
