"""Runs the demo: starts its parts, plays the scenes, checks what was exported, and leaves nothing behind."""

import contextlib
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from opentelemetry.trace import SpanKind

from extra_headers.telemetry import contract

from ...policy.decision import DecisionKind
from ...testing.loopback import NoAnswerError
from ...testing.monitoring import Programs
from ...testing.otlp_receiver import ExportedSpan, OtlpReceiver
from ...testing.processes import OgxServer, inference_provider, run_config
from ...testing.recording_provider import RecordingProvider
from ..signals import Signals
from .attack import attack, start_monitoring
from .client import scrape
from .explained import explain
from .interactive import keep_running
from .ports import Ports
from .reporter import Show
from .runner import Exchange, Played, Stage
from .scenarios import (
    PROVIDER_ID,
    PROVIDER_KEY,
    PROVIDER_TYPE,
    SCENES,
    SECRETS,
    TOLD_PROVIDER_ID,
    TOLD_SETTING,
    USER_HEADER,
)

_HIDDEN = ("OGX_", "OTEL_", "EXTRA_HEADERS_", "PROMETHEUS_")
_EXPORT_SECONDS = 10.0
_SCENE_OF_THE_SPAN = 3


def run(ports: Ports, show: Show, *, keep: bool = False, programs: Programs | None = None) -> bool:
    """Run the demo and return whether everything went as the story says.

    Args:
        ports: where its parts listen.
        show: prints the story.
        keep: leave everything running after it, until Ctrl-C.
        programs: Prometheus and Alertmanager, for an attack after the story until an alert fires.

    Raises:
        PortError: a port is taken.
        ServerError: there is no OGX server, or one of the servers ended; with its last log lines.
        Stopped: a signal asked to stop; everything that was started has ended.

    """
    ports.check()
    with Signals() as signals:
        with ExitStack() as stack:
            as_told = _run(ports, show, keep, programs, signals, stack)
        # One that came while everything was being ended.
        signals.check()
    return as_told


def _run(  # noqa: PLR0913, PLR0917 - private
    ports: Ports,
    show: Show,
    keep: bool,  # noqa: FBT001 - private
    programs: Programs | None,
    signals: Signals,
    stack: ExitStack,
) -> bool:
    """Run the demo; what was started ends with `stack`."""
    started = time.monotonic()
    stack.enter_context(_own_environment())
    directory = Path(stack.enter_context(TemporaryDirectory(prefix="extra-headers-", ignore_cleanup_errors=True)))
    # A thread for each caller; joined after the server has ended, when no call can be waiting any more.
    threads = stack.enter_context(ThreadPoolExecutor(max(len(scene.callers) for scene in SCENES)))
    receiver = stack.enter_context(OtlpReceiver())
    upstream = stack.enter_context(RecordingProvider(ports.upstream))
    show.title("extra-headers demo", "one provider, one OGX server, friendly and hostile callers")
    show.ready("model provider", upstream.base_url, "a stand-in that records every byte it receives")
    show.ready("OTLP receiver", receiver.url, "takes the traces and metrics that the server exports")

    providers = [
        inference_provider(provider_id, upstream.base_url, setting, PROVIDER_TYPE, api_token=PROVIDER_KEY)
        for provider_id, setting in ((PROVIDER_ID, True), (TOLD_PROVIDER_ID, TOLD_SETTING))
    ]
    config = run_config(providers, directory, ports.server)
    config["server"]["auth"] = {"provider_config": {"type": "upstream_header", "principal_header": USER_HEADER}}
    ogx = f"OGX {version('ogx')}"
    with show.starting(ogx) as tell:

        def on_wait(seconds: float) -> None:
            signals.check()
            tell(seconds)

        server = OgxServer(config, directory, environment=_environment(ports, receiver, directory), on_wait=on_wait)
        stack.enter_context(server)
    show.ready(ogx, server.url, f"ready after {time.monotonic() - started:.0f} s")
    show.run_config(config)

    stage = Stage(upstream, ports.server, ports.metrics, threads, signals)
    try:
        as_told = _tell(stage, show, server, receiver, started)
        monitoring = start_monitoring(programs, ports, directory, stage, show, stack) if programs else None
        if monitoring:
            as_told = attack(stage, show, monitoring) and as_told
    except NoAnswerError as error:
        raise server.silent(error) from error
    if keep:
        keep_running(stage, show, server, receiver, monitoring, _program())
    else:
        show.command("to send requests of your own", [f"{_program()} {shlex.join(sys.argv[1:])} --keep"])
    return as_told


