"""Time several pieces of code in alternation, so that whatever else the machine does falls on all of them alike."""

import gc
import os
import platform
import statistics
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_ROUNDS = 81
_ROUND_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Timing:
    """How much one thing took, over all rounds, in the unit of its row."""

    median: float
    spread: float
    """Distance between the quartiles."""

    @classmethod
    def of(cls, measured: Sequence[float]) -> "Timing":
        """Return the timing of a series of measurements."""
        first, second, third = statistics.quantiles(measured, n=4)
        return cls(second, third - first)


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    what: str
    unit: str
    ours: Timing
    reference: Timing
    """What it is compared with; see the heading of its section."""
    target: str = ""
    """In words, with the number; empty for a figure that has none."""
    met: bool | None = None

    @property
    def ratio(self) -> float:
        """Ours against the reference."""
        return self.ours.median / self.reference.median


def at_most(ratio: float, what: str, unit: str, ours: Timing, reference: Timing) -> Row:
    """Return a row whose target is a ratio."""
    return Row(what, unit, ours, reference, f"<= {ratio:g} x", ours.median <= ratio * reference.median)


def at_most_more(much: float, what: str, unit: str, ours: Timing, reference: Timing) -> Row:
    """Return a row whose target is a difference."""
    return Row(what, unit, ours, reference, f"<= +{much:g} {unit}", ours.median - reference.median <= much)


def measure(
    subjects: Mapping[str, Callable[[], object]], prepare: Callable[[int], None] = lambda _: None
) -> dict[str, Timing]:
    """Return the timing of one call of each subject, in microseconds of processor time: others may be busy, too.

    Args:
        subjects: what to time, by name.
        prepare: called before so many calls of a subject, and not timed.

    """
    timers = {name: timeit.Timer(subject, timer=time.process_time) for name, subject in subjects.items()}

    def timed(timer: timeit.Timer, calls: int) -> float:
        prepare(calls)
        return timer.timeit(calls)

    calls = {name: max(1, int(_ROUND_SECONDS / (timed(timer, 200) / 200))) for name, timer in timers.items()}
    taken: dict[str, list[float]] = {name: [] for name in timers}
    gc.freeze()  # a collection looks at what the rounds leave behind, not at all that the host has loaded
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            for name, timer in timers.items():
                gc.collect()
                timed(timer, max(1, calls[name] // 10))  # after a collection, the processor's caches are cold
                taken[name].append(1e6 * timed(timer, calls[name]) / calls[name])
    finally:
        gc.enable()
        gc.unfreeze()
    return {name: Timing.of(times) for name, times in taken.items()}


def heading() -> str:
    """Return what the figures depend on."""
    packages = ("ogx", "openai", "opentelemetry-sdk", "prometheus-client", "pydantic")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    load, _, _ = os.getloadavg()
    return (
        f"Python {platform.python_version()}, {versions}\n"
        f"{os.cpu_count()} x {_processor()} ({platform.machine()}), {platform.system()} {platform.release()}, "
        f"load {load:.1f} at the start"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table that is also readable as text."""
    cells = [["what", "median ± spread", "against", "ratio", "target", "met"]]
    for row in rows:
        met = {True: "yes", False: "NO", None: ""}[row.met]
        ours, reference = (f"{t.median:.2f} ± {t.spread:.2f}" for t in (row.ours, row.reference))
        cells.append([row.what, f"{ours} {row.unit}", reference, f"{row.ratio:.3f}", row.target, met])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    )
