"""Reads metrics endpoints at the same time, each bounded in bytes and time, and never raises."""

import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from email.message import Message
from threading import Thread
from typing import IO, override
from urllib.parse import urlsplit

from ..console import printable
from .samples import Snapshot, UnreadableError, parse

_MAX_BYTES = 16 * 2**20
_CHUNK_BYTES = 2**16
_POLL_SECONDS = 0.05
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d+(?P<path>/.*)?", re.ASCII)
SECONDS = 5.0
"""Time limit for a whole answer, and for each wait within it."""


class BadUrlError(ValueError):
    """A URL is not that of a metrics endpoint. The message suggests the fix, and shows no password."""


def metrics_url(text: str) -> str:
    """Return the URL of the endpoint that `text` names: a URL, or `HOST:PORT` for `http://HOST:PORT/metrics`.

    Raises:
        BadUrlError: it is not an http or https URL of a host, or contains a user name.

    """
    url = text
    if short := _HOST_AND_PORT.fullmatch(text):
        url = f"http://{text}" if short["path"] else f"http://{text}/metrics"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if "@" in url:
        raise BadUrlError("a URL with a user name or password is not supported")
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise BadUrlError(
            f"{printable(text)!r} is not a URL; expected e.g. http://127.0.0.1:9464/metrics or 127.0.0.1:9464"
        )
    return url


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a failure: the user did not name its target."""

    @override
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


class Reader:
    """Reads one endpoint, in a daemon thread: an answer that never ends must not delay the end of the program."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread: Thread | None = None
        self.result: Snapshot | str = ""
        """The last snapshot, or the reason why there is none."""

    @property
    def is_reading(self) -> bool:
        """Whether an answer is still arriving."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start to read, unless the last answer is still arriving."""
        if not self.is_reading:
            self._thread = Thread(target=self._read, daemon=True)
            self._thread.start()

    def _read(self) -> None:
        self.result = f"answer incomplete after {2 * SECONDS:.0f} s"
        self.result = _read(self._url)


def read_all(readers: Sequence[Reader], sleep: Callable[[float], None]) -> list[Snapshot | str]:
    """Read every endpoint once and return the results; `sleep` may raise to stop."""
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + 2 * SECONDS
    while any(reader.is_reading for reader in readers) and time.monotonic() < deadline:
        sleep(_POLL_SECONDS)
    return [reader.result for reader in readers]


def _read(url: str) -> Snapshot | str:
    try:
        return parse(_fetch(url))
    except UnreadableError as error:
        return str(error)
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP status {error.code}"
    except Exception as error:  # whatever an endpoint makes the libraries raise is its failure
        return _describe(error)


def _fetch(url: str) -> str:
    request = urllib.request.Request(url, headers={"Accept": "text/plain;version=0.0.4"})  # noqa: S310 - checked
    body = bytearray()
    deadline = time.monotonic() + SECONDS
    with _OPENER.open(request, timeout=SECONDS) as response:
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise UnreadableError(f"answer larger than {_MAX_BYTES // 2**20} MiB")
            if time.monotonic() > deadline:
                raise UnreadableError(f"answer incomplete after {SECONDS:.0f} s")
        if response.length:  # half of the counters would look like a restart
            raise UnreadableError("truncated answer")
    return body.decode(errors="replace")


def _describe(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    match cause:
        case TimeoutError():
            return f"no answer within {SECONDS:.0f} s"
        case ConnectionRefusedError():
            return "connection refused"
        case OSError(strerror=str(text)):
            return printable(text.lower() or type(cause).__name__)
        case http.client.HTTPException():
            return "not an HTTP answer"
        case _:
            return f"unreadable ({type(cause).__name__})"
