"""The add-on's own metrics endpoint: for hosts without one, and for several workers that share one total.

With several workers, one of them serves the sums of all; the others wait for a file lock, which the operating system
passes on when the holder ends, however it ends.
"""

import fcntl
import glob
import logging
import os
import re
import threading
import time
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from .bounded_server import serve_in_thread
from .contract import ENV_METRICS_PORT
from .settings import TelemetrySettings

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_COMPLAIN_AFTER_SECONDS = 5.0


def prepare_multiprocess_directory(directory: str) -> None:
    """Make the directory that workers share, and forget the policies of processes that ended.

    prometheus-client sums the counters of every process that ever wrote here, which keeps totals exact when a worker
    dies. A policy in force, however, is only that of live processes.

    Raises:
        OSError: the directory cannot be made or written.

    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    probe = Path(directory) / f".extra_headers_{os.getpid()}"
    probe.touch()
    probe.unlink()
    _forget_dead_processes(directory)
    # In a container, a restarted server gets its old process id back, and with it the file of its old policy.
    mark_process_dead(os.getpid(), directory)  # type: ignore[no-untyped-call]


def _forget_dead_processes(directory: str) -> None:
    for path in glob.glob(os.path.join(glob.escape(directory), "gauge_live*_*.db")):  # noqa: PTH207, PTH118 - escaping
        if (found := re.search(r"_(\d+)\.db$", path)) and not Path(f"/proc/{found[1]}").exists():
            mark_process_dead(found[1], directory)  # type: ignore[no-untyped-call]


class _LiveProcesses(MultiProcessCollector):
    """The sums over all processes, without the gauges of those that ended."""

    def collect(self) -> object:
        _forget_dead_processes(self._path)
        return super().collect()  # type: ignore[no-untyped-call]


def start_endpoint(settings: TelemetrySettings) -> None:
    """Serve the metrics on the configured port, from a thread of its own; in one worker at a time."""
    if settings.metrics_port is not None:
        threading.Thread(target=_serve, args=(settings,), name="extra_headers metrics", daemon=True).start()


def _serve(settings: TelemetrySettings) -> None:
    port, host, directory = settings.metrics_port or 0, settings.metrics_host, settings.multiprocess_directory
    registry: Collector = REGISTRY
    if directory is not None:
        try:
            _wait_for_turn(Path(directory) / f"extra_headers_{port}.lock")
        except OSError as error:
            _log.error("extra_headers: no metrics endpoint, requests are not affected: %s", error)
            return
        registry = CollectorRegistry()
        _LiveProcesses(registry, directory)  # type: ignore[no-untyped-call]
    started = time.monotonic()
    complained = False
    while True:
        try:
            serve_in_thread(host, port, registry)
        except OSError as error:
            # The socket of a predecessor may take a moment to go.
            if not complained and time.monotonic() - started > _COMPLAIN_AFTER_SECONDS:
                complained = True
                hint = "" if directory else "; several workers need PROMETHEUS_MULTIPROC_DIR"
                _log.error(
                    "extra_headers: %s=%d cannot be served, requests are not affected: %s%s",
                    ENV_METRICS_PORT,
                    port,
                    error.strerror or error,
                    hint,
                )
            time.sleep(_RETRY_SECONDS)
        else:
            _log.info("extra_headers: metrics on http://%s:%d/metrics", host, port)
            return


_locks: list[int] = []
"""Descriptors of the locks held. Kept open until the process ends: that is what holds them."""


def _wait_for_turn(path: Path) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    _locks.append(descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
