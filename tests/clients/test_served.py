"""The middleware in a real server: what a caller gets over a connection that stays in use."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
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


@asynccontextmanager
async def _serving(guard: ExtraHeaders, upstream: RecordingProvider) -> AsyncIterator[str]:
    async with AsyncOpenAI(api_key=KEY, base_url=upstream.base_url) as client:

        async def handler(_: Request) -> Response:
            carrying = guard.with_headers(client, guard.caller_headers())
            return PlainTextResponse((await carrying.embeddings.create(**BODY)).model)

        routes = [Route("/", handler, methods=["POST"])]
        server = _Server(Starlette(routes=routes, middleware=[Middleware(ProviderDataMiddleware)]))
        running = asyncio.create_task(server.serve())
        await asyncio.wait_for(server.listening.wait(), timeout=20)
        yield server.url
        server.should_exit = True
        await running


async def test_a_connection_survives_rejections(make: Make, upstream: RecordingProvider) -> None:
    """Forwarded and rejected requests take turns on one connection, and nothing passes from one to the next."""
    guard = make(Policy(on_blocked="reject"))
    turns = [({"X-Tenant": "a"}, 200), ({"Cookie": "c"}, 403), ({"X-Tenant": "\n"}, 400), (None, 200)] * 3
    ports = set()
    async with _serving(guard, upstream) as url, httpx.AsyncClient() as caller:
        for headers, status in turns:
            data = {"X-OGX-Provider-Data": json.dumps({guard.field: headers})} if headers else {}
            response = await caller.post(url, headers=data, json="hi")
            assert response.status_code == status, response.text
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr")[1])

    assert len(ports) == 1
    assert [r.values("x-tenant") for r in upstream.take()] == [["a"], []] * 3
    assert counted(guard) == {"allowed": 3, "credential": 3, "value": 3, "clean": 3, "rejected": 6}
