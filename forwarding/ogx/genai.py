"""Google's SDK, whose calls take headers in their configuration, and which has no public names for its HTTP clients."""

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import Any

from ..client_headers import GENAI_NAMES
from ..enforcement import OutboundHeaders, OutboundRequest
from ..http_state import protect, protect_session


class GenaiModels:
    """The methods of a client's asynchronous `models`, with headers for this call."""

    def __init__(self, client: Any, headers: OutboundHeaders) -> None:
        self._client = client  # held: the SDK closes the connections of a client that is dropped
        self._headers = headers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client.aio.models, name)

        def call(*, config: Any = None, **kwargs: Any) -> Any:
            return method(config=self._with_headers(config), **kwargs)

        return call

    def _with_headers(self, config: Any) -> Any:
        if config is None:
            return {"http_options": {"headers": self._headers.merged_with()}}
        options = config.http_options or import_module("google.genai.types").HttpOptions()
        merged = options.model_copy(update={"headers": self._headers.merged_with(options.headers)})
        return config.model_copy(update={"http_options": merged})


def protect_genai(client: Any) -> None:
    """Protect the HTTP clients beneath Google's SDK: httpx, and aiohttp if that is used."""
    api_client = client._api_client  # noqa: SLF001 - as above
    protect(api_client._async_httpx_client)  # noqa: SLF001
    if hasattr(open_session := api_client._get_aiohttp_session, "__wrapped__"):  # noqa: SLF001
        return

    @wraps(open_session)
    async def open_protected_session() -> Any:
        session = await open_session()
        return session if session is None else protect_session(session)

    api_client._get_aiohttp_session = open_protected_session  # noqa: SLF001


def genai_request(client: Any) -> OutboundRequest:
    """Return what a call of a client carries itself."""
    return OutboundRequest(GENAI_NAMES.union(genai_headers(client)), str(_genai_options(client).get("base_url")))


def genai_headers(client: Any) -> Mapping[str, str]:
    """Return the headers that a client sends on every call."""
    return _genai_options(client).get("headers") or {}


def _genai_options(client: Any) -> Mapping[str, Any]:
    # The SDK has no public name for what its client sends.
    options: Mapping[str, Any] = client._api_client.get_read_only_http_options()  # noqa: SLF001
    return options
