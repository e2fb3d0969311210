"""The traffic of the soak with the add-on and without, in alternating blocks, on servers that trace and count alike.

The same callers send the same requests to both. Where the add-on rejects one, the other server gets one that it rejects
itself, for a model that it does not have: else it would be compared with a call to the provider.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.callers import processor_time
from benchmarks.sidebyside import Row, Timing, at_most
from tests.load.sending import send
from tests.load.servers import running
from tests.load.traffic import KINDS, Kind, Request
from tests.server.stack import Stack

_ROUNDS = 12
_CALLERS = 16
_LEAST = 0.95
_UNKNOWN = "nobody/test-model"
_GROUPS: Mapping[str, Callable[[Kind], bool]] = {
    "rejected": lambda kind: kind.status != 200,
    "MCP": lambda kind: kind.in_tool,
    "turns of a WebSocket": lambda kind: kind.turns > 0,
    "streamed chats": lambda kind: kind.streamed,
    "chats": lambda _: True,
}
"""A kind is in the first that takes it."""


@dataclass(slots=True)
class _Measured:
    """One server, and what was measured, a figure for each round."""

    stack: Stack
    add_on: bool
    times: dict[str, list[float]] = field(default_factory=lambda: {group: [] for group in (*_GROUPS, "all")})
    """Processor time of the server for a request, in milliseconds, by group."""
    rates: list[float] = field(default_factory=list)
    """Requests a second of all groups."""

    def measure(self, groups: Mapping[str, Sequence[Request]]) -> None:
        """Send the requests of each group."""
        taken: dict[str, float] = {}
        seconds = 0.0
        for group, batch in groups.items():
            before, started = processor_time(self.stack.server.pid), time.perf_counter()
            asyncio.run(self._send(batch))
            seconds += time.perf_counter() - started
            taken[group] = processor_time(self.stack.server.pid) - before
            self.stack.upstream.take()
        counts = {group: sum(request.kind.count for request in batch) for group, batch in groups.items()}
        for group, count in counts.items():
            self.times[group].append(taken[group] / count)
        self.times["all"].append(sum(taken.values()) / sum(counts.values()))
        self.rates.append(sum(counts.values()) / seconds)

    async def _send(self, batch: Sequence[Request]) -> None:
        waiting = iter(batch)
        limits = httpx.Limits(max_connections=_CALLERS, max_keepalive_connections=_CALLERS, keepalive_expiry=2)
        async with httpx.AsyncClient(timeout=120, limits=limits, base_url=self.stack.server.url) as client:

            async def caller() -> None:
                for request in waiting:
                    statuses: list[int] = []
                    fault = await send(client, request, self._body(request), statuses.append)
                    expected = request.kind.status if self.add_on or request.kind.status == 200 else 404
                    found = (fault, *statuses)
                    assert found == (None, *[expected] * request.kind.count), f"{request.kind.name}: {found}"  # noqa: S101

            await asyncio.gather(*(caller() for _ in range(_CALLERS)))

    def _body(self, request: Request) -> dict[str, object]:
        body = request.body(self.stack.upstream.base_url.removesuffix("/v1"), add_on=self.add_on)
        if self.add_on or request.kind.status == 200:
            return body
        # OGX asks the MCP servers of a request for their tools before it looks for the model.
        return {**{key: value for key, value in body.items() if key != "tools"}, "model": _UNKNOWN}


def rows() -> Iterator[Row]:
    """Measure."""
    numbers = itertools.count()
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        on, off = (
            _Measured(cleanup.enter_context(running(directory / f"{add_on}", add_on=add_on)).stack, add_on)
            for add_on in (True, False)
        )
        for number in range(_ROUNDS + 2):
            groups: dict[str, list[Request]] = {group: [] for group in _GROUPS}
            for kind in KINDS:
                group = next(name for name, takes in _GROUPS.items() if takes(kind))
                groups[group] += [Request(f"m{next(numbers):06d}", kind) for _ in range(kind.weight)]
            for measured in (on, off) if number % 2 else (off, on):
                measured.measure(groups)
    for figures in (*on.times.values(), *off.times.values(), on.rates, off.rates):
        del figures[:2]  # they warm up
    for group in on.times:
        what = f"the soak's traffic, {group}: processor time of a request"
        ours, reference = Timing.of(on.times[group]), Timing.of(off.times[group])
        yield at_most(1 / _LEAST, what, "ms", ours, reference) if group == "all" else Row(what, "ms", ours, reference)
    rates = Timing.of(on.rates), Timing.of(off.rates)
    met = rates[0].median >= _LEAST * rates[1].median
    yield Row(f"the soak's traffic, {_CALLERS} callers at once", "requests/s", *rates, f">= {_LEAST:.2f} x", met)
