"""HTTP requests to servers on loopback."""

import http.client
from collections.abc import Mapping

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
