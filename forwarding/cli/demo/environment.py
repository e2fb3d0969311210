"""The running parts of the demo: provider, OTLP receiver, the host's server, callers."""

import contextlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.text import Text

from extra_headers.telemetry import contract

from ...testing.otlp_receiver import OtlpReceiver
from ...testing.processes import HostServer
from ...testing.recording_provider import ReceivedRequest, RecordingProvider
from ..signals import Signals
from .hosts import Host
from .ports import Ports
from .reporter import Reporter
from .results import Arrival
from .scenarios import SCENARIOS

_HIDDEN = ("OGX_", "LITELLM_", "OTEL_", "EXTRA_HEADERS_", "PROMETHEUS_", "DATABASE_")


@dataclass(slots=True)
class Environment:
    """What every part of the demo needs."""

    host: Host
    ports: Ports
    directory: Path
    reporter: Reporter
    signals: Signals
    stack: ExitStack
    """Ends what was started."""
    threads: Executor
    """One thread for each caller of a scenario."""
    receiver: OtlpReceiver
    provider: RecordingProvider
    server: HostServer
    started: float
    """On the monotonic clock."""
    first: Arrival | None = None
    """The first call that reached the provider; later ones are compared with it."""

    @property
    def metrics_url(self) -> str:
        """The server's Prometheus endpoint."""
        return f"http://127.0.0.1:{self.ports.metrics}/metrics"

    def arrival(self, request: ReceivedRequest) -> Arrival:
        """Return a received request, compared with the first one."""
        return Arrival(request, self.first.ordinary if self.first else frozenset())


def start(host: Host, ports: Ports, reporter: Reporter, signals: Signals, stack: ExitStack) -> Environment:
    """Start the provider, the receiver and the server; `stack` ends them.

    Raises:
        ServerError: there is no server, or it did not start.
        Stopped: a signal came.

    """
    started = time.monotonic()
    stack.enter_context(_clean_environment())
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="extra-headers-", ignore_cleanup_errors=True)))
    # Joined after the server has ended, when no call can be waiting for an answer.
    threads = stack.enter_context(ThreadPoolExecutor(max(len(scenario.callers) for scenario in SCENARIOS)))
    receiver = stack.enter_context(OtlpReceiver())
    provider = stack.enter_context(RecordingProvider(ports.upstream))
    reporter.title("extra-headers demo", f"one provider, one {host.name} server, friendly and hostile callers")
    reporter.ready("model provider", provider.base_url, "a stub that records every byte")
    reporter.ready("OTLP receiver", receiver.url, "receives traces and metrics")

    config = host.configure(provider.base_url, directory, ports.server)
    name = f"{host.name} {version(host.server.distribution)}"
    with reporter.progress() as report:

        def on_wait(seconds: float) -> None:
            signals.check()
            report(Text(f"starting {name} … {seconds:.0f} s"))

        variables = {
            **host.variables(directory, ports.metrics),
            # With this one, the add-on installs a tracer provider and instruments the HTTP clients.
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            # Identifies the span of each call by what the provider received.
            contract.ENV_PROPAGATE: "traceparent",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_SERVICE_NAME": host.server.distribution,
        }
        started_server = host.server(config, directory, port=ports.server, environment=variables, on_wait=on_wait)
        server = stack.enter_context(started_server)
    reporter.ready(name, server.url, f"ready after {time.monotonic() - started:.0f} s")
    reporter.run_config(config)
    return Environment(host, ports, directory, reporter, signals, stack, threads, receiver, provider, server, started)


@contextlib.contextmanager
def _clean_environment() -> Iterator[None]:
    """Hide variables that configure the server, telemetry or proxies: the demo must run alike everywhere."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(_HIDDEN) or name.lower().endswith("_proxy"):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)
