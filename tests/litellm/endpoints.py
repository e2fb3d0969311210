"""The proxy's endpoints that lead to a provider, and what each does with a caller's extra headers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from extra_headers.telemetry import contract
from tests.litellm.configuration import PROVIDER_KEY
from tests.litellm.proxy import MESSAGES, Answered, Proxy, grown

_BOUNDARY = "boundary"
CREDENTIALS = {"x-api-key": "EVIL", "api-key": "EVIL", "Cookie": "EVIL", "Host": "EVIL"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint, and a request to it."""

    name: str
    """For people."""
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    """Those of a multipart form; then `body` holds its other fields."""
    body_is_the_providers: bool = False
    """Whether the body goes to the provider as it is."""
    has_no_key: bool = False
    """Whether LiteLLM sends no credential of the operator."""

    @property
    def plain_prefix(self) -> str:
        """What LiteLLM asks a plain header's name to begin with, which it then takes away."""
        return (
            "x-pass-"
            if self.body_is_the_providers and "forwarding" not in self.path and "anthropic" not in self.path
            else ""
        )

    def send(self, proxy: Proxy, plain: Mapping[str, str], fields: Mapping[str, object]) -> Answered:
        """Send the request with plain headers and further fields in its body."""
        if self.files:
            return proxy.post(
                self.path,
                _form(self.body, self.files),
                {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}", **plain},
            )
        return proxy.post(self.path, json.dumps({**self.body, **fields}).encode(), plain)


