"""What only httpx and httpx2 clients do: requests built by hand, streams, redirects, authentication."""

import importlib
from typing import Any

import pytest

from extra_headers.forwarding import ExtraHeaders, Policy
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.clients.conftest import Make
from tests.clients.kinds import BODY, KEY, counted


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    """Return each of the two libraries."""
    return importlib.import_module(request.param)


class TestRequestsBuiltByHand:
    """`build_request` and `send`."""

    def test_one_request_for_two_callers(
        self, library: Any, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """A request that is sent again, for another caller, has kept nothing of the first."""
        with library.Client() as client:
            request = client.build_request("POST", f"{upstream.base_url}/embeddings", json=BODY)
            for headers in ({"X-Tenant": "a", "X-A": "1"}, {"X-Tenant": "b"}):
                extra_headers.with_headers(client, headers).send(request)
            client.send(request)

        received = upstream.take()
        assert [(r.values("x-tenant"), r.values("x-a")) for r in received] == [(["a"], ["1"]), (["b"], []), ([], [])]
        assert len({r.body for r in received}) == 1
        assert counted(extra_headers) == {"allowed": 3, "clean": 2}

    def test_the_request_of_an_answer(
        self, library: Any, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """The request that an answer refers to is that of the service: to send it again is not to send for a caller."""
        with library.Client() as client:
            sent = extra_headers.with_headers(client, {"X-Tenant": "a"}).post(upstream.base_url, json={}).request
            client.send(sent)

        assert (sent.content, sent.headers.get("x-tenant"), sent.method) == (b"{}", None, "POST")
        assert [r.values("x-tenant") for r in upstream.take()] == [["a"], []]

    async def test_an_async_stream(
        self, library: Any, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """`stream` carries the headers; what is read within leaves nothing behind."""
        url = f"{upstream.base_url}/embeddings"
        async with (
            library.AsyncClient() as client,
            extra_headers.with_headers(client, {"X-Tenant": "a"}).stream("POST", url, json=BODY) as response,
        ):
            await client.post(url, json=BODY)
            assert b"embedding" in await response.aread()

        assert [r.values("x-tenant") for r in upstream.take()] == [["a"], []]


class TestAuthentication:
    """Credentials stay the service's."""

    def test_of_the_call(self, library: Any, make: Make, upstream: RecordingProvider) -> None:
        """`auth=` wins, whatever the caller sends and however it is spelled."""
        guard = make(Policy(on_malformed="drop"))
        hostile = {"authorization": "evil", "Proxy_Authorization": "evil", "Cookie": "evil=1", "X-A": "1"}
        with library.Client(cookies={"session": "ours"}) as client:
            guard.with_headers(client, hostile).post(f"{upstream.base_url}/embeddings", json=BODY, auth=("a", "b"))

        (received,) = upstream.take()
        assert received.values("authorization") == ["Basic YTpi"]
        assert received.values("cookie") == ["session=ours"]
        assert b"evil" not in received.head

    def test_in_the_url(self, library: Any, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
        """A password in the base URL authenticates the call, and is in no counter or span."""
        base_url = upstream.base_url.replace("//", "//user:secret@")
        with library.Client(base_url=base_url) as client:
            extra_headers.with_headers(client, {"X-A": "1"}).post("embeddings", json=BODY)

        assert upstream.take()[0].values("authorization") == ["Basic dXNlcjpzZWNyZXQ="]

    def test_by_a_flow_of_several_requests(
        self, library: Any, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """Authentication that asks the provider first is one call, counted once."""

        class TwoSteps(library.Auth):  # type: ignore[misc]
            def auth_flow(self, request: Any) -> Any:
                yield request
                request.headers["Authorization"] = f"Bearer {KEY}"
                yield request

        with library.Client(auth=TwoSteps()) as client:
            extra_headers.with_headers(client, {"X-A": "1"}).post(f"{upstream.base_url}/embeddings", json=BODY)

        assert [(r.values("authorization"), r.values("x-a")) for r in upstream.take()] == [
            ([], ["1"]),
            ([f"Bearer {KEY}"], ["1"]),
        ]
        assert counted(extra_headers) == {"allowed": 1, "clean": 1}


def test_a_client_of_the_services_own(library: Any, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
    """A subclass keeps its own ways: what it adds to each request is the service's, not the caller's."""

    class Signing(library.Client):  # type: ignore[misc]
        def send(self, request: Any, **arguments: Any) -> Any:
            request.headers["X-Signature"] = "ours"
            return super().send(request, **arguments)

    with Signing() as client:
        carrying = extra_headers.with_headers(client, {"X-Tenant": "a", "X-Signature": "evil"})
        assert isinstance(carrying, Signing)
        carrying.post(f"{upstream.base_url}/embeddings", json=BODY)

    (received,) = upstream.take()
    assert (received.values("x-tenant"), received.values("x-signature")) == (["a"], ["ours"])
