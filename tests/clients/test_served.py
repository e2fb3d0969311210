"""The middleware in a real server: what a caller gets over a connection that stays in use."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from extra_headers.forwarding import ExtraHeaders, Policy, ProviderDataMiddleware
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.clients.conftest import Make
from tests.clients.kinds import BODY, KEY, counted


class _Server(uvicorn.Server):
    """Says when it listens, and where."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(uvicorn.Config(app, port=0, log_level="error", ws="none", lifespan="off"))
        self.listening = asyncio.Event()

    async def startup(self, sockets: object = None) -> None:
        """Start to listen."""
        await super().startup(None)
        assert sockets is None
        self.listening.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"


type _Handler = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def _serving(handler: _Handler) -> AsyncIterator[str]:
    routes = [Route("/", handler, methods=["POST"])]
    server = _Server(Starlette(routes=routes, middleware=[Middleware(ProviderDataMiddleware)]))
    running = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.listening.wait(), timeout=20)
    yield server.url
    server.should_exit = True
    await running


def _provider_data(guard: ExtraHeaders, headers: object) -> dict[str, str]:
    return {"X-OGX-Provider-Data": json.dumps({guard.field: headers})} if headers else {}


def _embedding(guard: ExtraHeaders, client: AsyncOpenAI) -> Callable[[], Awaitable[str]]:
    async def embed() -> str:
        carrying = guard.with_headers(client, guard.caller_headers())
        return (await carrying.embeddings.create(**BODY)).model

    return embed


async def test_a_connection_survives_rejections(make: Make, upstream: RecordingProvider) -> None:
    """Forwarded and rejected requests take turns on one connection, and nothing passes from one to the next."""
    guard = make(Policy(on_blocked="reject"))
    turns = [({"X-Tenant": "a"}, 200), ({"Cookie": "c"}, 403), ({"X-Tenant": "\n"}, 400), (None, 200)] * 3
    ports = set()

    async def handler(_: Request) -> Response:
        return PlainTextResponse(await _embedding(guard, client)())

    async with (
        AsyncOpenAI(api_key=KEY, base_url=upstream.base_url) as client,
        _serving(handler) as url,
        httpx.AsyncClient() as caller,
    ):
        for headers, status in turns:
            response = await caller.post(url, headers=_provider_data(guard, headers), json="hi")
            assert response.status_code == status, response.text
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr")[1])

    assert len(ports) == 1
    assert [r.values("x-tenant") for r in upstream.take()] == [["a"], []] * 3
    assert counted(guard) == {"allowed": 3, "credential": 3, "value": 3, "clean": 3, "rejected": 6}


async def test_a_rejection_out_of_a_task_group(make: Make, upstream: RecordingProvider) -> None:
    """A handler that calls several providers at once is answered as one that calls one, however the tasks are nested.

    A malformed header is answered before a blocked one. A failure of the application beside it stays a failure.
    """
    blocking, other = make(Policy(on_blocked="reject")), make(Policy())
    broken = False

    async def handler(_: Request) -> Response:
        async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
            inner.create_task(_embedding(blocking, client)())  # type: ignore[arg-type]
            inner.create_task(_embedding(other, client)())  # type: ignore[arg-type]
            if broken:
                outer.create_task(_failing())
        return PlainTextResponse("fine")

    async def _failing() -> None:
        raise LookupError

    async with (
        AsyncOpenAI(api_key=KEY, base_url=upstream.base_url) as client,
        _serving(handler) as url,
        httpx.AsyncClient() as caller,
    ):
        blocked: dict[str, object] = {blocking.field: {"Cookie": "c"}}
        answers = [
            await caller.post(url, headers={"X-OGX-Provider-Data": json.dumps(data)})
            for data in ({}, blocked, {**blocked, other.field: "bad"})
        ]
        broken = True
        answers.append(await caller.post(url, headers=_provider_data(blocking, {"Cookie": "c"})))

    assert [answer.status_code for answer in answers] == [200, 403, 400, 500]
    codes = [answer.json()["error"]["code"] for answer in answers[1:3]]
    assert codes == ["blocked_extra_headers", "malformed_extra_headers"]


async def test_headers_taken_in_a_request_that_is_over(make: Make, upstream: RecordingProvider) -> None:
    """What a request took, and a copy that it made, sends nothing once the request is over: both are an error."""
    guard = make(Policy())
    taken: list[Any] = []

    async def handler(_: Request) -> Response:
        headers = guard.caller_headers()
        taken.extend((headers, guard.with_headers(client, headers)))
        return PlainTextResponse("fine")

    async with (
        AsyncOpenAI(api_key=KEY, base_url=upstream.base_url) as client,
        _serving(handler) as url,
        httpx.AsyncClient() as caller,
    ):
        await caller.post(url, headers=_provider_data(guard, {"X-Tenant": "a"}))
        headers, copy = taken
        with pytest.raises(RuntimeError, match="is over"):
            guard.with_headers(client, headers)
        with pytest.raises(RuntimeError, match="is over"):
            await copy.embeddings.create(**BODY)

    assert upstream.take() == []
    assert counted(guard) == {}
