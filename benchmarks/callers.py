"""A caller of a server, timed: what the benchmarks of whole servers share."""

import http.client
import time
from collections.abc import Mapping


def processor_time(process: int) -> float:
    """Return how long the threads of a process have run on a processor, also those that ended, in milliseconds."""
    clock = (~process << 3) | 2  # what clock_getcpuclockid(3) makes of a process id; Python has no name for it
    return 1000 * time.clock_gettime(clock)


def send_block(address: str, body: str, headers: Mapping[str, str], requests: int) -> list[float]:
    """Send chats one after the other on one connection, and return how long each took, in milliseconds.

    Args:
        address: host and port of the server.
        body: of each request.
        headers: of each request.
        requests: how many.

    """
    connection = http.client.HTTPConnection(address, timeout=60)
    taken = []
    for _ in range(requests):
        started = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        response.read()
        taken.append(1000 * (time.perf_counter() - started))
        assert response.status == 200, response.status  # noqa: S101 - or something else is measured
    connection.close()
    return taken
