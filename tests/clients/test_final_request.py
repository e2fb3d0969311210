"""A client may add headers at any moment before a request leaves: none of them gives way to a caller's."""

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from extra_headers.forwarding import BlockedHeadersError, Policy
from extra_headers.forwarding.testing.recording_provider import Answer, RecordingProvider, answer_as_provider
from tests.clients.conftest import Make
from tests.clients.kinds import KEY, KINDS, Kind, counted, http_library_of_openai

type Add = Callable[[Any], None]
"""Adds the service's header to a request's headers."""


def _set(headers: Any) -> None:
    headers["X-Signature"] = "ours"


def _keep_what_is_there(headers: Any) -> None:
    headers.setdefault("X-Signature", "ours")


def _library(kind: Kind) -> Any:
    return importlib.import_module(http_library_of_openai() if kind.library == "openai" else kind.library)


def _client_class(kind: Kind) -> Any:
    return _library(kind).AsyncClient if kind.is_async else _library(kind).Client


def _of_http_client(kind: Kind, base_url: str, http_class: Any, **options: Any) -> Any:
    """Return a client of the service: an HTTP client of that class, or one of openai on top of it."""
    if kind.library == "openai":
        return kind.make(base_url, http_client=http_class(**options))
    return http_class(base_url=base_url, headers={"Authorization": f"Bearer {KEY}"}, **options)


def _by_hook(kind: Kind, base_url: str, add: Add) -> Any:
    def hook(request: Any) -> None:
        add(request.headers)

    async def async_hook(request: Any) -> None:
        add(request.headers)

    hooks = {"request": [async_hook if kind.is_async else hook]}
    return _of_http_client(kind, base_url, _client_class(kind), event_hooks=hooks)


def _by_send(kind: Kind, base_url: str, add: Add) -> Any:
    base = _client_class(kind)

    class Adding(base):  # type: ignore[misc, valid-type]
        def send(self, request: Any, **arguments: Any) -> Any:
            add(request.headers)
            return super().send(request, **arguments)

    return _of_http_client(kind, base_url, Adding)


def _by_auth(kind: Kind, base_url: str, add: Add) -> Any:
    base = _library(kind).Auth

    class Signing(base):  # type: ignore[misc, valid-type]
        def auth_flow(self, request: Any) -> Any:
            add(request.headers)
            yield request

    return _of_http_client(kind, base_url, _client_class(kind), auth=Signing())


def _by_another_request(kind: Kind, base_url: str, add: Add) -> Any:
    library = _library(kind)

    class Rebuilding(library.Auth):  # type: ignore[misc, name-defined]
        requires_request_body = True

        def auth_flow(self, request: Any) -> Any:
            rebuilt = library.Request(request.method, request.url, headers=request.headers, content=request.content)
            add(rebuilt.headers)
            yield rebuilt

    return _of_http_client(kind, base_url, _client_class(kind), auth=Rebuilding())


def _by_options(kind: Kind, base_url: str, add: Add) -> Any:
    def changed(options: Any) -> Any:
        options.headers = dict(options.headers or {})
        add(options.headers)
        return options

    class Sync(OpenAI):
        def _prepare_options(self, options: Any) -> Any:
            return changed(options)

    class Async(AsyncOpenAI):
        async def _prepare_options(self, options: Any) -> Any:
            return changed(options)

    return (Async if kind.is_async else Sync)(api_key=KEY, base_url=base_url)


def _by_request(kind: Kind, base_url: str, add: Add) -> Any:
    class Sync(OpenAI):
        def _prepare_request(self, request: Any) -> None:
            add(request.headers)

    class Async(AsyncOpenAI):
        async def _prepare_request(self, request: Any) -> None:
            add(request.headers)

    return (Async if kind.is_async else Sync)(api_key=KEY, base_url=base_url)


_WAYS = {
    "hook": _by_hook,
    "send": _by_send,
    "auth": _by_auth,
    "another": _by_another_request,
    "options": _by_options,
    "request": _by_request,
}
_CASES = [
    pytest.param(kind, way, add, id=f"{name}, {way_name}, {add.__name__.strip('_')}")
    for name, kind in KINDS.items()
    for way_name, way in _WAYS.items()
    if kind.library == "openai" or way_name not in ("options", "request")
    for add in (_set, _keep_what_is_there)
]


