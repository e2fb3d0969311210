"""The comparisons of whole servers in executed instructions: the same servers and requests, with valgrind counting."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.callers import send_block
from benchmarks.callgrind import ServerCount, is_installed, watched
from benchmarks.sidebyside import Row, Timing, at_most
from benchmarks.whole_server import BODY, COMPARED, REQUESTS, SETTINGS, check, start
from extra_headers.forwarding.testing.processes import OgxServer
from extra_headers.forwarding.testing.recording_provider import RecordingProvider

_ROUNDS, _WARM_UP = 9, 2
_BLOCK = 10
_UNIT = "M instr."


def rows() -> Iterator[Row]:
    """Count; nothing where there is no valgrind."""
    if not is_installed():
        return
    counted = _counted()
    for what, (on, other, most) in COMPARED.items():
        name = f"{what}: instructions of a request"
        if most is None:
            yield Row(name, _UNIT, counted[on], counted[other])
        else:
            yield at_most(most, name, _UNIT, counted[on], counted[other])


def _counted() -> dict[str, Timing]:
    """Return the millions of instructions of a request, over short blocks: some have a collection of garbage."""
    taken: dict[str, list[float]] = {what: [] for what in REQUESTS}
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        upstream = cleanup.enter_context(RecordingProvider())
        command = [sys.executable, *OgxServer.command()]
        servers = {
            name: start(cleanup, directory / name, upstream, name, watched(command, directory / name))
            for name in SETTINGS
        }
        counts = {name: ServerCount(server.pid, directory / name) for name, server in servers.items()}
        for number in range(_ROUNDS + _WARM_UP):
            for what, (name, headers) in REQUESTS.items():
                address = servers[name].url.removeprefix("http://")
                executed = counts[name].during(lambda a=address, h=headers: send_block(a, BODY, h, _BLOCK))  # type: ignore[misc]
                check(upstream, what)
                if number >= _WARM_UP:
                    taken[what].append(executed / _BLOCK / 1e6)
    return {what: Timing.of(executed) for what, executed in taken.items()}
