"""A token bucket for log records; suppressed records are counted."""

import threading
import time
from collections.abc import Callable


class RateLimit:
    """A burst at once, then so many a second."""

    def __init__(self, burst: int, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(burst)
        self._filled_at = clock()
        self._suppressed = 0

    def admit(self) -> int | None:
        """Return how many were held back since the last one admitted; None if this one is held back, too."""
        with self._lock:
            now = self._clock()
            tokens = self._tokens + (now - self._filled_at) * self._per_second
            self._filled_at = now
            if tokens < 1:
                self._tokens = tokens
                self._suppressed += 1
                return None
            self._tokens = min(self._burst, tokens) - 1
            suppressed, self._suppressed = self._suppressed, 0
            return suppressed
