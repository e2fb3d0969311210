"""A service that calls a rerank endpoint by httpx forwards a caller's header and keeps its own.

Shows `ExtraHeaders.with_headers` on a `Client` and an `AsyncClient`; those of httpx2 work alike.

    python examples/httpx_client.py             against a stub that records requests
    python examples/httpx_client.py BASE_URL    against a provider of yours; its key from PROVIDER_API_KEY
"""

import asyncio
import os
import sys
from contextlib import ExitStack

import httpx

from extra_headers.forwarding import ExtraHeaders, MalformedHeadersError
from extra_headers.forwarding.testing.recording_provider import MODEL, RecordingProvider

EXTRA_HEADERS = ExtraHeaders("vllm", policy={"on_malformed": "reject"})  # a mapping, as in a run config
BODY = {"model": MODEL, "query": "hi", "documents": ["a", "b"]}


def rerank(client: httpx.Client, headers: dict[str, str]) -> int:
    """Make the call that a request of a caller leads to; `X-Tenant` of the call is not the caller's to set."""
    carrying = EXTRA_HEADERS.with_headers(client, headers)
    return carrying.post("rerank", json=BODY, headers={"X-Tenant": "from-the-login"}).status_code


async def rerank_streamed(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
    """Do the same, asynchronously, with an answer that is read bit by bit."""
    async with client, EXTRA_HEADERS.with_headers(client, headers).stream("POST", "rerank", json=BODY) as response:
        return sum([len(part) async for part in response.aiter_bytes()])


def main() -> None:
    """Run the example."""
    with ExitStack() as cleanup:
        upstream = None if sys.argv[1:] else cleanup.enter_context(RecordingProvider())
        base_url = upstream.base_url if upstream else sys.argv[1]
        own = {"Authorization": f"Bearer {os.environ.get('PROVIDER_API_KEY', 'the-service-key')}"}
        client = cleanup.enter_context(httpx.Client(base_url=base_url, headers=own))

        print("status:", rerank(client, {"X-Trace-Label": "a", "x_tenant": "of-the-caller"}))

        try:
            rerank(client, {"X-Trace-Label": "a\r\nX-Smuggled: b"})
        except MalformedHeadersError as error:
            print("rejected:", error)

        asynchronous = httpx.AsyncClient(base_url=base_url, headers=own)
        print("bytes:", asyncio.run(rerank_streamed(asynchronous, {"X-Trace-Label": "b"})))

        for request in upstream.received if upstream else ():
            for name in ("x-trace-label", "x-tenant", "x_tenant", "authorization"):
                for value in request.values(name):
                    print(f"the provider received {request.path} with {name}: {value}")


if __name__ == "__main__":
    main()
