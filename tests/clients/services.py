"""Services of one endpoint behind the middleware, and callers of them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from extra_headers.forwarding import ExtraHeaders, ProviderDataMiddleware

type Handler = Callable[[Request], Awaitable[Response]]

HEADER = "X-OGX-Provider-Data"


def service(handler: Handler, **options: Any) -> httpx.AsyncClient:
    """Return a caller of a service of one endpoint."""
    routes = [Route("/", handler, methods=["POST"])]
    app = Starlette(routes=routes, middleware=[Middleware(ProviderDataMiddleware, **options)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


def echo(extra_headers: ExtraHeaders) -> Handler:
    """Return a handler that answers with the headers that a provider would get."""

    async def handler(_: Request) -> Response:
        async with httpx.AsyncClient(transport=httpx.MockTransport(_sent_headers)) as client:
            carrying = extra_headers.with_headers(client, extra_headers.caller_headers())
            return PlainTextResponse((await carrying.post("http://provider")).text)

    return handler


def _sent_headers(request: httpx.Request) -> httpx.Response:
    sent = {name: value for name, value in request.headers.items() if name.startswith("x-")}
    return httpx.Response(200, json=sent)


def provider_data(extra_headers: ExtraHeaders, headers: object) -> dict[str, str]:
    """Return the header of a caller with extra headers."""
    return {HEADER: json.dumps({extra_headers.field: headers})}
