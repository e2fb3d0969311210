"""Copies of openai and httpx clients that add a caller's headers to their calls; the clients themselves stay untouched.

Nothing is decided here. A copy asks for each request, when all that it would send without the caller is known: the last
method of an httpx client before its transport. It has no public name; a version of httpx without it would forward
nothing.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import new_class
from typing import Any, NamedTuple, Self, cast

from ..client_headers import client_header_names, copy_of
from ..enforcement import OutboundRequest
from ..http_state import cookies_that_stay_the_same
from .headers_for_call import Call, HeadersForCall

_EXTENSION = "extra_headers_call"
"""Under this key, a request of httpx or httpx2 holds the call that it is part of; a redirected one has it, too."""


class ClientWrapper(NamedTuple):
    """How to treat the clients of one class."""

    outbound_request: Callable[[Any], OutboundRequest]
    """Return what every call of a client sends without any caller."""
    copy_state: Callable[[Any, HeadersForCall], Mapping[str, Any]]
    """Return the attributes of a copy that shares the connections of a client, and keeps no cookie of an answer."""
    mixin: type[Any]
    """Adds headers to the calls of a client."""

    def wrap[Client](self, client: Client, headers: HeadersForCall) -> Client:
        """Return a copy of `client` that adds the headers of one caller to its calls."""
        base: Any = type(client)  # mypy takes no class for hashable
        kind: Any = _wrapped_class(base, cast(Any, self.mixin))
        made = kind.__new__(kind)
        vars(made).update(self.copy_state(client, headers), _extra_headers=headers)
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

    _extra_headers: HeadersForCall


@cache
def _wrapped_class(base: type[Any], mixin: type[Any]) -> type[Any]:
    return new_class(base.__name__, (mixin, base), exec_body=lambda body: body.update({"__module__": __name__}))


class _Httpx(_Wrapped):
    """Adds the headers where a request is final: after hooks, authentication, and whatever a subclass does in `send`.

    What the client adds before is seen by the decision and stays. The request to which an answer refers, and from which
    a redirected one is made, is without the caller's headers.
    """

    def __del__(self) -> None:
        """Leave the connections open: openai's clients close them here, and they belong to the client."""

    @contextmanager
    def _sending(self, request: Any) -> Iterator[Any]:
        """Give the request to send, with the call that it is part of in its extensions."""
        call = self._call_of(request)
        if call is None:
            call = Call(self._extra_headers)
            request = _copy_of(request, extensions={**request.extensions, _EXTENSION: call})
        call.target = _target_of(request)
        with _as_running(call):
            yield request

    def _call_of(self, request: Any) -> Call | None:
        """Return the call in the extensions of a request."""
        call = request.extensions.get(_EXTENSION)
        return call if isinstance(call, Call) and call.is_for(self._extra_headers) else None

    def _final(self, request: Any) -> Any:
        call = self._call_of(request)
        if call is None:
            # The client's authentication made it: to fetch a token somewhere, or in place of the request to send.
            call = _running.get()
            if call is None or not call.is_for(self._extra_headers) or call.target != _target_of(request):
                return request
        headers = request.headers.copy()
        # Without the user name and password that a URL may hold.
        base_url = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        headers.update(call.headers(frozenset(headers.keys()), base_url))
        return _copy_of(request, headers=headers)


class _SyncHttpx(_Httpx):
    def send(self, request: Any, **arguments: Any) -> Any:
        with self._sending(request) as request_of_call:
            return super().send(request_of_call, **arguments)  # type: ignore[misc]

    def _send_single_request(self, request: Any) -> Any:
        response = super()._send_single_request(self._final(request))  # type: ignore[misc]
        response.request = request
        return response


class _AsyncHttpx(_Httpx):
    async def send(self, request: Any, **arguments: Any) -> Any:
        with self._sending(request) as request_of_call:
            return await super().send(request_of_call, **arguments)  # type: ignore[misc]

    async def _send_single_request(self, request: Any) -> Any:
        response = await super()._send_single_request(self._final(request))  # type: ignore[misc]
        response.request = request
        return response


def _copy_of(request: Any, **changes: Any) -> Any:
    """Return a copy of a request: the service may send its own again, for another caller."""
    made = object.__new__(type(request))
    vars(made).update(vars(request), **changes)
    return made


