"""Runs the watch: asks all endpoints once an interval, and shows what came of it until a signal comes."""

import sys
import time
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from rich.console import Console
from rich.live import Live

from ..signals import Signals
from .lines import block
from .samples import Snapshot
from .scrape import Reader
from .screen import screen
from .state import Endpoint, Reading, Watch

_LATENCY_SECONDS = 0.1
_DRAW_SECONDS = 0.5


class _Clock:
    """Seconds since the watch began, by a clock that nobody sets."""

    def __init__(self) -> None:
        self.began = time.time()
        self._started = time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() - self._started


class _Endpoints:
    """All endpoints and what is known of them."""

    def __init__(self, urls: Sequence[str], now: _Clock) -> None:
        self.watch = Watch(tuple(map(Endpoint, urls)))
        self._readers = [Reader(url) for url in urls]
        self._now = now

    def read(self, idle: Callable[[], None]) -> None:
        """Read each once; `idle` is called again and again meanwhile."""
        readings: list[Reading | None] = [None] * len(self._readers)
        for reader in self._readers:
            reader.start()
        while None in readings:
            idle()
            for i, reader in enumerate(self._readers):
                if readings[i] is None and (result := reader.result()) is not None:
                    readings[i] = _reading(self._now(), result)
        self.watch = self.watch.after([reading for reading in readings if reading])


def _reading(seconds: float, result: Snapshot | str) -> Reading:
    return Reading(seconds, None, result) if isinstance(result, str) else Reading(seconds, result)


def watch(urls: Sequence[str], interval: int, *, once: bool) -> bool:
    """Show the endpoints: on a terminal as a screen, else as lines.

    Args:
        urls: of the endpoints.
        interval: seconds between two readings.
        once: whether to end after the first one.

    Returns:
        Whether every endpoint was read, with `once`; it does not return else.

    Raises:
        Stopped: a signal came.

    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a tick is no reason to fail
    now = _Clock()
    endpoints = _Endpoints(urls, now)
    with Signals() as signals:
        if not once and sys.stdout.isatty() and not (console := Console(highlight=False, emoji=False)).is_dumb_terminal:
            _show_screen(endpoints, now, signals, interval, console)
        while True:
            endpoints.read(lambda: signals.sleep(_LATENCY_SECONDS))
            print(*block(endpoints.watch, now.began), sep="\n", flush=True)  # noqa: T201 - a command's output
            if once:
                return not any(endpoint.failure for endpoint in endpoints.watch.endpoints)
            print(flush=True)  # noqa: T201 - likewise
            signals.sleep(interval)


def _show_screen(endpoints: _Endpoints, now: _Clock, signals: Signals, interval: int, console: Console) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        drawn = -_DRAW_SECONDS

        def draw() -> None:
            nonlocal drawn
            signals.sleep(_LATENCY_SECONDS)
            if now() - drawn >= _DRAW_SECONDS:
                drawn = now()
                shown = screen(endpoints.watch, now.began, drawn, interval, console.size)
                live.update(shown, refresh=True)

        while True:
            endpoints.read(draw)
            next_round = now() + interval
            drawn -= _DRAW_SECONDS
            while now() < next_round:
                draw()
