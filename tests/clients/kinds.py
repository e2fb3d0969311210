"""Every kind of client that can carry extra headers, treated alike: sync and async, of openai, httpx and httpx2."""

import importlib
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI, OpenAI

from extra_headers.forwarding import ExtraHeaders
from extra_headers.telemetry.metrics import Metrics

KEY = "the-service-key"
BODY: dict[str, Any] = {"model": "test-model", "input": "hi"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of client."""

    library: str
    is_async: bool

    def make(self, base_url: str, **options: Any) -> Any:
        """Return a client that authenticates itself to the provider."""
        if self.library == "openai":
            made = AsyncOpenAI if self.is_async else OpenAI
            return made(api_key=KEY, base_url=base_url, **options)
        module = importlib.import_module(self.library)
        options["headers"] = {"Authorization": f"Bearer {KEY}", **options.pop("default_headers", {})}
        made = module.AsyncClient if self.is_async else module.Client
        return made(base_url=base_url, **options)

    def make_instrumented(self, base_url: str, instrument: Any) -> Any:
        """Return a client whose HTTP client `instrument` has got hold of."""
        if self.library != "openai":
            client = self.make(base_url)
            instrument(client)
            return client
        module = importlib.import_module(http_library_of_openai())
        http_client = module.AsyncClient() if self.is_async else module.Client()
        instrument(http_client)
        return self.make(base_url, http_client=http_client)

    async def call(self, client: Any, headers: dict[str, str] | None = None) -> None:
        """Make one call, with `headers` of its own."""
        if self.library == "openai":
            made = client.embeddings.create(**BODY, extra_headers=headers)
        else:
            made = client.post("embeddings", json=BODY, headers=headers)
        if self.is_async:
            await made

    async def close(self, client: Any) -> None:
        """Close a client and its connections."""
        closed = client.aclose() if self.is_async and self.library != "openai" else client.close()
        if self.is_async:
            await closed


def http_library_of_openai() -> str:
    """Return the HTTP library that the installed openai speaks: httpx2 from version 3 on."""
    with OpenAI(api_key=KEY) as client:
        libraries = [kind.__module__.partition(".")[0] for kind in type(client._client).__mro__]
    return next(library for library in libraries if library in {"httpx", "httpx2"})


KINDS = {
    f"{library} {'async' if is_async else 'sync'}": Kind(library, is_async)
    for library in ("openai", "httpx", "httpx2")
    for is_async in (False, True)
}


def counted(extra_headers: ExtraHeaders) -> dict[str, float]:
    """Return what is counted for a provider: decisions by reason, requests by outcome, without zeros.

    Read from the counters themselves: to collect the registry takes longer with each provider of an earlier test.
    """
    metrics = Metrics.in_registry()
    assert metrics is not None
    metrics.deferred.add()
    return {
        values[-1]: total
        for counter in (metrics.decisions, metrics.requests)
        for values in list(counter._metrics)
        if values[0] == extra_headers.provider and (total := counter.labels(*values)._value.get())
    }