@pytest.mark.parametrize(("kind", "way", "add"), _CASES)
async def test_what_is_added_late_stays(
    kind: Kind, way: Any, add: Add, make: Make, upstream: RecordingProvider
) -> None:
    """The provider gets the service's header alone, in whatever spelling a caller sends it, and it counts as blocked.

    Where the policy rejects, the call raises once: it is not retried as a failed connection, and nothing is sent.
    """
    client = way(kind, upstream.base_url, add)
    dropping = make(Policy())
    for name in ("X-Signature", "x_signature"):
        await kind.call(dropping.with_headers(client, {name: "evil", "X-Tenant": "a"}))
    rejecting = make(Policy(on_blocked="reject"))
    with pytest.raises(BlockedHeadersError, match="override"):
        await kind.call(rejecting.with_headers(client, {"X-Signature": "evil"}))
    await kind.close(client)

    received = upstream.take()
    assert [r.values("x-signature") for r in received] == [["ours"]] * 2
    assert [r.values("x-tenant") for r in received] == [["a"]] * 2
    assert all(b"evil" not in r.head for r in received)
    assert counted(dropping) == {"allowed": 2, "override": 2, "filtered": 2}
    assert counted(rejecting) == {"override": 1, "rejected": 1}


async def test_a_token_that_is_fetched_on_the_way(kind: Kind, make: Make, upstream: RecordingProvider) -> None:
    """A request that authentication makes for itself carries no caller's header; the call itself does, once."""
    guard = make(Policy())
    base = _library(kind).Auth

    class WithToken(base):  # type: ignore[misc, valid-type]
        requires_response_body = True

        def auth_flow(self, request: Any) -> Any:
            token = yield _library(kind).Request("GET", f"{upstream.base_url}/models")
            request.headers["X-Token"] = str(token.status_code)
            yield request

    client = _of_http_client(kind, upstream.base_url, _client_class(kind), auth=WithToken())
    await kind.call(guard.with_headers(client, {"X-Tenant": "a", "X-Token": "evil"}))
    await kind.close(client)

    shown = [(r.method, r.values("x-tenant"), r.values("x-token")) for r in upstream.take()]
    assert shown == [("GET", [], []), ("POST", ["a"], ["200"])]
    assert counted(guard) == {"allowed": 1, "override": 1, "filtered": 1}


async def test_a_redirect_of_a_request_that_authentication_built(
    kind: Kind, make: Make, upstream: RecordingProvider
) -> None:
    """It may lead to where authentication fetches a token, so the caller's headers stay behind."""
    guard = make(Policy())
    elsewhere = Answer(307, b"", fields=(("Location", f"{upstream.base_url}/embeddings"),))
    upstream.answer = lambda r: answer_as_provider(r) if r.path == "/v1/embeddings" else elsewhere
    client = _by_another_request(kind, f"{upstream.base_url}/old", lambda _: None)
    (client._client if kind.library == "openai" else client).follow_redirects = True
    await kind.call(guard.with_headers(client, {"X-Tenant": "a"}))
    await kind.close(client)

    assert [(r.path, r.values("x-tenant")) for r in upstream.take()] == [
        ("/v1/old/embeddings", ["a"]),
        ("/v1/embeddings", []),
    ]


async def test_connections_stay_open(kind: Kind, make: Make, upstream: RecordingProvider) -> None:
    """A copy that goes closes no connection, and a client that nobody else holds lives as long as its copy."""
    guard = make(Policy())
    client = guard.with_headers(kind.make(upstream.base_url), {"X-Tenant": "a"})
    await kind.call(client)
    opened = set(upstream._connections)
    await kind.call(client)
    still_open = set(upstream._connections)
    await kind.close(client)
    assert (len(opened), still_open) == (1, opened)

    client = kind.make(upstream.base_url)
    await kind.call(client)
    opened = set(upstream._connections) - opened
    await kind.call(guard.with_headers(client, {"X-Tenant": "b"}))
    await kind.call(client)
    still_open = opened & set(upstream._connections)
    await kind.close(client)

    assert (len(opened), still_open) == (1, opened)
    assert [r.values("x-tenant") for r in upstream.take()] == [["a"], ["a"], [], ["b"], []]