def _program() -> str:
    """Return this program as a shell finds it: by its name, where it does by that."""
    return shlex.quote(name if shutil.which(name := Path(sys.argv[0]).name) else sys.argv[0])


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """Hide settings of the server, of telemetry and of proxies: the demo is the same everywhere."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(_HIDDEN) or name.lower().endswith("_proxy"):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _environment(ports: Ports, receiver: OtlpReceiver, directory: Path) -> dict[str, str]:
    return {
        "OGX_CONFIG_DIR": str(directory),
        "OGX_METRICS_ENDPOINT_ENABLED": "1",
        "OGX_METRICS_PORT": str(ports.metrics),
        # With this one set, the add-on installs a tracer provider and instruments the HTTP clients.
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_SERVICE_NAME": "ogx",
    }


def _tell(stage: Stage, show: Show, server: OgxServer, receiver: OtlpReceiver, started: float) -> bool:
    """Play the scenes, show what was exported, and return whether everything went as the story says."""
    played = []
    for number, scene in enumerate(SCENES, start=1):
        played.append(stage.play(scene))
        show.scene(number, played[-1])
    faults = [f"scene {number} did not go as told" for number, p in enumerate(played, start=1) if p.faults]
    if not explain(SCENES[_SCENE_OF_THE_SPAN - 1], server.config_path, show):
        faults.append("`extra-headers explain` says something else than the server did")

    metrics = scrape(stage.metrics_port)
    show.counters(
        metrics.lines(contract.DECISIONS_TOTAL, contract.REQUESTS_TOTAL, contract.IDENTITY_HEADERS_TOTAL),
        f"http://127.0.0.1:{stage.metrics_port}/metrics",
    )
    if missing := _missing_spans(stage, receiver, played):
        faults.append(f"{missing} of the calls to the provider were not exported as spans")
    elif span := _span_of(played[_SCENE_OF_THE_SPAN - 1].exchanges[0], receiver):
        show.span(span, f"the call of scene {_SCENE_OF_THE_SPAN}, as exported; the provider got its ids in traceparent")

    written = [metrics.text.encode(), server.log.encode(), *_exported(receiver)]
    if leaked := [word for word in SECRETS if any(word.encode() in part for part in written)]:
        faults.append(f"telemetry or the log shows header values: {', '.join(leaked)}")
    show.closing(_summary(played, written, time.monotonic() - started), faults)
    return not faults


def _missing_spans(stage: Stage, receiver: OtlpReceiver, played: Sequence[Played]) -> int:
    """Wait for the CLIENT span of each call to the provider and return how many did not come."""
    wanted = {e.arrival.span_id for p in played for e in p.exchanges if e.arrival}

    def missing(spans: Sequence[ExportedSpan]) -> set[str | None]:
        return wanted - {s.span_id for s in spans if s.kind is SpanKind.CLIENT}

    deadline = time.monotonic() + _EXPORT_SECONDS
    while not receiver.wait_for(lambda spans: not missing(spans), timeout=0.1) and time.monotonic() < deadline:
        stage.signals.check()
    return len(missing(receiver.spans))


def _span_of(exchange: Exchange, receiver: OtlpReceiver) -> ExportedSpan | None:
    arrival = exchange.arrival
    return next((span for span in receiver.spans if arrival and span.span_id == arrival.span_id), None)


def _exported(receiver: OtlpReceiver) -> list[bytes]:
    return [payload for payloads in receiver.payloads.values() for payload in payloads]


def _summary(played: Sequence[Played], written: Sequence[bytes], seconds: float) -> str:
    stopped = sum(
        n for p in played for (kind, _), n in p.counted.decisions.items() if kind is not DecisionKind.FORWARDED
    )
    calls = sum(len(p.exchanges) for p in played)
    size = sum(map(len, written)) / 1000
    return (
        f"All as told in {seconds:.0f} s: {calls} calls, {stopped} headers stopped, "
        f"no header value in {size:.0f} kB of telemetry and log"
    )
