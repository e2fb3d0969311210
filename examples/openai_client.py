"""A service with an openai client forwards its callers' headers, and no caller replaces its API key.

Shows `ExtraHeaders.with_headers` on a sync client, a rejection, and two callers at once on one async client.

    python examples/openai_client.py             against a stub that records requests
    python examples/openai_client.py BASE_URL    against a provider of yours; its key from OPENAI_API_KEY
"""

import asyncio
import os
import sys
from contextlib import ExitStack

from openai import AsyncOpenAI, OpenAI

from extra_headers.forwarding import BlockedHeadersError, ExtraHeaders, Policy
from extra_headers.forwarding.testing.recording_provider import MODEL, RecordingProvider

EXTRA_HEADERS = ExtraHeaders("vllm", policy=Policy(allow=("x-maas-*",)))
STRICT = ExtraHeaders("vllm-strict", policy=Policy(on_blocked="reject"))


def ask(client: OpenAI, headers: dict[str, str]) -> str | None:
    """Make the call that a request of a caller leads to."""
    completion = EXTRA_HEADERS.with_headers(client, headers).chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "hi"}]
    )
    return completion.choices[0].message.content


async def ask_for_two_callers_at_once(client: AsyncOpenAI) -> None:
    """Share one client between callers: each call has the headers of one caller."""
    callers = [{"X-MAAS-SUBSCRIPTION": "free-tier"}, {"X-MAAS-SUBSCRIPTION": "premium"}]
    async with client:
        await asyncio.gather(
            *(EXTRA_HEADERS.with_headers(client, h).embeddings.create(model=MODEL, input="hi") for h in callers)
        )


def main() -> None:
    """Run the example."""
    with ExitStack() as cleanup:
        upstream = None if sys.argv[1:] else cleanup.enter_context(RecordingProvider())
        base_url = upstream.base_url if upstream else sys.argv[1]
        key = os.environ.get("OPENAI_API_KEY", "the-service-key")
        client = cleanup.enter_context(OpenAI(base_url=base_url, api_key=key))

        headers = {"X-MAAS-SUBSCRIPTION": "free-tier", "Authorization": "Bearer of-the-caller"}
        print("answer:", ask(client, headers))

        try:
            STRICT.with_headers(client, headers)
        except BlockedHeadersError as error:
            print("rejected:", error)

        asyncio.run(ask_for_two_callers_at_once(AsyncOpenAI(base_url=base_url, api_key=key)))

        for request in upstream.received if upstream else ():
            for name in ("x-maas-subscription", "authorization"):
                for value in request.values(name):
                    print(f"the provider received {request.path} with {name}: {value}")


if __name__ == "__main__":
    main()
