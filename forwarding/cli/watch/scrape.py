"""Reads metrics endpoints: bounded in bytes and in time, several at once, and never with an exception."""

import http.client
import time
import urllib.error
import urllib.request
from concurrent.futures import Future
from email.message import Message
from threading import Thread
from typing import IO, override
from urllib.parse import urlsplit

from .samples import Snapshot, UnreadableError, parse, printable

_MAX_BYTES = 16 * 2**20
_CHUNK_BYTES = 2**16
SECONDS = 5.0
"""For one answer, from its first byte to its last, and for each wait between them."""


class BadUrlError(ValueError):
    """A URL names no metrics endpoint. The message says what would be right, and shows no password."""


def check_url(url: str) -> str:
    """Return `url` as it is given.

    Raises:
        BadUrlError: it is not an http or https URL of a host, or holds a user name.

    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if "@" in url:
        raise BadUrlError("a URL with a user name or password is not supported")
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise BadUrlError(f"{printable(url)!r} is no URL; write it like http://127.0.0.1:9464/metrics")
    return url


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A metrics endpoint answers itself; whoever it points to was not asked for."""

    @override
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


class Reader:
    """Reads one endpoint, in a thread of its own, one answer at a time.

    The thread is a daemon: an endpoint that never ends its answer does not hold up the end of the program, nor does it
    get asked again meanwhile.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._future: Future[Snapshot | str] | None = None
        self._deadline = 0.0

    def start(self) -> None:
        """Begin to read, unless the last answer is still coming."""
        self._deadline = time.monotonic() + 2 * SECONDS
        if self._future is None:
            self._future = Future()
            Thread(target=self._read, args=(self._future,), daemon=True).start()

    def result(self) -> Snapshot | str | None:
        """Return a snapshot, or the reason why there is none; None while neither is known."""
        if self._future is None or self._future.done():
            future, self._future = self._future, None
            return future.result() if future else ""
        return f"its answer is not complete after {2 * SECONDS:.0f} s" if time.monotonic() > self._deadline else None

    def _read(self, future: Future[Snapshot | str]) -> None:
        future.set_result(_read(self.url))


def _read(url: str) -> Snapshot | str:
    try:
        return parse(_fetch(url))
    except UnreadableError as error:
        return str(error)
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except Exception as error:  # whatever an endpoint can make of the libraries' code is its own failure
        return _told(error)


def _fetch(url: str) -> str:
    request = urllib.request.Request(url, headers={"Accept": "text/plain;version=0.0.4"})  # noqa: S310 - checked
    body = bytearray()
    deadline = time.monotonic() + SECONDS
    with _OPENER.open(request, timeout=SECONDS) as response:
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise UnreadableError(f"its answer is larger than {_MAX_BYTES // 2**20} MiB")
            if time.monotonic() > deadline:
                raise UnreadableError(f"its answer is not complete after {SECONDS:.0f} s")
        if response.length:  # half of the counters would look like a restart
            raise UnreadableError("its answer is cut short")
    return body.decode(errors="replace")


def _told(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    match cause:
        case TimeoutError():
            return f"no answer within {SECONDS:.0f} s"
        case ConnectionRefusedError():
            return "nothing listens there"
        case OSError(strerror=str(text)):
            return printable(text.lower() or type(cause).__name__)
        case http.client.HTTPException():
            return "its answer is not HTTP"
        case _:
            return f"it cannot be read ({type(cause).__name__})"
