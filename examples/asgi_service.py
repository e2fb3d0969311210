"""A service of one endpoint takes the provider-data header itself and answers 400 and 403 by itself.

Shows `ProviderDataMiddleware` and `ExtraHeaders.caller_headers` in a Starlette application, and three of its callers.
In production the application is served as any other; here the callers reach it without a socket.

    python examples/asgi_service.py             against a stub that records requests
    python examples/asgi_service.py BASE_URL    against a provider of yours; its key from OPENAI_API_KEY
"""

import asyncio
import json
import os
import sys
from contextlib import ExitStack

import httpx
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from extra_headers.forwarding import ExtraHeaders, Policy, ProviderDataMiddleware
from extra_headers.forwarding.testing.recording_provider import MODEL, RecordingProvider

EXTRA_HEADERS = ExtraHeaders("vllm", policy=Policy(on_blocked="reject"))

CALLERS = (
    '{"vllm_extra_headers": {"X-MAAS-SUBSCRIPTION": "free-tier"}}',
    '{"vllm_extra_headers": {"Authorization": "Bearer of-the-caller"}}',
    '{"vllm_extra_headers": {"X-MAAS-SUBSCRIPTION": "free-tier"',
)


def service(client: AsyncOpenAI) -> Starlette:
    """Return the application: `POST /chat` with a JSON string, answered by the provider."""

    async def chat(request: Request) -> Response:
        # Raises where the policy rejects the caller's headers; the middleware answers.
        carrying = EXTRA_HEADERS.with_headers(client, EXTRA_HEADERS.caller_headers())
        completion = await carrying.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": await request.json()}]
        )
        return JSONResponse(completion.choices[0].message.content)

    return Starlette(routes=[Route("/chat", chat, methods=["POST"])], middleware=[Middleware(ProviderDataMiddleware)])


async def call(base_url: str) -> None:
    """Call the service as three callers do, and print what it answers."""
    async with AsyncOpenAI(base_url=base_url, api_key=os.environ.get("OPENAI_API_KEY", "the-service-key")) as client:
        transport = httpx.ASGITransport(service(client))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as caller:
            for provider_data in CALLERS:
                headers = {"X-OGX-Provider-Data": provider_data}
                response = await caller.post("/chat", content=json.dumps("hi"), headers=headers)
                print(response.status_code, response.text)


def main() -> None:
    """Run the example."""
    with ExitStack() as cleanup:
        upstream = None if sys.argv[1:] else cleanup.enter_context(RecordingProvider())
        asyncio.run(call(upstream.base_url if upstream else sys.argv[1]))
        for request in upstream.received if upstream else ():
            for name in ("x-maas-subscription", "authorization"):
                for value in request.values(name):
                    print(f"the provider received {request.path} with {name}: {value}")


if __name__ == "__main__":
    main()
