"""What must not outlive a call, or leave for another server: cookies, and headers that would follow a redirect.

For every HTTP client that calls for callers. A provider's cookie in the answer to one caller would be sent with the
next caller's call. A redirect would hand a caller's headers, and the identity headers, to whichever server it names.
"""

import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

_NO_COOKIES = DefaultCookiePolicy(allowed_domains=())
_EXTENSION = "extra_headers"
_NOTHING_ADDED = ((), ())

added_names: ContextVar[Collection[str]] = ContextVar("extra_headers_added_names", default=())
"""Names of the headers on the calls of this context that must stay with the server that they are meant for."""


def keep_no_cookies(http_client: Any) -> None:
    """Make an httpx or httpx2 client, all of whose calls are made for callers, store no cookie and send none."""
    http_client.cookies.jar.set_policy(_NO_COOKIES)


class _StoreNone(DefaultCookiePolicy):
    def set_ok(self, *_: object) -> bool:
        return False


def cookies_that_stay_the_same(cookies: Any) -> Any:
    """Return a copy of the cookies of an httpx or httpx2 client: all are sent, and none of an answer is stored."""
    made = type(cookies)(cookies)
    made.jar.set_policy(_StoreNone())
    return made


def protect(http_client: Any) -> None:
    """Make an asynchronous httpx or httpx2 client, all of whose calls are for callers, keep none of both."""
    keep_no_cookies(http_client)
    hooks = http_client.event_hooks["request"]
    if stay_with_the_server_async not in hooks:
        hooks.append(stay_with_the_server_async)


def protected_settings(settings: Mapping[str, Any], add_headers: Callable[[], Any]) -> dict[str, Any]:
    """Return settings for an asynchronous httpx or httpx2 client that keeps none of both and no caller's headers.

    Args:
        settings: the arguments that the client would be made with.
        add_headers: returns the `OutboundHeaders` of a call about to be made, or None. It is asked at each request, so
            that a client made with these settings may serve more callers than the one it was made for.

    """

    async def add(request: Any) -> None:
        # A redirected request has what the first one had.
        if _EXTENSION not in request.extensions and (headers := add_headers()) is not None:
            request.headers = type(request.headers)(headers.merged_with(request.headers))

    hooks = settings.get("event_hooks") or {}
    of_requests = [*hooks.get("request", ()), add, stay_with_the_server_async]
    return {**settings, "cookies": CookieJar(_NO_COOKIES), "event_hooks": {**hooks, "request": of_requests}}


def stay_with_the_server(request: Any) -> None:
    """Take the added headers off a request of httpx or httpx2 that a redirect sends to another origin.

    To be called for each request of a client, redirected ones included, once it has the added headers.
    """
    if (first := request.extensions.get(_EXTENSION)) is None:
        names = added_names.get()
        request.extensions[_EXTENSION] = (_origin_of(request), tuple(names)) if names else _NOTHING_ADDED
    elif first[1] and first[0] != _origin_of(request):
        for name in first[1]:
            request.headers.pop(name, None)


def _origin_of(request: Any) -> tuple[object, ...]:
    return (request.url.scheme, request.url.host, request.url.port)


async def stay_with_the_server_async(request: Any) -> None:
    """Do the same, as the event hook of an asynchronous client."""
    stay_with_the_server(request)


_first_origin: ContextVar[Any] = ContextVar("extra_headers_first_origin", default=None)


def protect_session(session: Any, *before: Any) -> Any:
    """Return an aiohttp session, all of whose calls are made for callers, that keeps none of both.

    Args:
        session: it is changed.
        before: further middlewares, which run before the added headers are taken off.

    """
    aiohttp = sys.modules["aiohttp"]
    # aiohttp has no public way to set either on a session that somebody else opened.
    session._cookie_jar = aiohttp.DummyCookieJar()  # noqa: SLF001
    if stay_with_the_server_aiohttp not in session._middlewares:  # noqa: SLF001
        session._middlewares = (*session._middlewares, *before, stay_with_the_server_aiohttp)  # noqa: SLF001
    return session


async def stay_with_the_server_aiohttp(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
    """Do the same, as the middleware of an aiohttp session, which runs once for each request of a redirected call."""
    origin, names = request.url.origin(), added_names.get()
    first = _first_origin.get()
    if first is None or first[0] is not names:
        _first_origin.set((names, origin))
    elif first[1] != origin:
        for name in names:
            request.headers.pop(name, None)
    return await handler(request)
