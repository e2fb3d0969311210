"""A real server in front of a recording upstream, and the requests that the tests send through both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from extra_headers.forwarding.testing.processes import HostServer
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from extra_headers.telemetry import contract
from tests.server.host import HEADER, IS_OGX

PROVIDER_KEY = "the-provider-key"
LIMITS = httpx.Limits(max_connections=40, keepalive_expiry=1)
"""Of a client. A host closes a connection that is idle for 5 s, and breaks a request that arrives just then."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One inference endpoint of the server and the path that it calls on the provider."""

    path: str
    model: str
    body: Mapping[str, Any]
    upstream_path: str


_MESSAGES = [{"role": "user", "content": "hi"}]
_INFERENCE = {
    "chat": Endpoint("/v1/chat/completions", "test-model", {"messages": _MESSAGES}, "/v1/chat/completions"),
    "chat_stream": Endpoint(
        "/v1/chat/completions", "test-model", {"messages": _MESSAGES, "stream": True}, "/v1/chat/completions"
    ),
    "completion": Endpoint("/v1/completions", "test-model", {"prompt": "hi"}, "/v1/completions"),
    "completion_stream": Endpoint("/v1/completions", "test-model", {"prompt": "hi", "stream": True}, "/v1/completions"),
    "embeddings": Endpoint("/v1/embeddings", "test-embedding", {"input": "hi"}, "/v1/embeddings"),
    "rerank": Endpoint("/v1alpha/inference/rerank", "test-rerank", {"query": "hi", "items": ["a"]}, "/rerank"),
}
_ANTHROPIC = {
    "messages": Endpoint("/v1/messages", "test-model", {"messages": _MESSAGES, "max_tokens": 5}, "/v1/messages"),
    "messages_stream": Endpoint(
        "/v1/messages", "test-model", {"messages": _MESSAGES, "max_tokens": 5, "stream": True}, "/v1/messages"
    ),
    "count_tokens": Endpoint(
        "/v1/messages/count_tokens", "test-model", {"messages": _MESSAGES}, "/v1/messages/count_tokens"
    ),
}
ENDPOINTS: Mapping[str, Endpoint] = {**_INFERENCE, **_ANTHROPIC} if IS_OGX else _INFERENCE
"""The endpoints that the host has. Responses, which calls chat, is not among them."""

_COUNTERS = sorted(name for name in contract.METRICS if name.endswith("_total"))
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True, slots=True)
class Stack:
    """The running server, the upstream behind it, and a client."""

    server: HostServer
    upstream: RecordingProvider
    metrics_url: str
    client: httpx.Client
    directory: Path

    def send(
        self,
        provider: str,
        headers: object,
        endpoint: str | Endpoint = "chat",
        *,
        field: str = "vllm_extra_headers",
        provider_data: str | None = None,
    ) -> httpx.Response:
        """Send a request with extra headers; `provider_data` replaces the whole provider-data header."""
        target = ENDPOINTS[endpoint] if isinstance(endpoint, str) else endpoint
        text = json.dumps({field: headers}) if provider_data is None else provider_data
        return self.client.post(
            self.server.url + target.path,
            json={"model": f"{provider}/{target.model}", **target.body},
            headers={HEADER: text},
        )

    def send_to(self, provider: str, target: Endpoint) -> httpx.Response:
        """Send a request without a provider-data header to an endpoint."""
        body = {"model": f"{provider}/{target.model}", **target.body}
        return self.client.post(self.server.url + target.path, json=body)

    def send_without_provider_data(self, provider: str, endpoint: str = "chat") -> httpx.Response:
        """Send a request without a provider-data header."""
        return self.send_to(provider, ENDPOINTS[endpoint])

    def series(self, provider: str | None = None) -> Series:
        """Return the add-on's series as scraped from the server's own endpoint: all, or a provider's counters."""
        # By name where many providers have many series; the sum over workers cannot be asked that way.
        parameters = {} if provider is None else {"name[]": _COUNTERS}
        plain = {"accept-encoding": "identity"}  # what is packed here would be unpacked here
        lines = self.client.get(self.metrics_url, params=parameters, headers=plain).text.splitlines(keepends=True)
        wanted = "extra_headers_" if provider is None else f'provider="{provider}"'
        text = "".join(line for line in lines if wanted in line)
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("extra_headers_") and not sample.name.endswith("_created")
        }

    def counted(self, before: Series, metric: str, provider: str | None = None) -> dict[tuple[str, ...], float]:
        """Return what a counter grew by since `before`, by its label values in the order of the labels' names."""
        return grown(before, self.series(provider), metric)


def grown(before: Series, after: Series, metric: str) -> dict[tuple[str, ...], float]:
    """Return what a counter grew by, by its label values in the order of the labels' names."""
    return {
        tuple(value for _, value in labels): value - before.get((name, labels), 0)
        for (name, labels), value in after.items()
        if name == metric and value != before.get((name, labels), 0)
    }
