"""How long a request's headers live behind the middleware: no longer than the request, and in no other."""

import asyncio

import httpx
import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from extra_headers.forwarding import ExtraHeaders
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.clients.kinds import BODY
from tests.clients.services import echo, provider_data, service


class TestHowLongHeadersLive:
    """No longer than their request, and in no other."""

    async def test_the_next_request(self, extra_headers: ExtraHeaders) -> None:
        """A request without provider data, after one with, has none; nor has code outside of any request."""
        async with service(echo(extra_headers)) as caller:
            first = await caller.post("/", headers=provider_data(extra_headers, {"X-Tenant": "a"}))
            second = await caller.post("/")
        assert (first.json(), second.json()) == ({"x-tenant": "a"}, {})
        with pytest.raises(RuntimeError, match="no ProviderDataMiddleware"):
            extra_headers.caller_headers()

    async def test_many_at_once(self, extra_headers: ExtraHeaders) -> None:
        """Concurrent requests each see their own headers only, before and after they wait for something."""

        async def handler(request: Request) -> Response:
            await asyncio.sleep(0)
            return await echo(extra_headers)(request)

        async with service(handler) as caller:
            requests = [
                caller.post("/", headers=provider_data(extra_headers, {"X-Tenant": str(i)}) if i % 3 else {})
                for i in range(90)
            ]
            responses = await asyncio.gather(*requests)
        assert [r.json() for r in responses] == [{"x-tenant": str(i)} if i % 3 else {} for i in range(90)]

    async def test_a_task_that_outlives_its_request(self, extra_headers: ExtraHeaders) -> None:
        """It inherits the request's context; asking for the caller's headers after the end is an error."""
        left_behind: list[asyncio.Task[object]] = []
        over = asyncio.Event()

        async def later() -> object:
            await over.wait()
            return extra_headers.caller_headers()

        async def handler(_: Request) -> Response:
            left_behind.append(asyncio.create_task(later()))
            return PlainTextResponse("fine")

        async with service(handler) as caller:
            await caller.post("/", headers=provider_data(extra_headers, {"X-Tenant": "a"}))
        over.set()
        with pytest.raises(RuntimeError, match="is over"):
            await left_behind[0]

    async def test_work_that_belongs_to_the_request(
        self, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """Threads and background tasks of the framework, within the request, have its headers."""

        def work() -> None:
            with httpx.Client() as client:
                carrying = extra_headers.with_headers(client, extra_headers.caller_headers())
                carrying.post(f"{upstream.base_url}/embeddings", json=BODY)

        async def handler(_: Request) -> Response:
            await asyncio.to_thread(work)
            return PlainTextResponse("fine", background=BackgroundTask(work))

        async with service(handler) as caller:
            await caller.post("/", headers=provider_data(extra_headers, {"X-Tenant": "a"}))
        assert [r.values("x-tenant") for r in upstream.take()] == [["a"], ["a"]]
