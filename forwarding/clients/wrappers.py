"""Copies of openai and httpx clients whose calls carry a caller's headers; the clients themselves stay untouched.

Nothing is decided here. A copy asks at each call, when all that it would send without the caller is known. It does so
around the client's own method for one call, with its retries and redirects, and not in an event hook: an error raised
there is retried by the SDK and comes out as a connection error.
"""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from types import new_class
from typing import Any, NamedTuple, Protocol, Self, cast


class Call(Protocol):
    """A caller's headers, to be decided for each call of a copy."""

    def deciding(self, names: Collection[str], base_url: str) -> AbstractContextManager[Mapping[str, str]]:
        """Return what yields the headers that the call made within may carry."""


class Sent(NamedTuple):
    """What a client sends without any caller."""

    names: Collection[str]
    """Names of the headers."""
    base_url: str


class ClientKind(NamedTuple):
    """How to treat the clients of one class."""

    sends: Callable[[Any], Sent]
    """Return what every call of a client sends."""
    state: Callable[[Any], Mapping[str, Any]]
    """Return the attributes of a client that shares the connections of another and differs in nothing."""
    mixin: type[Any]
    """Makes a client carry headers."""

    def carrying[Client](self, client: Client, call: Call) -> Client:
        """Return a copy of `client` whose calls carry the headers of `call`."""
        base: Any = type(client)  # mypy takes no class for hashable
        kind: Any = _carrying_class(base, cast(Any, self.mixin))
        made = kind.__new__(kind)
        vars(made).update(self.state(client), _extra_headers_call=call)
        return cast(Client, made)


def kind_of(client: object) -> ClientKind:
    """Return how to treat a client.

    Raises:
        TypeError: nobody knows, or the client carries a caller's headers already.

    """
    if isinstance(client, _Carrying):
        raise TypeError("this client carries the headers of a caller already; start from the client it was made of")
    for (module, name), kind in _KINDS.items():
        # Who holds a client has loaded its library. Loading the others would take a second, for nothing.
        if (library := sys.modules.get(module)) is not None and isinstance(client, getattr(library, name)):
            return kind
    raise TypeError(
        "extra headers need an OpenAI or AsyncOpenAI of openai, or a Client or AsyncClient of httpx or httpx2, "
        f"not {type(client).__module__}.{type(client).__qualname__}"
    )


class _Carrying:
    """What all copies have: the headers of one caller."""

    _extra_headers_call: Call


@cache
def _carrying_class(base: type[Any], mixin: type[Any]) -> type[Any]:
    return new_class(base.__name__, (mixin, base), exec_body=lambda body: body.update({"__module__": __name__}))


# The headers of the call that this context is making. With the call, because a call may make another one first, to
# fetch a token for instance, by a client that carries headers too.
_in_flight: ContextVar[tuple[Call, Mapping[str, str]] | None] = ContextVar("extra_headers_in_flight", default=None)


class _OpenAI(_Carrying):
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
        names, base_url = _sent_by_openai(self)
        # A header that the call takes away, by `Omit`, is as little the caller's to set as one that it adds.
        with self._extra_headers_call.deciding({*names, *(options.headers or ())}, base_url) as headers:
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


def _sent_by_openai(client: Any) -> Sent:
    # With openai loaded; see `kind_of`.
    from ..client_headers import client_header_names  # noqa: PLC0415 - loads openai

    return Sent(client_header_names(client), str(client.base_url))


class _Httpx(_Carrying):
    @contextmanager
    def _call(self, request: Any) -> Iterator[Any]:
        # Without the user name and password that a URL may hold.
        base_url = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        with self._extra_headers_call.deciding(request.headers.keys(), base_url) as headers:
            yield _with_headers(request, headers)


class _SyncHttpx(_Httpx):
    def send(self, request: Any, **arguments: Any) -> Any:
        with self._call(request) as carrying:
            return super().send(carrying, **arguments)  # type: ignore[misc]


class _AsyncHttpx(_Httpx):
    async def send(self, request: Any, **arguments: Any) -> Any:
        with self._call(request) as carrying:
            return await super().send(carrying, **arguments)  # type: ignore[misc]


def _with_headers(request: Any, headers: Mapping[str, str]) -> Any:
    """Return a copy of a request with more headers: the service may send its own again, for another caller."""
    made = object.__new__(type(request))
    vars(made).update(vars(request))
    made.headers = request.headers.copy()
    made.headers.update(headers)
    return made


def _sent_by_httpx(client: Any) -> Sent:
    return Sent(client.headers.keys(), str(client.base_url.copy_with(userinfo=b"")))


def _state_of_openai(client: Any) -> Mapping[str, Any]:
    from ..client_headers import copy_of  # noqa: PLC0415 - loads openai

    # Not those of the client: its resources, such as `chat`, belong to it and call it.
    state: Mapping[str, Any] = vars(copy_of(client))
    return state


_KINDS = {
    ("openai", "OpenAI"): ClientKind(_sent_by_openai, _state_of_openai, _SyncOpenAI),
    ("openai", "AsyncOpenAI"): ClientKind(_sent_by_openai, _state_of_openai, _AsyncOpenAI),
    ("httpx", "Client"): ClientKind(_sent_by_httpx, vars, _SyncHttpx),
    ("httpx", "AsyncClient"): ClientKind(_sent_by_httpx, vars, _AsyncHttpx),
    ("httpx2", "Client"): ClientKind(_sent_by_httpx, vars, _SyncHttpx),
    ("httpx2", "AsyncClient"): ClientKind(_sent_by_httpx, vars, _AsyncHttpx),
}
