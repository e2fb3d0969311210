"""SIGINT, SIGTERM and SIGHUP, recorded when they arrive and acted on where the program can stop safely.

An exception raised at an arbitrary place could lose a server between its start and the record of its process id, or
interrupt the cleanup.
"""

import signal
import time
from collections.abc import Iterable
from concurrent.futures import Future, wait
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LATENCY_SECONDS = 0.1


class Stopped(BaseException):
    """A signal asked the program to stop. Not an `Exception`, so that nothing handles it as an error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = 128 + number
        """What a shell reports for a program that ended by this signal."""


class Signals:
    """Records SIGINT, SIGTERM and SIGHUP while the `with` block runs."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._record) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _record(self, number: int, _frame: FrameType | None) -> None:
        self._number = number

    def forget(self) -> None:
        """Forget a signal that has been acted on."""
        self._number = None

    def check(self) -> None:
        """Raise `Stopped` if a signal has arrived."""
        if self._number is not None:
            raise Stopped(self._number)

    def sleep(self, seconds: float) -> None:
        """Sleep; raise `Stopped` as soon as a signal arrives."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, _LATENCY_SECONDS))
        self.check()

    def results[T](self, futures: Iterable[Future[T]]) -> list[T]:
        """Wait for all futures and return their results; raise `Stopped` as soon as a signal arrives."""
        pending = list(futures)
        while wait(pending, _LATENCY_SECONDS).not_done:
            self.check()
        self.check()
        return [future.result() for future in pending]
