"""HTTP on loopback: requests to a server, and a server that answers POST requests by calling a function."""

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_TIMEOUT_SECONDS = 15.0


class NoAnswerError(RuntimeError):
    """A server did not answer a request."""


def request(
    method: str, port: int, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Send a request to a port of the loopback interface and return the answer's status and body.

    Raises:
        NoAnswerError: there was no answer.

    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(f"{method} {path}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Posted:
    """A POST request that a `LoopbackServer` received."""

    path: str
    headers: Message
    body: bytes


class LoopbackServer:
    """An HTTP server on loopback for POST requests, while the `with` block runs.

    It closes each connection after one answer. To record requests byte for byte, use `RecordingProvider`.

    Args:
        respond: returns the status and body of an answer; each request runs in its own thread.
        port: to listen on; 0 for any free one.
        content_type: of every answer.

    """

    def __init__(
        self, respond: Callable[[Posted], tuple[int, bytes]], port: int = 0, content_type: str = "application/json"
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, answer = respond(Posted(self.path, self.headers, body))
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Write nothing to stderr."""

        self._handler = Handler
        self._port = port
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    @property
    def url(self) -> str:
        """The server's base URL, without a path."""
        return f"http://127.0.0.1:{self._port}"
