"""`ProviderDataMiddleware`: callers' extra headers for ASGI services that take them themselves, without an OGX server.

Knows neither a policy nor a client: it reads what `caller_request` keeps while the request lasts, and answers
rejections that a handler lets escape.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from extra_headers.telemetry.recorder import record_unread_field
from extra_headers.telemetry.spans import request_started

from ..policy.decision import RejectedError
from ..policy.field_names import is_token
from ..policy.provider_data import JSON_WHITE_SPACE, decode_object, unread_fields
from .caller_request import CallerRequest, declared

# As in the ASGI specification; frameworks have other names for the same.
type _Scope = MutableMapping[str, Any]
type _Message = MutableMapping[str, Any]
type _Receive = Callable[[], Awaitable[_Message]]
type _Send = Callable[[_Message], Awaitable[None]]
_PROVIDER_DATA_HEADERS = (b"x-ogx-provider-data", b"x-llamastack-provider-data")
"""What callers of OGX and of llama-stack send; an application reads one of them."""

type _App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


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

        try:
            with self._read(scope["headers"]).current():
                await self._app(scope, receive, noting_send)
        except (RejectedError, BaseExceptionGroup) as error:
            rejection = _rejection_of(error)
            if rejection is None or not answerable:
                raise
            await _answer(send, rejection, self._header)

    def _read(self, headers: Iterable[tuple[bytes, bytes]]) -> CallerRequest:
        known = declared()
        lines: list[bytes] = []
        plain: list[tuple[str, str]] = []
        for name, value in headers:
            lowered = name.lower()
            if lowered == self._key:
                lines.append(value)
            elif lowered in _PROVIDER_DATA_HEADERS:
                record_unread_field(lowered.decode("ascii"))
            if (listed := known.plain.get(lowered)) is not None:
                plain.append((listed, value.decode("latin-1")))
        if lines or plain:
            with contextlib.suppress(Exception):  # telemetry fails open
                request_started([self._header, *{name for name, _ in plain}])
        return CallerRequest(self._provider_data(lines), plain)

    def _provider_data(self, lines: Sequence[bytes]) -> Mapping[str, object] | None:
        """Return the provider data of a request; None where it cannot be read."""
        if not lines:
            return {}
        if len(lines) > 1 or len(lines[0]) > self._max_bytes:
            return None
        text = lines[0].decode("latin-1").strip(JSON_WHITE_SPACE)
        if text in ("", "null"):
            return {}
        decoded = decode_object(text)
        for key in unread_fields(decoded, declared().fields):
            record_unread_field(key)
        return decoded


def _rejection_of(error: BaseException) -> RejectedError | None:
    """Return the rejection to answer: the error itself, or one of a group in which there is nothing else."""
    if isinstance(error, RejectedError):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    rejections = [_rejection_of(one) for one in error.exceptions]
    # Malformed before blocked, as in the decision on one request.
    return None if None in rejections else min(filter(None, rejections), key=lambda rejection: rejection.status_code)


async def _answer(send: _Send, error: RejectedError, header: str) -> None:
    fault = {"message": str(error), "type": "invalid_request_error", "param": header, "code": error.code}
    body = json.dumps({"error": fault}).encode("ascii")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
    await send({"type": "http.response.start", "status": error.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
