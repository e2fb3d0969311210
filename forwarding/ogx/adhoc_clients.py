"""Provider methods that make an HTTP client of their own: found by what their code names, and given the headers.

A host's adapter may leave the clients that it shares with others, and then carries no extra headers. That is found here
before the server starts, so that the setting is never one that does nothing. Knows nothing of hosts or policies.
"""

import inspect
import sys
from collections.abc import Awaitable, Callable, Container, Iterator
from contextvars import ContextVar
from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ..enforcement import OutboundHeaders
from ..http_state import protect_session

_AIOHTTP = "aiohttp"
# How an HTTP library's function, or a method of its client, is called. Exceptions and types have none of these.
_SENDING = ("post", "request", "send")

type _Method = Callable[..., Awaitable[Any]]


def clients_made_by(provider: type[Any], method: str, shared: Container[str]) -> set[tuple[str, str]]:
    """Return the HTTP clients that a method of an adapter, or what it calls, makes: function and package of each.

    Args:
        provider: the adapter's class.
        method: name of the method to look at.
        shared: names of members that give out a client, or its settings, with the extra headers; whatever uses one of
            these is fine.

    """
    return {
        (function.__name__, package)
        for function in _functions(provider, method, shared, set())
        for package in _http_clients(function)
    }


def can_have_headers(method: str, clients: set[tuple[str, str]]) -> bool:
    """Return whether `with_session_headers` covers a method with these clients: sessions of aiohttp, made by itself."""
    return clients == {(method, _AIOHTTP)}


def with_session_headers(function: FunctionType, headers: ContextVar[OutboundHeaders | None]) -> _Method:
    """Return `function` such that the aiohttp sessions that it opens add the headers of each call.

    What a call sets itself wins over the caller's. The function is a new one over changed globals. A session has no
    header: it asks at each request, also if the function keeps it.
    """
    aiohttp = sys.modules[_AIOHTTP]
    opened = aiohttp.ClientSession

    async def add_headers(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        if (of_this_call := headers.get()) is not None:
            merged = of_this_call.merged_with(request.headers)
            request.headers.clear()
            request.headers.update(merged)
        return await handler(request)

    def session(*args: Any, **kwargs: Any) -> Any:
        return protect_session(opened(*args, **kwargs), add_headers)

    stand_in = ModuleType(_AIOHTTP)
    vars(stand_in).update({**vars(aiohttp), opened.__name__: session})
    replaced = {
        name: stand_in if value is aiohttp else session
        for name, value in function.__globals__.items()
        if value is aiohttp or value is opened
    }
    changed = FunctionType(
        function.__code__,
        {**function.__globals__, **replaced},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    changed.__kwdefaults__ = function.__kwdefaults__
    return changed


def _functions(provider: type[Any], name: str, shared: Container[str], seen: set[str]) -> Iterator[FunctionType]:
    """Yield every definition of a method, and of the methods that it names, but those that use what is shared."""
    seen.add(name)
    for base in provider.__mro__:
        member = vars(base).get(name)
        if isinstance(member, property):
            member = member.fget
        elif isinstance(member, cached_property):
            member = member.func
        function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
        if not isinstance(function, FunctionType):
            continue
        named = set(_names(function.__code__))
        if any(other in shared for other in named):
            continue
        yield function
        for other in named:
            if other not in seen and inspect.getattr_static(provider, other, None) is not None:
                yield from _functions(provider, other, shared, seen)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _http_clients(function: FunctionType) -> list[str]:
    """Return the packages of the HTTP clients that a function names."""
    named = set(_names(function.__code__))
    found: list[str] = []
    for name in named:
        value = function.__globals__.get(name)
        members = [getattr(value, other, None) for other in named] if isinstance(value, ModuleType) else [value]
        found += [member.__module__.partition(".")[0] for member in members if _is_client(member)]
    return found


def _is_client(value: object) -> bool:
    return (
        inspect.isclass(value)
        and not issubclass(value, BaseException)
        and any(callable(getattr(value, method, None)) for method in _SENDING)
    )
