"""A webhook on loopback that takes what Alertmanager sends, as a team's chat or ticket system would."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert of one message."""

    receiver: str
    """Whom Alertmanager's routes chose."""
    status: str
    """`firing` or `resolved`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: str
    """When the alert began to fire, as RFC 3339."""

    @property
    def alert(self) -> str:
        """The alert's name."""
        return self.labels["alertname"]


class Webhook:
    """Takes messages while the `with` block runs. Its `url` is the base of every receiver's."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="webhook", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """The messages so far, in order of arrival."""
        return list(self._server.messages)

    def notifications(self, alert: str) -> list[Notification]:
        """Return what was said about an alert so far, in order of arrival."""
        said = [
            Notification(
                message["receiver"], each["status"], each["labels"], each["annotations"], starts_at=each["startsAt"]
            )
            for message in self.messages
            for each in message["alerts"]
        ]
        return [notification for notification in said if notification.alert == alert]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.messages: list[Mapping[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.messages.append(json.loads(body))
        self.send_response(HTTPStatus.OK)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""
