"""A provider whose calls the add-on cannot reach refuses the flag when the server starts, instead of ignoring it."""

from functools import cached_property
from typing import Any

import aiohttp
import httpx
import pytest

from extra_headers.forwarding.ogx.mixins import UnsupportedProviderError, forwarding_class


class _Host:
    """In place of the host's OpenAI base class."""

    @property
    def client(self) -> object:
        """Return a client."""
        return object()

    def _build_httpx_client_kwargs(self) -> dict[str, Any]:
        return {}


def _forwarding_class(adapter: type[Any]) -> type[Any]:
    classes: tuple[Any, Any] = (adapter, _Host)  # mypy takes no class for hashable
    return forwarding_class(*classes, "remote::new")


def test_an_adapter_with_a_client_of_its_own_kind_refuses() -> None:
    """Neither the host's OpenAI client nor another that is known: the flag would do nothing."""

    class Adapter:
        async def openai_chat_completion(self) -> None:
            """Call through nobody knows what."""

    with pytest.raises(UnsupportedProviderError, match="of type remote::new, which makes its calls through a client"):
        _forwarding_class(Adapter)


def test_an_endpoint_with_an_http_client_of_its_own_refuses() -> None:
    """One endpoint off the common path is enough: its calls would go out without the headers, and uncounted."""

    class Adapter(_Host):
        async def rerank(self) -> None:
            """Call through a client made here."""
            await self._post()

        async def _post(self) -> None:
            async with httpx.AsyncClient() as client:
                await client.post("http://127.0.0.1:1")

    with pytest.raises(UnsupportedProviderError, match="remote::new, whose rerank makes its calls through an HTTP"):
        _forwarding_class(Adapter)


def test_an_endpoint_with_the_hosts_settings_is_fine() -> None:
    """A client made with the settings that the host's base class hands out carries the headers."""

    class Adapter(_Host):
        async def rerank(self) -> None:
            """Call through a client made here, with the host's settings."""
            async with httpx.AsyncClient(**self._build_httpx_client_kwargs()) as client:
                await client.post("http://127.0.0.1:1")

    assert issubclass(_forwarding_class(Adapter), Adapter)


def test_an_endpoint_with_a_session_of_aiohttp_is_fine() -> None:
    """That one is known, and given the headers."""

    class Adapter(_Host):
        async def rerank(self) -> None:
            """Call through a session made here."""
            async with aiohttp.ClientSession() as session:
                await session.post("http://127.0.0.1:1")

    assert issubclass(_forwarding_class(Adapter), Adapter)


def test_a_session_of_aiohttp_made_elsewhere_refuses() -> None:
    """Only sessions that the endpoint opens itself are given the headers, not those of what it calls."""

    class Adapter(_Host):
        @property
        def _session(self) -> aiohttp.ClientSession:
            return aiohttp.ClientSession()

        async def rerank(self) -> None:
            """Call through one session made here, and through another."""
            async with aiohttp.ClientSession() as session, self._session as other:
                await session.post("http://127.0.0.1:1")
                await other.post("http://127.0.0.1:1")

    with pytest.raises(UnsupportedProviderError, match="remote::new, whose rerank"):
        _forwarding_class(Adapter)


def test_a_pool_with_settings_of_its_own_refuses() -> None:
    """A client that the host's base class makes and keeps, with other settings than those that it hands out."""

    class Adapter(_Host):
        @cached_property
        def _pool(self) -> httpx.AsyncClient:
            return httpx.AsyncClient()

        async def rerank(self) -> None:
            """Call through the client that is kept."""
            await self._pool.post("http://127.0.0.1:1")

    with pytest.raises(UnsupportedProviderError, match="remote::new, whose rerank"):
        _forwarding_class(Adapter)
