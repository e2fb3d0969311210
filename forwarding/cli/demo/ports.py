"""Where the parts of the demo listen, and whether they can."""

import errno
import os
import socket
from dataclasses import dataclass

from ...testing.processes import is_free


class PortError(ValueError):
    """A port cannot be listened on. The message names it and the option that changes it."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the demo, all on loopback."""

    server: int
    upstream: int
    metrics: int
    prometheus: int | None = None
    """None for any free one, as below."""
    alertmanager: int | None = None

    def check(self) -> None:
        """Make sure that each can be listened on.

        Raises:
            PortError: one of them cannot.

        """
        given = {
            "--port": self.server,
            "--upstream-port": self.upstream,
            "--metrics-port": self.metrics,
            "--prometheus-port": self.prometheus,
            "--alertmanager-port": self.alertmanager,
        }
        options = {option: port for option, port in given.items() if port is not None}
        for option, port in options.items():
            if list(options.values()).count(port) > 1:
                raise PortError(f"port {port} is given twice; choose another one with {option}")
            # Connecting finds who listens on every interface; binding finds ports that only the superuser may use.
            problem = _bind_error(port) if is_free(port) else errno.EADDRINUSE
            if problem == errno.EADDRINUSE:
                raise PortError(f"port {port} is taken by another process; choose a free one with {option}")
            if problem:
                raise PortError(
                    f"port {port} cannot be used ({os.strerror(problem)}); choose another one with {option}"
                )


def _bind_error(port: int) -> int | None:
    with socket.socket() as probe:
        # As servers do: a port whose last connection has just been closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno
    return None
