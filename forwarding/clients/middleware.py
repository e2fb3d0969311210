"""`ProviderDataMiddleware`: the provider-data header for ASGI services that take it themselves, without an OGX server.

Knows neither a policy nor a client: it decodes, keeps what was decoded for as long as the request lasts, and answers
for the errors of `clients` that a handler lets escape.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from extra_headers.telemetry.spans import request_started

from ..policy.decision import RejectedError
from ..policy.field_names import is_token
from ..policy.provider_data import JSON_WHITE_SPACE, decode_object, headers_in

# As in the ASGI specification; frameworks have names of their own for the same.
type _Scope = MutableMapping[str, Any]
type _Message = MutableMapping[str, Any]
type _Receive = Callable[[], Awaitable[_Message]]
type _Send = Callable[[_Message], Awaitable[None]]
type _App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class CallerHeaders:
    """What one caller sent for one provider, not decided on yet. Shows nothing of it; hand it to `with_headers`."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class _ProviderData:
    """The provider data of one request, until the request is over."""

    def __init__(self, malformed: bool, fields: Mapping[str, object] | None) -> None:  # noqa: FBT001 - private
        self._malformed = malformed
        self._fields = fields
        self._over = False

    def headers(self, field: str) -> CallerHeaders | None:
        if self._over:
            raise RuntimeError(
                "the request whose extra headers are asked for is over; a task that outlives its request must not send "
                "the caller's headers"
            )
        value = headers_in(None if self._malformed else self._fields or {}, field)
        return None if value is None else CallerHeaders(value)

    def end(self) -> None:
        """Forget everything; tasks that the request left behind have a copy of its context."""
        self._over, self._malformed, self._fields = True, False, None


_current: ContextVar[_ProviderData | None] = ContextVar("extra_headers_provider_data", default=None)


def headers_of_current_request(field: str) -> CallerHeaders | None:
    """Return the headers in one field of the current request's provider data; None where there are none.

    Raises:
        RuntimeError: the middleware is missing, or the request is over.

    """
    if (provider_data := _current.get()) is None:
        raise RuntimeError("there is no ProviderDataMiddleware around this code, so nobody decoded the provider data")
    return provider_data.headers(field)


class ProviderDataMiddleware:
    """Decodes the provider-data header of each request, for `ExtraHeaders.caller_headers` in its handlers.

    A `MalformedHeadersError` that a handler lets escape is answered with status 400, a `BlockedHeadersError` with 403,
    both with a JSON body like the OpenAI API's that names the headers and what is wrong with them, and no value.

    Add it inside the middleware of an OpenTelemetry instrumentation, so that it can take captured provider data off the
    server span.

    Args:
        app: the ASGI application.
        header: the name of the header, `X-OGX-Provider-Data` for callers of OGX.
        max_bytes: the largest header to decode; a larger one is malformed.

    Raises:
        ValueError: `header` is not a field name.

    """

    def __init__(self, app: _App, header: str = "X-OGX-Provider-Data", max_bytes: int = 65536) -> None:
        if not is_token(header):
            raise ValueError(f"header: must be a field name such as X-OGX-Provider-Data, not {header!r}")
        self._app = app
        self._header = header
        self._key = header.lower().encode("ascii")
        self._max_bytes = max_bytes

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Run the application for one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answerable = scope["type"] == "http"

        async def noting_send(message: _Message) -> None:
            nonlocal answerable
            answerable = False
            await send(message)

        provider_data = self._decode(scope)
        token = _current.set(provider_data)
        try:
            await self._app(scope, receive, noting_send)
        except RejectedError as error:
            if not answerable:
                raise
            await _answer(send, error, self._header)
        finally:
            _current.reset(token)
            provider_data.end()

    def _decode(self, scope: _Scope) -> _ProviderData:
        lines = [value for key, value in scope["headers"] if key.lower() == self._key]
        if not lines:
            return _ProviderData(False, None)
        with contextlib.suppress(Exception):  # telemetry fails open
            request_started([self._header])
        if len(lines) > 1 or len(lines[0]) > self._max_bytes:
            return _ProviderData(True, None)
        text = lines[0].decode("latin-1").strip(JSON_WHITE_SPACE)
        if text in ("", "null"):
            return _ProviderData(False, None)
        decoded = decode_object(text)
        return _ProviderData(decoded is None, decoded)


async def _answer(send: _Send, error: RejectedError, header: str) -> None:
    fault = {"message": str(error), "type": "invalid_request_error", "param": header, "code": error.code}
    body = json.dumps({"error": fault}).encode("ascii")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
    await send({"type": "http.response.start", "status": error.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
