"""What an answer may change for later calls: nothing. Cookies are not kept, and headers stay with their server."""

from collections.abc import Callable
from typing import Any

import pytest

from extra_headers.forwarding import ExtraHeaders, Policy
from extra_headers.forwarding.testing.recording_provider import (
    Answer,
    ReceivedRequest,
    RecordingProvider,
    answer_as_provider,
)
from tests.clients.conftest import Make
from tests.clients.kinds import Kind, counted


def _with_cookie(request: ReceivedRequest) -> Answer:
    plain = answer_as_provider(request)
    return Answer(plain.status, plain.body, fields=(("Set-Cookie", "session=of-one-caller; Path=/"),))


def _redirecting_to(url: str) -> Callable[[ReceivedRequest], Answer]:
    return lambda _: Answer(307, b"", fields=(("Location", f"{url}/embeddings"), ("Set-Cookie", "a=b; Path=/")))


def _by_name(upstream: RecordingProvider) -> str:
    """Return the base URL with a host name: cookies of an address are treated differently."""
    return upstream.base_url.replace("127.0.0.1", "localhost")


def _following(kind: Kind, base_url: str, **options: Any) -> Any:
    return kind.make(base_url, **options, **({} if kind.library == "openai" else {"follow_redirects": True}))


class TestCookies:
    """A provider's cookie in the answer to one caller."""

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    async def test_is_not_sent_with_another_call(self, kind: Kind, extra_headers: ExtraHeaders, host: str) -> None:
        """Neither with the next caller's call, nor with one of the client itself; with and without extra headers."""
        with RecordingProvider(answer=_with_cookie) as upstream:
            client = kind.make(upstream.base_url.replace("127.0.0.1", host))
            for headers in ({"X-Tenant": "a"}, None, {"X-Tenant": "b"}, {}):
                await kind.call(extra_headers.with_headers(client, headers))
            copy = extra_headers.with_headers(client, {"X-Tenant": "c"})
            await kind.call(copy)
            await kind.call(copy)
            await kind.call(client)
            await kind.close(client)

        received = upstream.take()
        assert [r.values("x-tenant") for r in received] == [["a"], [], ["b"], [], ["c"], ["c"], []]
        assert [r.values("cookie") for r in received] == [[]] * 7

    async def test_of_the_service_stay(self, kind: Kind, extra_headers: ExtraHeaders) -> None:
        """Cookies that the service itself gave the client are sent with every call, and stay as they are."""
        with RecordingProvider(answer=_with_cookie) as upstream:
            client = kind.make(_by_name(upstream))
            http_client = client._client if kind.library == "openai" else client
            http_client.cookies.set("session", "ours")
            for headers in ({"X-Tenant": "a"}, None):
                await kind.call(extra_headers.with_headers(client, headers))
            kept = dict(http_client.cookies)
            await kind.close(client)

        assert [r.values("cookie") for r in upstream.take()] == [["session=ours"]] * 2
        assert kept == {"session": "ours"}


class TestRedirects:
    """Where a provider's answer sends a call."""

    @pytest.mark.parametrize("on_redirect", ["drop", "keep"])
    async def test_to_another_origin(self, kind: Kind, make: Make, on_redirect: Any) -> None:
        """The caller's headers go there only where the policy says so; cookies never."""
        guard = make(Policy(on_redirect=on_redirect))
        with RecordingProvider() as other, RecordingProvider(answer=_redirecting_to(_by_name(other))) as upstream:
            client = _following(kind, _by_name(upstream), default_headers={"X-Own": "ours"})
            await kind.call(guard.with_headers(client, {"X-Tenant": "a", "x-own": "evil"}))
            await kind.close(client)

        (first,), (second,) = upstream.take(), other.take()
        assert first.values("x-tenant") == ["a"]
        assert second.values("x-tenant") == (["a"] if on_redirect == "keep" else [])
        assert second.values("x-own") == ["ours"]
        assert second.values("cookie") == []
        assert counted(guard) == {"allowed": 1, "override": 1, "filtered": 1}

    async def test_back_from_another_origin(self, kind: Kind, extra_headers: ExtraHeaders) -> None:
        """A server that sends the call back chooses where to: it is without the caller's headers from there on."""
        with RecordingProvider() as upstream, RecordingProvider() as other:
            other.answer = _redirecting_to(_by_name(upstream))
            away = _redirecting_to(_by_name(other))
            upstream.answer = lambda r: answer_as_provider(r) if r.path == "/v1/embeddings" else away(r)
            client = _following(kind, f"{_by_name(upstream)}/old")
            await kind.call(extra_headers.with_headers(client, {"X-Tenant": "a"}))
            await kind.close(client)

        received = [*upstream.take(), *other.take()]
        assert [(r.path, r.values("x-tenant")) for r in received] == [
            ("/v1/old/embeddings", ["a"]),
            ("/v1/embeddings", []),
            ("/v1/embeddings", []),
        ]

    async def test_to_the_same_origin(self, kind: Kind, extra_headers: ExtraHeaders) -> None:
        """Within one server the headers stay on the call, which is counted once."""
        with RecordingProvider() as upstream:
            elsewhere = Answer(307, b"", fields=(("Location", f"{_by_name(upstream)}/embeddings"),))
            upstream.answer = lambda r: answer_as_provider(r) if r.path == "/v1/embeddings" else elsewhere
            client = _following(kind, f"{_by_name(upstream)}/old")
            await kind.call(extra_headers.with_headers(client, {"X-Tenant": "a"}))
            await kind.close(client)

        assert [(r.path, r.values("x-tenant")) for r in upstream.take()] == [
            ("/v1/old/embeddings", ["a"]),
            ("/v1/embeddings", ["a"]),
        ]
        assert counted(extra_headers) == {"allowed": 1, "clean": 1}

    async def test_followed_by_hand(self, kind: Kind, extra_headers: ExtraHeaders) -> None:
        """The request that an answer names as the next one is still part of its call."""
        if kind.library == "openai":
            return  # The SDK has no such request.
        with RecordingProvider() as other, RecordingProvider(answer=_redirecting_to(_by_name(other))) as upstream:
            client = kind.make(_by_name(upstream))
            copy = extra_headers.with_headers(client, {"X-Tenant": "a"})
            answered = (await copy.post("embeddings", json={})) if kind.is_async else copy.post("embeddings", json={})
            following = copy.send(answered.next_request)
            if kind.is_async:
                await following
            await kind.close(client)

        assert [r.values("x-tenant") for r in (*upstream.take(), *other.take())] == [["a"], []]
        assert counted(extra_headers) == {"allowed": 1, "clean": 1}
