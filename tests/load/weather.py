"""What disturbs the server of the soak while its callers continue: kills, a collector that comes and goes, a full disk.

Everything happens at a share of the callers, not at a time, so that a run of any length and speed has all of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

from tests.load.servers import SoakServer


class Event(StrEnum):
    """Something that happens to a server."""

    KILL = "the server is killed and started again"
    KILL_WORKER = "a worker is killed"
    COLLECTOR_GOES = "the collector goes"
    COLLECTOR_COMES = "the collector comes back"
    DISK_FILLS = "the disk of the audit log is full"
    DISK_IS_FREED = "the disk of the audit log has room again"


type Plan = Sequence[tuple[float, Event]]
"""The share of the callers after which each event happens, in order."""

FAIR: Plan = ()
STORM: Plan = (
    (0.04, Event.COLLECTOR_GOES),
    (0.06, Event.DISK_FILLS),
    (0.08, Event.COLLECTOR_COMES),
    (0.10, Event.DISK_IS_FREED),
    (0.13, Event.KILL),
    (0.18, Event.COLLECTOR_GOES),
    (0.20, Event.KILL),
    # One life from here on. Each of its quarters has the same weather, so that memory can be compared.
    *(
        (start + offset, event)
        for start in (0.22, 0.415, 0.61, 0.805)
        for offset, event in (
            (0.03, Event.COLLECTOR_COMES),
            (0.06, Event.DISK_FILLS),
            (0.10, Event.DISK_IS_FREED),
            (0.14, Event.COLLECTOR_GOES),
        )
    ),
    (0.98, Event.COLLECTOR_COMES),
)
"""For a server of one process, whose counters end with it."""
STORM_OVER_WORKERS: Plan = (
    (0.05, Event.KILL_WORKER),
    (0.2, Event.COLLECTOR_GOES),
    (0.3, Event.DISK_FILLS),
    (0.35, Event.DISK_IS_FREED),
    (0.5, Event.KILL),
    (0.6, Event.COLLECTOR_COMES),
    (0.65, Event.KILL_WORKER),
)
"""For a server of several, whose counters are in files and outlive it."""


class Weather:
    """Makes the events of a plan happen.

    Args:
        server: to disturb.
        kill: kills the server, or a worker, and returns when it answers again.

    """

    def __init__(self, server: SoakServer, kill: Callable[[Event], Awaitable[None]]) -> None:
        self._server = server
        self._kill = kill

    async def follow(self, plan: Plan, progress: Callable[[], float], say: Callable[[str], None]) -> None:
        """Make each event happen at its share of the progress, and leave fair weather behind."""
        late = 0.0
        for share, event in plan:
            while progress() < min(share + late, 1):  # noqa: ASYNC110 - a share of a number, no event
                await asyncio.sleep(0.02)
            # An event that took long moves those after it, so that a disk stays full for as many callers.
            late = max(late, progress() - share)
            say(f"{share:7.0%}: {event}")
            await self._happen(event)

    async def _happen(self, event: Event) -> None:
        match event:
            case Event.KILL | Event.KILL_WORKER:
                await self._kill(event)
            case Event.COLLECTOR_GOES:
                await asyncio.to_thread(self._server.collector.__exit__, None, None, None)
            case Event.COLLECTOR_COMES:
                self._server.collector.__enter__()
            case Event.DISK_FILLS:
                self._server.fill_disk()
            case Event.DISK_IS_FREED:
                self._server.free_disk()
