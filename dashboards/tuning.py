"""The numbers of the rules: windows, floors and factors. Nothing here knows a metric.

The defaults suit a server that handles a few requests a second; tests run the same rules with windows of seconds.
"""

from dataclasses import dataclass
from typing import Final

DEFAULT_RUNBOOKS: Final = "docs/runbooks"
"""Where the project keeps the runbooks, relative to its repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What the recording rules and alerts compare with. Times in seconds."""

    window: int = 600
    """What is "now": events are counted over this long."""
    baseline: int = 86400
    """What is "usual": the mean over this long, ending one window ago, so that a spike is not its own baseline."""
    floor: int = 20
    """A spike has more events in a window than this; on a counter that is mostly zero any multiple would alert."""
    factor: int = 5
    """And more than this many times the usual."""
    for_: int = 120
    """How long a condition must last before its alert fires."""
    keep_firing_for: int = 900
    """How long an alert goes on after its condition, so that it does not flap."""
    rejected_percent: int = 20
    """Share of the requests with extra headers that a policy may reject before it is thought to break callers."""
    rejected_volume: int = 20
    """Requests with extra headers in a window below which a share means nothing."""
    rejected_for: int = 600
    """How long callers must be rejected before the alert fires: one client's burst of retries is no broken policy."""
    drift_for: int = 900
    """How long two policies may be in force at once: a rolling update takes its time."""
    absent_for: int = 600
    """How long telemetry may be absent: a restart takes its time."""
    remember: int = 86400
    """How long a job that reported is expected to go on reporting."""
    new_series: int = 60
    """How old a series is before it stands for more than its first event. At least one evaluation interval."""
    forget_series: int = 21600
    """A series that returns after this long counts as new."""


def duration(seconds: int) -> str:
    """Return seconds as Prometheus writes them: 600 is `10m`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
