"""Adds what requests with equal decisions count to the Prometheus counters together, when someone reads these.

A request with four stopped headers increments nine series, which costs as much as deciding on them. What is read is
exact, because reading adds first. Where the series are in files that other processes read
(`PROMETHEUS_MULTIPROC_DIR`), each request is added at once.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, values
from prometheus_client.metrics_core import Metric

_MAX_WAITING = 64
"""Different increments that wait; adding them takes about a millisecond, and one request in so many waits for it."""
_NO_EXEMPLARS: Mapping[Counter, dict[str, str]] = {}


@dataclass(slots=True, eq=False)
class Increments:
    """What each request with the same decisions adds to the counters."""

    amounts: tuple[tuple[Counter, int], ...]
    """By series."""
    exemplified: tuple[Counter, ...] = ()
    """The series whose increments may have an exemplar."""
    next_exemplar: float = 0.0
    """By the monotonic clock: none of them needs one before."""
    waiting: int = 0
    """Requests that are not added yet."""

    def add(self, requests: int = 1, exemplars: Mapping[Counter, dict[str, str]] = _NO_EXEMPLARS) -> None:
        """Add so many requests.

        Raises:
            OSError: the series are in a file on a disk without room.

        """
        for series, amount in self.amounts:
            series.inc(amount * requests, exemplars.get(series))


class Deferred:
    """The increments of one process that are not added yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Increments] = []
        # prometheus-client chooses a file instead of memory when it is imported.
        self._at_once = values.ValueClass is not values.MutexValue

    @property
    def waiting(self) -> int:
        """How many different increments wait."""
        return len(self._waiting)

    def count(self, increments: Increments) -> None:
        """Count a request."""
        if self._at_once:
            increments.add()
            return
        with self._lock:
            if not increments.waiting:
                self._waiting.append(increments)
            increments.waiting += 1
            full = len(self._waiting) >= _MAX_WAITING
        if full:
            self.add()

    def add(self) -> None:
        """Add all that waits. Whoever reads meanwhile waits for it, or would miss requests that have ended."""
        with self._lock:
            while self._waiting:
                increments = self._waiting.pop()
                requests, increments.waiting = increments.waiting, 0
                increments.add(requests)


class DeferredCounter(Counter):
    """A counter that adds what waits before it is read."""

    deferred: Deferred | None = None

    def collect(self) -> Iterable[Metric]:
        """Return the series, as the registry, the endpoint and the OpenTelemetry twins read them."""
        if self.deferred is not None:
            self.deferred.add()
        return super().collect()
