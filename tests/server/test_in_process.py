"""The adapter on the host's own objects in this process, where contexts can be had that no HTTP request makes."""

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from extra_headers.forwarding import BlockedHeadersError, MalformedHeadersError
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.server.host import HEADER, load
from tests.server.stack import PROVIDER_KEY

load("{host}.core.distribution")  # what a host has loaded by the time it loads the add-on
_request_headers = load("{host}.core.request_headers")
_inference = load("{host}_api")
_openai_mixin = load("{host}.providers.utils.inference.openai_mixin")
load("{host}.providers.remote.inference.vllm.vllm")
_adapter: Any = importlib.import_module("extra_headers.forwarding.ogx.specs")

# A deprecated field of the host's own config, which the host itself reads.
pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


@pytest.fixture
def upstream() -> Iterator[RecordingProvider]:
    """Return a recording upstream."""
    with RecordingProvider() as running:
        yield running


@pytest.fixture
async def provider(
    upstream: RecordingProvider, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """Return a provider as the host builds it, with an id of the test's own."""
    # llama-stack makes a client for each call and leaves it, and the connections, to the garbage collector.
    clients: list[Any] = []
    make = _openai_mixin.AsyncOpenAI

    def remember(**options: Any) -> Any:
        clients.append(make(**options))
        return clients[-1]

    monkeypatch.setattr(_openai_mixin, "AsyncOpenAI", remember)
    (spec,) = [s for s in provider_specs() if s.provider_type == "remote::vllm"]
    config_class = getattr(_adapter, spec.config_class.rpartition(".")[2])
    config = config_class(base_url=upstream.base_url, api_token=PROVIDER_KEY, extra_headers={"on_blocked": "reject"})
    built = await _adapter.get_adapter_impl(config, {})
    built.__provider_id__ = request.node.name
    built.__provider_spec__ = spec
    built.model_store = _NoModels()
    yield built
    await built.shutdown()
    for client in clients:
        await client.close()


class _NoModels:
    """In place of the host's registry of models."""

    async def has_model(self, _model: str) -> bool:
        """Return whether a model is registered."""
        return False


def provider_specs() -> list[Any]:
    """Return what a host loads for `module: extra_headers.forwarding`."""
    module: Any = importlib.import_module("extra_headers.forwarding.provider")
    specs: list[Any] = module.get_provider_spec()
    return specs


@contextmanager
def _request(provider_data: str) -> Iterator[None]:
    """Be within a request with this provider-data header, as the host's middleware makes it."""
    with _request_headers.request_provider_data_context({HEADER: provider_data}):
        yield


async def _chat(provider: Any, user: str | None = None) -> None:
    params = _inference.OpenAIChatCompletionRequestWithExtraBody(
        model="test-model", messages=[{"role": "user", "content": "hi"}], user=user
    )
    await provider.openai_chat_completion(params)


def _rejected(provider: Any) -> float:
    labels = {"provider": provider.__provider_id__, "outcome": "rejected"}
    return REGISTRY.get_sample_value("extra_headers_requests_total", labels) or 0


async def test_two_tasks_at_once(provider: Any, upstream: RecordingProvider) -> None:
    """Two tasks with different headers, switched between at every await, never see each other's."""

    async def one(mark: str) -> None:
        with _request(f'{{"vllm_extra_headers": {{"X-Tenant": "{mark}", "X-{mark}": "1"}}}}'):
            for _ in range(20):
                await _chat(provider, mark)

    await asyncio.gather(one("alpha"), one("beta"))

    received = upstream.take()
    assert len(received) == 40
    for mark, other in (("alpha", "beta"), ("beta", "alpha")):
        own = [r for r in received if f'"user":"{mark}"'.encode() in r.body]
        assert len(own) == 20
        assert {tuple(r.values("x-tenant")) for r in own} == {(mark,)}
        assert all(r.values(f"x-{other}") == [] for r in own)


async def test_the_cached_client_stays_clean(provider: Any, upstream: RecordingProvider) -> None:
    """A caller's header is not in the client that the host keeps for the next caller."""
    with _request('{"vllm_extra_headers": {"X-Tenant": "a"}}'):
        kept = provider.client
        await _chat(provider)
    await _chat(provider)

    assert kept is not provider.client
    assert "X-Tenant" not in provider.client.default_headers
    assert [r.values("x-tenant") for r in upstream.take()] == [["a"], []]


async def test_every_call_of_a_request_carries_them_and_counts_once(provider: Any, upstream: RecordingProvider) -> None:
    """The turns of an agent share one decision."""
    labels = {"provider": provider.__provider_id__, "outcome": "clean"}
    with _request('{"vllm_extra_headers": {"X-Tenant": "a"}}'):
        for _ in range(3):
            await _chat(provider)

    assert [r.values("x-tenant") for r in upstream.take()] == [["a"]] * 3
    assert REGISTRY.get_sample_value("extra_headers_requests_total", labels) == 1


async def test_requests_of_one_task_are_told_apart(provider: Any) -> None:
    """A library client sends request after request from one task: each is decided and counted for itself."""
    for text in ("{", "{", '{"vllm_extra_headers": "same"}', '{"vllm_extra_headers": "same"}'):
        with _request(text), pytest.raises(MalformedHeadersError):
            await _chat(provider)
    for _ in range(2):
        with _request('{"vllm_extra_headers": {"Cookie": "s"}}'), pytest.raises(BlockedHeadersError):
            await _chat(provider)

    assert _rejected(provider) == 6


async def test_a_thread_without_an_event_loop(provider: Any) -> None:
    """Code of the host that asks for the client in a worker thread gets the headers of the request it works for."""
    with _request('{"vllm_extra_headers": {"X-Tenant": "a"}}'):
        client = await asyncio.to_thread(lambda: provider.client)
    assert client.default_headers["X-Tenant"] == "a"


async def test_a_call_with_headers_starts_no_thread(provider: Any) -> None:
    """A new client of the SDK asks for the platform in a thread, before its first call; ours are new for each call."""
    before = set(threading.enumerate())
    with _request('{"vllm_extra_headers": {"X-Tenant": "a"}}'):
        await _chat(provider)
    assert {thread.name for thread in set(threading.enumerate()) - before} == set()


async def test_a_malformed_request_does_not_mark_the_next(provider: Any, upstream: RecordingProvider) -> None:
    """After provider data that was no JSON, a good request is good and one without any is without."""
    with _request("{"), pytest.raises(MalformedHeadersError):
        await _chat(provider)
    with _request('{"vllm_extra_headers": {"X-Tenant": "a"}}'):
        await _chat(provider)
    with _request_headers.request_provider_data_context({}):
        await _chat(provider)
    with _request("{"), pytest.raises(MalformedHeadersError):
        await _chat(provider)
    await _chat(provider)  # within no request at all

    assert [r.values("x-tenant") for r in upstream.take()] == [["a"], [], []]


async def test_listing_models_carries_none(provider: Any, upstream: RecordingProvider) -> None:
    """What the server asks for itself has no caller's header, even within a caller's request."""
    with _request('{"vllm_extra_headers": {"X-Tenant": "a"}}'):
        await provider.list_models()
        await provider.health()
        await _chat(provider)

    assert [(r.path, r.values("x-tenant")) for r in upstream.take()] == [
        ("/v1/models", []),
        ("/health", []),
        ("/v1/chat/completions", ["a"]),
    ]
