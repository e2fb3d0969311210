"""An attack in front of a real Prometheus and Alertmanager: headers that the policy blocks, until the alert fires."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from extra_headers.dashboards.alerts import BLOCKED_SPIKE
from extra_headers.dashboards.tuning import Tuning, duration
from extra_headers.telemetry import contract

from ...policy.decision import DecisionKind
from ...testing.monitoring import Alertmanager, Programs, Prometheus
from ...testing.processes import ServerError
from ...testing.webhook import Notification, Webhook
from .client import chat, scrape
from .ports import Ports
from .reporter import Show
from .runner import Stage
from .scenarios import PROVIDER_DATA_HEADER, PROVIDER_ID, provider_data

TUNING = Tuning(window=20, baseline=120, for_=4, keep_firing_for=10, new_series=2)
"""What takes minutes in production takes seconds here; floor and factor are those of production."""
HEADERS: Mapping[str, str] = {
    "X-Forwarded-For": "198.51.100.66",
    "X-Original-URL": "/internal-admin",
    "X-HTTP-Method-Override": "DELETE-all",
}
"""No credential among them: an attempt on one has an alert of its own, which silences the one shown here."""

_CALLERS = 10
_SECONDS_BETWEEN_ROUNDS = 0.5
_FIRING_SECONDS = 30.0
_MESSAGE_SECONDS = 10.0
_SCRAPE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What watches the server."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    webhook: Webhook


def start_monitoring(  # noqa: PLR0913, PLR0917 - what the demo has at hand
    programs: Programs, ports: Ports, directory: Path, stage: Stage, show: Show, stack: ExitStack
) -> Monitoring:
    """Start Prometheus and Alertmanager, which end with `stack`, and wait until the server has been scraped.

    Raises:
        ServerError: one of them did not start, or could not scrape.
        Stopped: a signal came.

    """
    started = time.monotonic()
    webhook = stack.enter_context(Webhook())
    show.heading("Prometheus and Alertmanager", "with the rules and routes of: extra-headers dashboards export")
    with show.starting("Prometheus and Alertmanager") as tell:

        def on_wait(_: float) -> None:
            stage.signals.check()
            tell(time.monotonic() - started)

        alertmanager = stack.enter_context(
            Alertmanager(programs.alertmanager, directory, webhook.url, port=ports.alertmanager, on_wait=on_wait)
        )
        prometheus = stack.enter_context(
            Prometheus(
                programs.prometheus,
                directory,
                [f"127.0.0.1:{stage.metrics_port}"],
                TUNING,
                alertmanager=alertmanager.address,
                port=ports.prometheus,
                on_wait=on_wait,
            )
        )
        # A rate needs a sample from before the attack.
        while not prometheus.query(contract.POLICY_INFO):
            if (seconds := time.monotonic() - started) > _SCRAPE_SECONDS:
                raise ServerError(f"Prometheus did not scrape the server within {seconds:.0f} s")
            on_wait(seconds)
            stage.signals.sleep(0.1)
    show.ready("Prometheus", prometheus.url, f"first scrape of the server after {time.monotonic() - started:.0f} s")
    show.ready("Alertmanager", alertmanager.url, "its routes end at a webhook of the demo")
    return Monitoring(prometheus, alertmanager, webhook)


def attack(stage: Stage, show: Show, monitoring: Monitoring) -> bool:
    """Attack until the alert fires, show it as it was sent, and return whether all of that went as it should.

    Raises:
        NoAnswerError: the OGX server does not answer.
        ServerError: Prometheus does not answer.
        Stopped: a signal came.

    """
    window, hold = duration(TUNING.window), duration(TUNING.for_)
    show.heading("An attack", f"{_CALLERS} callers at once, twice a second, with nothing but headers that are blocked")
    show.facts(
        {
            "sent": f"{PROVIDER_DATA_HEADER}: {provider_data(HEADERS)}",
            "alert": f"{BLOCKED_SPIKE}: more than {TUNING.floor} blocked headers in {window} and {TUNING.factor} times "
            f"the usual, for {hold}",
            "": f"(as exported: in {duration(Tuning().window)}, for {duration(Tuning().for_)})",
        }
    )
    started = time.monotonic()
    attacker = _Attacker(stage)
    state = "inactive"
    with show.watching() as tell:
        tell(0, state, "0 headers blocked")
        while state != "firing" and time.monotonic() - started < _FIRING_SECONDS:
            attacker.call_at_once()
            state = monitoring.prometheus.alert_states().get((BLOCKED_SPIKE, PROVIDER_ID), "inactive")
            tell(time.monotonic() - started, state, f"{attacker.blocked()} headers blocked")
            stage.signals.sleep(_SECONDS_BETWEEN_ROUNDS)
    seconds = time.monotonic() - started
    faults = attacker.faults()
    if state != "firing":
        faults.append(f"{BLOCKED_SPIKE} is {state} after {seconds:.0f} s of attack; it should be firing")
    elif told := _told(stage, monitoring):
        show.heading("The alert", f"{told.status}, as Alertmanager received it and sent it to {told.receiver}")
        show.facts({**told.labels, **told.annotations, "since": told.starts_at})
        if leaked := [name for name, value in HEADERS.items() if value in str(monitoring.webhook.messages)]:
            faults.append(f"the alert shows the value of {', '.join(leaked)}")
    else:
        faults.append(f"Alertmanager did not send {BLOCKED_SPIKE} within {_MESSAGE_SECONDS:.0f} s")
    show.closing(
        f"Firing {seconds:.0f} s after the attack began; of {attacker.blocked()} hostile headers none got through",
        faults,
    )
    return not faults


class _Attacker:
    """Calls the server with hostile headers, and knows what came of it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._before = scrape(stage.metrics_port)
        self._calls = self._answered = self._arrived = 0
        self._let_through: set[str] = set()
        stage.upstream.take()

    def call_at_once(self) -> None:
        """Send one call of each caller."""
        stage = self._stage
        calls = [
            stage.threads.submit(chat, stage.server_port, "let me in", provider_data(HEADERS)) for _ in range(_CALLERS)
        ]
        self._calls += _CALLERS
        self._answered += sum(reply.status == 200 for reply in stage.signals.results(calls))
        arrivals = [stage.arrival(request) for request in stage.upstream.take()]
        self._arrived += len(arrivals)
        self._let_through.update(name for arrival in arrivals for name, _ in arrival.extra)

    def blocked(self) -> int:
        """Return how many headers were blocked, as the server counted them."""
        grown = scrape(self._stage.metrics_port).increases_since(self._before, contract.DECISIONS_TOTAL)
        return sum(n for labels, n in grown.items() if (contract.LABEL_DECISION, DecisionKind.BLOCKED.value) in labels)

    def faults(self) -> list[str]:
        """Return what did not go as it should."""
        found = []
        if not self._calls == self._answered == self._arrived:
            found.append(
                f"of {self._calls} calls {self._arrived} reached the provider and {self._answered} were answered 200"
            )
        if self._let_through:
            found.append(f"the provider received {', '.join(sorted(self._let_through))}")
        if (blocked := self.blocked()) != self._calls * len(HEADERS):
            found.append(f"{blocked} headers were counted as blocked; sent: {self._calls * len(HEADERS)}")
        return found


def _told(stage: Stage, monitoring: Monitoring) -> Notification | None:
    """Wait for Alertmanager's message and return it; None if there is none in time."""
    deadline = time.monotonic() + _MESSAGE_SECONDS
    while not (told := monitoring.webhook.notifications(BLOCKED_SPIKE)) and time.monotonic() < deadline:
        stage.signals.sleep(0.1)
    return told[0] if told else None
