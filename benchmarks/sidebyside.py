"""Time several pieces of code in alternation, so that whatever else the machine does falls on all of them alike."""

import gc
import platform
import statistics
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

_ROUNDS = 41
_ROUND_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one call took, over all rounds."""

    microseconds: float
    """Median."""
    spread: float
    """Distance between the quartiles, in microseconds."""


def measure(subjects: Mapping[str, Callable[[], object]]) -> dict[str, Timing]:
    """Return the timing of one call of each subject."""
    timers = {name: timeit.Timer(subject) for name, subject in subjects.items()}
    calls = {name: max(1, int(_ROUND_SECONDS / (timer.timeit(200) / 200))) for name, timer in timers.items()}
    taken: dict[str, list[float]] = {name: [] for name in timers}
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            for name, timer in timers.items():
                taken[name].append(1e6 * timer.timeit(calls[name]) / calls[name])
            gc.collect()
    finally:
        gc.enable()
    quartiles = {name: statistics.quantiles(times, n=4) for name, times in taken.items()}
    return {name: Timing(q2, q3 - q1) for name, (q1, q2, q3) in quartiles.items()}


def heading() -> str:
    """Return what the figures depend on."""
    packages = ("ogx", "openai", "opentelemetry-sdk", "prometheus-client", "pydantic")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"Python {platform.python_version()} on {platform.machine()}, {versions}"


def table(timings: Mapping[str, Timing], reference: str) -> str:
    """Return a table of the timings and their ratio to that of `reference`."""
    width = max(map(len, timings))
    rows = [f"{'what':<{width}}  median us  spread us   ratio"]
    for name, timing in timings.items():
        ratio = timing.microseconds / timings[reference].microseconds
        rows.append(f"{name:<{width}}  {timing.microseconds:9.2f}  {timing.spread:9.2f}  {ratio:6.2f}")
    return "\n".join(rows)
