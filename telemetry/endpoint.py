"""The add-on's own metrics endpoint: for hosts without one, and for several workers that share one total.

With several workers, one of them serves the sums of all; the others wait for a file lock, which the operating system
passes on when the holder ends, however it ends.
"""

import logging
import threading
import time

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.registry import Collector

from .bounded_server import serve_in_thread
from .contract import ENV_METRICS_PORT
from .multiprocess import LiveProcesses, wait_for_turn
from .settings import TelemetrySettings

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_COMPLAIN_AFTER_SECONDS = 5.0


def start_endpoint(settings: TelemetrySettings) -> None:
    """Serve the metrics on the configured port, from a separate thread; in one worker at a time."""
    if settings.metrics_port is not None:
        threading.Thread(target=_serve, args=(settings,), name="extra_headers metrics", daemon=True).start()


def _serve(settings: TelemetrySettings) -> None:
    port, host, directory = settings.metrics_port or 0, settings.metrics_host, settings.multiprocess_directory
    registry: Collector = REGISTRY
    if directory is not None:
        try:
            wait_for_turn(directory, str(port))
        except OSError as error:
            _log.error("extra_headers: no metrics endpoint, requests are not affected: %s", error)
            return
        registry = CollectorRegistry()
        LiveProcesses(registry, directory)
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
