"""An HTTP server for metrics that clients cannot turn against the process: few connections, each for a short time."""

import contextlib
import socket
import threading
import time
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.registry import Collector

_MAX_CONNECTIONS = 16
_TIMEOUT_SECONDS = 5.0
"""How long a connection may send nothing, and how long a client may take to read the answer."""
_DISPLACEMENT_SECONDS = 1.0
_ACCEPT_RETRY_SECONDS = 0.1


class _Handler(WSGIRequestHandler):
    timeout = _TIMEOUT_SECONDS
    server: "_BoundedServer"

    def parse_request(self) -> bool:
        """Read the rest of the request; from then on, the connection is not displaced."""
        # What a displaced connection had sent looks like a complete request.
        return super().parse_request() and self.server.has_arrived(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: clients must not be able to fill the server's log."""


class _BoundedServer(ThreadingMixIn, WSGIServer):
    """Answers each connection in a thread, at most `_MAX_CONNECTIONS` at once.

    A new connection displaces the one that has waited longest for its request. Clients that open connections and send
    no request therefore displace each other. Prometheus sends its request at once.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, *arguments: Any) -> None:
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._waiting: dict[socket.socket, None] = {}  # in the order of their arrival
        super().__init__(*arguments)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; with a pause where the process has no file descriptor left for it."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_ACCEPT_RETRY_SECONDS)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the base class's
        """Return whether there is room for a connection, after making room where that is possible."""
        with self._changed:
            if len(self._open) >= _MAX_CONNECTIONS and self._waiting:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest]
                with contextlib.suppress(OSError):  # the client was faster
                    oldest.shutdown(socket.SHUT_RDWR)
            if not self._changed.wait_for(lambda: len(self._open) < _MAX_CONNECTIONS, _DISPLACEMENT_SECONDS):
                return False
            self._open.add(request)
            self._waiting[request] = None
            return True

    def has_arrived(self, connection: socket.socket) -> bool:
        """Return whether a request arrived on a connection before that was displaced."""
        with self._changed:
            return self._waiting.pop(connection, self) is None

    def close_request(self, request: Any) -> None:
        """Close a connection and give its place to another one."""
        super().close_request(request)
        with self._changed:
            self._open.discard(request)
            self._waiting.pop(request, None)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: the usual cause is a client that has closed its connection."""


def serve_in_thread(host: str, port: int, registry: Collector) -> None:
    """Serve the metrics of a registry in a thread.

    Raises:
        OSError: the address cannot be listened on.

    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    server_class = type("_Server", (_BoundedServer,), {"address_family": family})
    server: WSGIServer = make_server(str(address[0]), port, make_wsgi_app(registry), server_class, _Handler)
    threading.Thread(target=server.serve_forever, name="extra_headers metrics server", daemon=True).start()