def _target_of(request: Any) -> tuple[object, ...]:
    """Return what a request and one made in its place have in common, whatever authentication adds to the query."""
    return (request.method, request.url.scheme, request.url.host, request.url.port, request.url.path)


# The call that this context is making.
_running: ContextVar[Call | None] = ContextVar("extra_headers_running_call", default=None)


@contextmanager
def _as_running(call: Call) -> Iterator[None]:
    token = _running.set(call)
    try:
        with call.running():
            yield
    finally:
        _running.reset(token)


class _OpenAI(_Wrapped):
    """Makes a request and its retries one call. The HTTP client beneath, a copy too, adds the headers."""

    def copy(self, **changes: Any) -> Self:
        """Return a copy with other options, for the same caller."""
        made: Self = super().copy(**changes)  # type: ignore[misc]
        if not isinstance(made._client, _Wrapped):  # type: ignore[attr-defined]
            made._client = _http_client_of(made, self._extra_headers)  # type: ignore[attr-defined]
        made._extra_headers = self._extra_headers
        return made

    with_options = copy

    def _build_request(self, options: Any, **arguments: Any) -> Any:
        request = super()._build_request(options, **arguments)  # type: ignore[misc]
        call = _running.get()
        # Of another client where this one fetches a token, for instance, within a call.
        if call is not None and call.is_for(self._extra_headers):
            # A header that the call takes away, by `Omit`, is as little the caller's to set as one that it adds.
            call.taken_away = tuple(options.headers or ())
            request.extensions[_EXTENSION] = call
        return request


class _SyncOpenAI(_OpenAI):
    def request(self, cast_to: Any, options: Any, **arguments: Any) -> Any:
        with _as_running(Call(self._extra_headers)):
            return super().request(cast_to, options, **arguments)  # type: ignore[misc]


class _AsyncOpenAI(_OpenAI):
    async def request(self, cast_to: Any, options: Any, **arguments: Any) -> Any:
        with _as_running(Call(self._extra_headers)):
            return await super().request(cast_to, options, **arguments)  # type: ignore[misc]


def _request_of_openai(client: Any) -> OutboundRequest:
    return OutboundRequest(client_header_names(client), str(client.base_url))


def _request_of_httpx(client: Any) -> OutboundRequest:
    return OutboundRequest(frozenset(client.headers.keys()), str(client.base_url.copy_with(userinfo=b"")))


def _state_of_httpx(client: Any, _: HeadersForCall) -> Mapping[str, Any]:
    return {
        **vars(client),
        # What the service sets on a copy is for one caller.
        "_headers": client.headers.copy(),
        "_event_hooks": {kind: list(hooks) for kind, hooks in client.event_hooks.items()},
        "_cookies": cookies_that_stay_the_same(client.cookies),
        # A client that nobody else holds would close its connections when it goes.
        "_extra_headers_of": client,
    }


def _state_of_openai(client: Any, headers: HeadersForCall) -> Mapping[str, Any]:
    # Not those of the client: its resources, such as `chat`, belong to it and call it.
    return {**vars(copy_of(client)), "_client": _http_client_of(client, headers)}


def _http_client_of(client: Any, headers: HeadersForCall) -> Any:
    http_client = client._client  # noqa: SLF001 - the SDK has no public name for it
    return wrapper_for(http_client).wrap(http_client, headers)


_WRAPPERS = {
    ("openai", "OpenAI"): ClientWrapper(_request_of_openai, _state_of_openai, _SyncOpenAI),
    ("openai", "AsyncOpenAI"): ClientWrapper(_request_of_openai, _state_of_openai, _AsyncOpenAI),
    ("httpx", "Client"): ClientWrapper(_request_of_httpx, _state_of_httpx, _SyncHttpx),
    ("httpx", "AsyncClient"): ClientWrapper(_request_of_httpx, _state_of_httpx, _AsyncHttpx),
    ("httpx2", "Client"): ClientWrapper(_request_of_httpx, _state_of_httpx, _SyncHttpx),
    ("httpx2", "AsyncClient"): ClientWrapper(_request_of_httpx, _state_of_httpx, _AsyncHttpx),
}