_CHAT = {"messages": MESSAGES}
_GPT, _CLAUDE = {"model": "gpt"}, {"model": "claude"}
ENDPOINTS = [
    Endpoint("Chat completions", "/v1/chat/completions", _GPT | _CHAT),
    Endpoint("Chat completions, streamed", "/v1/chat/completions", _GPT | _CHAT | {"stream": True}),
    Endpoint("Chat completions, anthropic", "/v1/chat/completions", _CLAUDE | _CHAT),
    Endpoint("Chat completions, hosted_vllm", "/v1/chat/completions", {"model": "vllm"} | _CHAT),
    Endpoint("Chat completions, azure", "/v1/chat/completions", {"model": "azure"} | _CHAT),
    Endpoint("Chat completions, by engine", "/engines/gpt/chat/completions", _CHAT),
    Endpoint("Chat completions, by Azure deployment", "/openai/deployments/gpt/chat/completions", _CHAT),
    Endpoint("Completions", "/v1/completions", _GPT | {"prompt": "hi"}),
    Endpoint("Completions, streamed", "/v1/completions", _GPT | {"prompt": "hi", "stream": True}),
    Endpoint("Embeddings", "/v1/embeddings", _GPT | {"input": "hi"}),
    Endpoint("Responses", "/v1/responses", _GPT | {"input": "hi"}),
    Endpoint("Responses, as chat", "/v1/responses", _CLAUDE | {"input": "hi"}),
    Endpoint("Responses, compact", "/v1/responses/compact", _GPT | {"input": "hi"}),
    Endpoint("Anthropic Messages", "/v1/messages", _CLAUDE | _CHAT | {"max_tokens": 5}),
    Endpoint("Anthropic Messages, streamed", "/v1/messages", _CLAUDE | _CHAT | {"max_tokens": 5, "stream": True}),
    Endpoint("Anthropic Messages, as Responses", "/v1/messages", _GPT | _CHAT | {"max_tokens": 5}),
    Endpoint("Anthropic count tokens", "/v1/messages/count_tokens", _CLAUDE | _CHAT),
    Endpoint(
        "Gemini generateContent",
        "/v1beta/models/gpt:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    ),
    Endpoint("Rerank", "/v1/rerank", {"model": "reranker", "query": "hi", "documents": ["a"]}),
    Endpoint("Images", "/v1/images/generations", _GPT | {"prompt": "hi"}),
    Endpoint("Image edits", "/v1/images/edits", _GPT | {"prompt": "hi"}, {"image": ("a.png", b"PNG")}),
    Endpoint("Audio transcriptions", "/v1/audio/transcriptions", _GPT, {"file": ("a.wav", b"RIFF")}),
    Endpoint("Audio speech", "/v1/audio/speech", _GPT | {"input": "hi", "voice": "alloy"}),
    Endpoint("Moderations", "/v1/moderations", _GPT | {"input": "hi"}),
    Endpoint("Files", "/v1/files", {"purpose": "assistants", "model": "gpt"}, {"file": ("a.txt", b"hi")}),
    Endpoint(
        "Batches",
        "/v1/batches",
        _GPT | {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
    ),
    Endpoint("Vector stores", "/v1/vector_stores", _GPT | {"name": "a"}),
    Endpoint("Assistants", "/v1/assistants", {"model": "test-model", "custom_llm_provider": "openai"}),
    Endpoint(
        "Realtime client secrets",
        "/v1/realtime/client_secrets",
        _GPT | {"session": {"type": "realtime", "model": "gpt"}},
    ),
    Endpoint("Videos", "/v1/videos", _GPT | {"prompt": "hi"}),
    Endpoint(
        "Pass-through, vLLM",
        "/vllm/chat/completions",
        {"model": "vllm"} | _CHAT,
        body_is_the_providers=True,
        has_no_key=True,
    ),
    Endpoint("Pass-through, custom", "/custom", {"a": 1}, body_is_the_providers=True),
    Endpoint("Pass-through, custom with `forward_headers`", "/custom-forwarding", {"a": 1}, body_is_the_providers=True),
    Endpoint(
        "Pass-through, OpenAI",
        "/openai/v1/chat/completions",
        {"model": "test-model"} | _CHAT,
        body_is_the_providers=True,
    ),
    Endpoint(
        "Pass-through, Anthropic",
        "/anthropic/v1/messages",
        {"model": "test-model", "max_tokens": 5} | _CHAT,
        body_is_the_providers=True,
    ),
]


@dataclass(frozen=True, slots=True)
class Observed:
    """What an endpoint did."""

    status: int
    from_body: bool
    """Whether a header of the body's `extra_headers` arrived, once on each call."""
    plain: bool
    """Whether a plain header arrived so."""
    counted: float
    """Requests that were counted."""
    calls: int
    refused: bool | None
    """Whether a malformed header was answered with 400 and nothing was sent; None where none can be sent."""


def observe(proxy: Proxy, endpoint: Endpoint) -> Observed:
    """Send what passes and what must not, and a malformed header, and return what was seen.

    Raises:
        AssertionError: something of an attacker arrived, or the provider's key did not.

    """
    proxy.taken()
    before = proxy.counts(contract.REQUESTS_TOTAL)
    attack = {"X-Forwarded-For": "EVIL", "X-Real-IP": "EVIL", "Cookie": "EVIL=1"}
    fields: dict[str, object] = {}
    if endpoint.body_is_the_providers:
        attack |= {"x-pass-cookie": "EVIL", "x-pass-x-real-ip": "EVIL"}
        attack |= {"x-pass-x-operator": "EVIL"} if "custom" in endpoint.path else {}
    if not endpoint.body_is_the_providers:
        fields = {"extra_headers": {"X-Body": "1", **CREDENTIALS}, "organization": "EVIL", "api_key": "EVIL"}
    passing = f"{endpoint.plain_prefix}X-Plain"
    answer = endpoint.send(proxy, {passing: "1", **attack}, fields)
    received = _posts(proxy)
    for each in received:
        assert b"EVIL" not in each.head, each.head
        assert endpoint.has_no_key or PROVIDER_KEY.encode() in each.head, each.head
    counted = sum(grown(before, proxy.counts(contract.REQUESTS_TOTAL)).values())
    refused: bool | None = None
    if not endpoint.files:
        malformed = {} if endpoint.body_is_the_providers else {"extra_headers": {"X-A": "a\nb"}}
        plain = {passing: "\xe9"} if endpoint.body_is_the_providers else {}
        rejected = endpoint.send(proxy, plain, malformed)
        refused = rejected.status >= 400 and not _posts(proxy)
    return Observed(
        answer.status,
        bool(received) and all(each.values("x-body") == ["1"] for each in received),
        bool(received) and all(each.values("x-plain") == ["1"] for each in received),
        counted,
        len(received),
        refused,
    )


def _posts(proxy: Proxy) -> list[ReceivedRequest]:
    """Return what the provider has received, but for the proxy's own questions for models."""
    return [each for each in proxy.taken() if each.method == "POST"]


def _form(fields: Mapping[str, Any], files: Mapping[str, tuple[str, bytes]]) -> bytes:
    parts = [(f'name="{name}"', str(value).encode()) for name, value in fields.items()]
    parts += [(f'name="{name}"; filename="{file}"', content) for name, (file, content) in files.items()]
    lines = b"".join(
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    return lines + f"--{_BOUNDARY}--\r\n".encode()
