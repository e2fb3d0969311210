"""Runs the watch: reads all endpoints at each interval and shows the result, until a signal comes."""

import time
from collections.abc import Sequence

import click
from rich.live import Live

from ..console import make_console
from ..signals import Signals
from .scrape import Reader, read_all
from .state import Endpoint, Watch
from .view import View


def watch(urls: Sequence[str], interval: int, *, once: bool, as_json: bool) -> bool:
    """Show the endpoints: on a terminal as a screen, else as lines.

    Args:
        urls: of the endpoints.
        interval: seconds between two readings.
        once: whether to end after the first reading.
        as_json: whether to print one JSON object for each reading.

    Returns:
        With `once`, whether every endpoint was read; otherwise it does not return.

    Raises:
        Stopped: a signal came.

    """
    began, started = time.time(), time.monotonic()
    console = make_console()
    readers = [Reader(url) for url in urls]
    state = Watch(tuple(map(Endpoint, urls)))

    def now() -> float:
        return time.monotonic() - started  # a clock that is never set

    def read() -> None:
        nonlocal state
        results = read_all(readers, signals.sleep)
        state = state.after(now(), results)

    with Signals() as signals:
        if console.is_terminal and not (console.is_dumb_terminal or once or as_json):
            # Drawn twice a second in a thread, so that the picture follows the size of the terminal.
            draw = lambda: View(state, began).screen(now(), interval, console.size)  # noqa: E731 - of this state
            with Live(get_renderable=draw, console=console, screen=True, refresh_per_second=2):
                while True:
                    read()
                    signals.sleep(interval)
        while True:
            read()
            view = View(state, began)
            click.echo(view.json() if as_json else "\n".join(view.lines()))
            if once:
                return not state.down
            if not as_json:
                click.echo()
            signals.sleep(interval)
