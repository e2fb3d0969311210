"""The ports that the demo listens on, and whether they are free."""

import errno
import os
import socket
from dataclasses import dataclass

from ...testing.processes import is_free


class PortError(ValueError):
    """The demo cannot listen on a port. The message names the port and the option that changes it."""


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
        """Check that the demo can listen on each.

        Raises:
            PortError: it cannot listen on one of them.

        """
        ports = {
            "--port": self.server,
            "--upstream-port": self.upstream,
            "--metrics-port": self.metrics,
            "--prometheus-port": self.prometheus,
            "--alertmanager-port": self.alertmanager,
        }
        options: dict[int, str] = {}
        for option, port in ports.items():
            if port is None:
                continue
            if port in options:
                raise PortError(f"{options[port]} and {option} are both {port}; choose different ports")
            options[port] = option
            if problem := _problem(port):
                raise PortError(f"cannot listen on port {port} ({problem}); choose another one with {option}")


def _problem(port: int) -> str | None:
    # Connecting finds a server that listens on every interface; binding finds ports reserved for the superuser.
    if not is_free(port):
        return os.strerror(errno.EADDRINUSE)
    with socket.socket() as probe:
        # As servers do: a port whose last connection has just been closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror
    return None
