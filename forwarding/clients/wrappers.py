"""Copies of openai and httpx clients that add a caller's headers to their calls; the clients themselves stay untouched.

Nothing is decided here. A copy asks at each call, when all that it would send without the caller is known. It does so
around the client's own method for one call, with its retries and redirects, and not in an event hook: an error raised
there is retried by the SDK and comes out as a connection error.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import new_class
from typing import Any, NamedTuple, Self, cast

from ..enforcement import OutboundRequest
from .headers_for_call import HeadersForCall


class ClientWrapper(NamedTuple):
    """How to treat the clients of one class."""

    outbound_request: Callable[[Any], OutboundRequest]
    """Return what every call of a client sends without any caller."""
    copy_state: Callable[[Any], Mapping[str, Any]]
    """Return the attributes of a copy that shares the connections of a client."""
    mixin: type[Any]
    """Adds headers to the calls of a client."""

    def wrap[Client](self, client: Client, call: HeadersForCall) -> Client:
        """Return a copy of `client` that adds the headers of `call` to its calls."""
        base: Any = type(client)  # mypy takes no class for hashable
        kind: Any = _wrapped_class(base, cast(Any, self.mixin))
        made = kind.__new__(kind)
        vars(made).update(self.copy_state(client), _extra_headers_call=call)
        return cast(Client, made)


def wrapper_for(client: object) -> ClientWrapper:
    """Return the wrapper for a client.

    Raises:
        TypeError: the client's class is not supported, or it is already a wrapped copy.

    """
    if isinstance(client, _Wrapped):
        raise TypeError("this client is already a wrapped copy; start from the client that it was made of")
    for (module, name), wrapper in _WRAPPERS.items():
        # Who holds a client has loaded its library. Loading the others would take a second, for nothing.
        if (library := sys.modules.get(module)) is not None and isinstance(client, getattr(library, name)):
            return wrapper
    raise TypeError(
        "extra headers need an OpenAI or AsyncOpenAI of openai, or a Client or AsyncClient of httpx or httpx2, "
        f"not {type(client).__module__}.{type(client).__qualname__}"
    )


class _Wrapped:
    """What all copies have: the headers of one caller."""

    _extra_headers_call: HeadersForCall


@cache
def _wrapped_class(base: type[Any], mixin: type[Any]) -> type[Any]:
    return new_class(base.__name__, (mixin, base), exec_body=lambda body: body.update({"__module__": __name__}))


# The headers of the call that this context is making. With the call, because a call may make another one first, to
# fetch a token for instance, by a client that carries headers too.
_in_flight: ContextVar[tuple[HeadersForCall, Mapping[str, str]] | None] = ContextVar(
    "extra_headers_in_flight", default=None
)


class _OpenAI(_Wrapped):
    """Adds the headers as the SDK's default ones, which it neither logs nor repeats in what it returns."""

    @property
    def default_headers(self) -> dict[str, Any]:
        """The client's own and, within a call, those of the caller: the two have no name in common."""
        own: dict[str, Any] = super().default_headers  # type: ignore[misc]
        in_flight = _in_flight.get()
        return {**own, **in_flight[1]} if in_flight and in_flight[0] is self._extra_headers_call else own

    def copy(self, **changes: Any) -> Self:
        """Return a copy with other options, for the same caller."""
        made: Self = super().copy(**changes)  # type: ignore[misc]
        made._extra_headers_call = self._extra_headers_call
        return made

    with_options = copy

    @contextmanager
    def _call(self, options: Any) -> Iterator[None]:
        names, base_url = _request_of_openai(self)
        # A header that the call takes away, by `Omit`, is as little the caller's to set as one that it adds.
        outbound = OutboundRequest(names.union(options.headers or ()), base_url)
        with self._extra_headers_call.decide(outbound) as headers:
            token = _in_flight.set((self._extra_headers_call, headers))
            try:
                yield
            finally:
                _in_flight.reset(token)


class _SyncOpenAI(_OpenAI):
    def request(self, cast_to: Any, options: Any, **arguments: Any) -> Any:
        with self._call(options):
            return super().request(cast_to, options, **arguments)  # type: ignore[misc]


class _AsyncOpenAI(_OpenAI):
    async def request(self, cast_to: Any, options: Any, **arguments: Any) -> Any:
        with self._call(options):
            return await super().request(cast_to, options, **arguments)  # type: ignore[misc]


def _request_of_openai(client: Any) -> OutboundRequest:
    # With openai loaded; see `wrapper_for`.
    from ..client_headers import client_header_names  # noqa: PLC0415 - loads openai

    return OutboundRequest(client_header_names(client), str(client.base_url))


class _Httpx(_Wrapped):
    @contextmanager
    def _call(self, request: Any) -> Iterator[Any]:
        # Without the user name and password that a URL may hold.
        base_url = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        outbound = OutboundRequest(frozenset(request.headers.keys()), base_url)
        with self._extra_headers_call.decide(outbound) as headers:
            yield _with_headers(request, headers)


class _SyncHttpx(_Httpx):
    def send(self, request: Any, **arguments: Any) -> Any:
        with self._call(request) as wrapped:
            return super().send(wrapped, **arguments)  # type: ignore[misc]


class _AsyncHttpx(_Httpx):
    async def send(self, request: Any, **arguments: Any) -> Any:
        with self._call(request) as wrapped:
            return await super().send(wrapped, **arguments)  # type: ignore[misc]


def _with_headers(request: Any, headers: Mapping[str, str]) -> Any:
    """Return a copy of a request with more headers: the service may send its own again, for another caller."""
    made = object.__new__(type(request))
    vars(made).update(vars(request))
    made.headers = request.headers.copy()
    made.headers.update(headers)
    return made


def _request_of_httpx(client: Any) -> OutboundRequest:
    return OutboundRequest(frozenset(client.headers.keys()), str(client.base_url.copy_with(userinfo=b"")))


def _state_of_openai(client: Any) -> Mapping[str, Any]:
    from ..client_headers import copy_of  # noqa: PLC0415 - loads openai

    # Not those of the client: its resources, such as `chat`, belong to it and call it.
    state: Mapping[str, Any] = vars(copy_of(client))
    return state


_WRAPPERS = {
    ("openai", "OpenAI"): ClientWrapper(_request_of_openai, _state_of_openai, _SyncOpenAI),
    ("openai", "AsyncOpenAI"): ClientWrapper(_request_of_openai, _state_of_openai, _AsyncOpenAI),
    ("httpx", "Client"): ClientWrapper(_request_of_httpx, vars, _SyncHttpx),
    ("httpx", "AsyncClient"): ClientWrapper(_request_of_httpx, vars, _AsyncHttpx),
    ("httpx2", "Client"): ClientWrapper(_request_of_httpx, vars, _SyncHttpx),
    ("httpx2", "AsyncClient"): ClientWrapper(_request_of_httpx, vars, _AsyncHttpx),
}
