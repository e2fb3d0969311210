"""What a process uses, as the kernel tells it, while it works."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process at one moment."""

    seconds: float
    """On the monotonic clock."""
    resident: int
    """Resident memory in bytes."""
    descriptors: int
    sockets: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """Return what a process uses now."""
        process = Path(f"/proc/{pid}")
        targets = [_target(descriptor) for descriptor in (process / "fd").iterdir()]
        resident = int((process / "statm").read_text().split()[1]) * _PAGE
        sockets = sum(target.startswith("socket:") for target in targets)
        return cls(time.monotonic(), resident, len(targets), sockets)


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def quarter(usages: Sequence[Usage], number: int) -> Sequence[Usage]:
    """Return the usages of one quarter of the time, counted from 1."""
    start, end = usages[0].seconds, usages[-1].seconds
    length = (end - start) / 4
    return [u for u in usages if start + (number - 1) * length <= u.seconds <= start + number * length]


def change(usages: Sequence[Usage], what: Callable[[Usage], float]) -> float:
    """Return by which part the mean of the last quarter differs from that of the second; 0.02 is 2 % more."""
    second, last = (statistics.mean(map(what, quarter(usages, number))) for number in (2, 4))
    return last / second - 1
