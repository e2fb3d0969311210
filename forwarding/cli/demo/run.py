"""Runs the demo: the scenarios, what the server exported about them, and optionally an attack."""

import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from opentelemetry.trace import SpanKind

from extra_headers.telemetry import contract

from ...policy.decision import DecisionKind
from ...testing.loopback import NoAnswerError
from ...testing.monitoring import Programs
from ...testing.otlp_receiver import ExportedSpan, OtlpReceiver
from ..signals import Signals
from .attack import attack, start_monitoring
from .client import scrape
from .environment import Environment, start
from .hosts import Host
from .interactive import keep_running
from .ports import Ports
from .reporter import Reporter
from .results import Exchange, ScenarioResult
from .runner import explain, run_scenario
from .scenarios import SCENARIOS, SECRETS

_EXPORT_SECONDS = 10.0
_NUMBER_IN_DETAIL = 3
"""Of the scenario whose rules and span are shown."""


def run(host: Host, ports: Ports, *, keep: bool = False, programs: Programs | None = None) -> bool:
    """Run the demo and return whether everything went as expected.

    Args:
        host: what to run.
        ports: the ports to listen on.
        keep: whether to leave everything running afterwards, until Ctrl-C.
        programs: Prometheus and Alertmanager, for an attack after the scenarios.

    Raises:
        PortError: a port is in use.
        ServerError: there is no server, or a server ended; with its last log lines.
        Stopped: a signal came; everything that was started has ended.

    """
    ports.check()
    with Signals() as signals:
        with ExitStack() as stack:
            environment = start(host, ports, Reporter(host), signals, stack)
            monitoring = None
            try:
                passed = _run_scenarios(environment)
                if programs:
                    monitoring = start_monitoring(environment, programs)
                    passed &= attack(environment, monitoring)
            except NoAnswerError as error:
                raise environment.server.silent(error) from error
            if keep:
                keep_running(environment, monitoring, _program())
            else:
                again = f"{_program()} {shlex.join(sys.argv[1:])} --keep"
                environment.reporter.command("keep everything running and send your own requests", [again])
        signals.check()  # one that came while everything was being ended
    return passed


def _program() -> str:
    """Return this program as a shell finds it: by its name if it is on PATH."""
    return shlex.quote(name if shutil.which(name := Path(sys.argv[0]).name) else sys.argv[0])


def _run_scenarios(environment: Environment) -> bool:
    """Run the scenarios, print what was exported, and return whether everything went as expected."""
    reporter, receiver = environment.reporter, environment.receiver
    results = []
    for number, scenario in enumerate(SCENARIOS, start=1):
        results.append(run_scenario(environment, scenario))
        reporter.scenario(number, results[-1])
    faults = [f"scenario {number} failed" for number, result in enumerate(results, start=1) if result.faults]
    if not explain(environment, SCENARIOS[_NUMBER_IN_DETAIL - 1]):
        faults.append("`extra-headers explain` decides differently than the server did")

    metrics = scrape(environment.ports.metrics)
    reporter.counters(
        metrics.lines(contract.DECISIONS_TOTAL, contract.REQUESTS_TOTAL, contract.IDENTITY_HEADERS_TOTAL),
        environment.metrics_url,
    )
    if missing := _missing_spans(environment, results):
        faults.append(f"{missing} of the calls to the provider were not exported as spans")
    elif span := _decision_span(results[_NUMBER_IN_DETAIL - 1].exchanges[0], receiver):
        reporter.span(span, f"the decision of scenario {_NUMBER_IN_DETAIL}")
    else:
        faults.append(f"the decision of scenario {_NUMBER_IN_DETAIL} was not exported as a span")

    payloads = [payload for payloads in receiver.payloads.values() for payload in payloads]
    written = [metrics.text.encode(), environment.server.log.encode(), *payloads]
    if leaked := [word for word in SECRETS if any(word.encode() in part for part in written)]:
        faults.append(f"telemetry or the log shows header values: {', '.join(leaked)}")
    decisions = [item for result in results for item in result.counted.decisions.items()]
    stopped = sum(n for (kind, _), n in decisions if kind != DecisionKind.FORWARDED)
    calls = sum(len(result.exchanges) for result in results)
    reporter.closing(
        f"Passed in {time.monotonic() - environment.started:.0f} s: {calls} calls, {stopped} headers stopped, "
        f"no header value in {sum(map(len, written)) / 1000:.0f} kB of telemetry and log",
        faults,
    )
    return not faults


def _missing_spans(environment: Environment, results: Sequence[ScenarioResult]) -> int:
    """Wait for the CLIENT span of each call to the provider and return how many are missing."""
    wanted = {e.arrival.span_id for result in results for e in result.exchanges if e.arrival}

    def missing(spans: Sequence[ExportedSpan]) -> set[str | None]:
        return wanted - {span.span_id for span in spans if span.kind is SpanKind.CLIENT}

    receiver, deadline = environment.receiver, time.monotonic() + _EXPORT_SECONDS
    while not receiver.wait_for(lambda spans: not missing(spans), timeout=0.1) and time.monotonic() < deadline:
        environment.signals.check()
    return len(missing(receiver.spans))


def _decision_span(exchange: Exchange, receiver: OtlpReceiver) -> ExportedSpan | None:
    """Wait for the span that carries the decision on a call: one that the call links to, or one of its trace."""

    def found(spans: Sequence[ExportedSpan]) -> ExportedSpan | None:
        call = next(span for span in spans if exchange.arrival and span.span_id == exchange.arrival.span_id)
        linked = dict(call.links)
        return next(
            (
                span
                for span in spans
                if span.kind is not SpanKind.CLIENT
                and contract.ATTR_PROVIDER in span.attributes
                and (linked.get(span.trace_id) == span.span_id if linked else span.trace_id == call.trace_id)
            ),
            None,
        )

    receiver.wait_for(found, timeout=_EXPORT_SECONDS)
    return found(receiver.spans)
