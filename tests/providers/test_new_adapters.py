"""Adapters that a host may have one day, on the host's own base class: each call has its own caller's headers."""

from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx
import pytest
from openai import AsyncOpenAI

from extra_headers.forwarding.ogx.binding import ProviderBinding
from extra_headers.forwarding.ogx.host import current_host
from extra_headers.forwarding.ogx.mixins import make_forwarding
from extra_headers.forwarding.testing.recording_provider import Answer, RecordingProvider
from tests.server.host import HEADER, load

load("{host}.core.distribution")  # what a host has loaded by the time it loads the add-on
_request_headers = load("{host}.core.request_headers")
_OpenAIMixin: Any = load("{host}.providers.utils.inference.openai_mixin").OpenAIMixin


@pytest.fixture
def upstream() -> Iterator[RecordingProvider]:
    """Return a recording upstream that sets a cookie in each answer."""
    answer = Answer(200, b"{}", fields=(("Set-Cookie", "seen=you; Path=/"),))
    with RecordingProvider(answer=lambda _: answer, host="localhost") as running:
        yield running


class _PoolingAdapter:
    """Makes an HTTP client with the host's settings at its first call, and keeps it: ogx-ai/ogx, PR 6432."""

    client = property(lambda _: None)
    kept: httpx.AsyncClient | None = None

    def __init__(self, url: str) -> None:
        self.url = url

    def _build_httpx_client_kwargs(self) -> dict[str, Any]:
        return {"headers": {"X-Operator": "1"}}

    async def rerank(self) -> None:
        """Call through the client that is kept."""
        if self.kept is None:
            self.kept = httpx.AsyncClient(**self._build_httpx_client_kwargs())
        await self.kept.post(self.url, headers={"X-Own": "own"})


class _SessionAdapter:
    """Off the host's OpenAI base class, with an endpoint that opens a session of aiohttp at its first call."""

    kept: aiohttp.ClientSession | None = None

    def __init__(self, url: str) -> None:
        self.url = url

    def _get_openai_client(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key="none", base_url=self.url)

    async def rerank(self) -> None:
        """Call through a session made here."""
        if self.kept is None:
            self.kept = aiohttp.ClientSession(headers={"X-Own": "own"})
        async with self.kept.post(self.url):
            pass


def _built(adapter: type[Any], url: str, provider_id: str) -> Any:
    binding = ProviderBinding(current_host(), "remote::vllm", True, {})
    base = _PoolingAdapter if issubclass(adapter, _PoolingAdapter) else _OpenAIMixin
    provider = adapter(url)
    make_forwarding(provider, binding, base, "remote::vllm")
    provider.__provider_id__ = provider_id
    return provider


@pytest.mark.parametrize("adapter", [_PoolingAdapter, _SessionAdapter])
async def test_every_call_has_its_own_headers(
    adapter: type[Any], upstream: RecordingProvider, request: pytest.FixtureRequest
) -> None:
    """Whoever made the client: headers, and a provider's cookie, never stay in it for the next caller."""
    provider = _built(adapter, upstream.base_url, request.node.name)
    for tenant in ("blue", "green", None):
        data = {} if tenant is None else {HEADER: f'{{"vllm_extra_headers": {{"X-Tenant": "{tenant}", "x_own": "e"}}}}'}
        with _request_headers.request_provider_data_context(data):
            await provider.rerank()
    await provider.rerank()  # within no request
    await (provider.kept.aclose() if isinstance(provider.kept, httpx.AsyncClient) else provider.kept.close())

    received = upstream.take()
    assert [r.values("x-tenant") for r in received] == [["blue"], ["green"], [], []]
    assert [(r.values("x-own"), r.values("x_own"), r.values("cookie")) for r in received] == [(["own"], [], [])] * 4
