"""An attack under a real Prometheus and Alertmanager: blocked headers until the alert fires and arrives."""

import time
from collections import Counter
from dataclasses import dataclass

from rich.text import Text

from extra_headers.dashboards.tuning import AlertName, Tuning, duration
from extra_headers.telemetry import contract

from ...policy.decision import DecisionKind, Reason
from ...testing.monitoring import Alertmanager, Programs, Prometheus
from ...testing.processes import ServerError
from ...testing.webhook import Notification, Webhook
from .environment import Environment
from .runner import run_scenario
from .scenarios import PROVIDER_ID, Scenario

TUNING = Tuning(window=20, slow_window=120, baseline=120, spike_for=4, keep_firing_for=10, new_series=2)
"""Seconds instead of minutes; floor and factor are those of production."""
# No credential: those have another alert, and are not part of a spike.
_HEADERS = {
    "X-Forwarded-For": "198.51.100.66",
    "X-Original-URL": "/internal-admin",
    "X-HTTP-Method-Override": "DELETE-all",
}
_REASONS = {
    "X-Forwarded-For": Reason.CLIENT_IDENTITY,
    "X-Original-URL": Reason.ROUTING,
    "X-HTTP-Method-Override": Reason.ROUTING,
}
_POINT = "10 callers at once, twice a second, with hostile headers only"
_ATTACK = Scenario("An attack", _POINT, (_HEADERS,) * 10, _REASONS)

_STYLES = {"pending": "bold yellow", "firing": "bold red"}
_SECONDS_BETWEEN_ROUNDS = 0.5
_FIRING_SECONDS = 30.0
_MESSAGE_SECONDS = 10.0
_SCRAPE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The programs that monitor the server."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    webhook: Webhook


def start_monitoring(environment: Environment, programs: Programs) -> Monitoring:
    """Start Prometheus and Alertmanager, and wait until the server has been scraped.

    Raises:
        ServerError: one of them did not start, or could not scrape.
        Stopped: a signal came.

    """
    started = time.monotonic()
    reporter, ports, directory = environment.reporter, environment.ports, environment.directory
    webhook = environment.stack.enter_context(Webhook())
    reporter.heading("Prometheus and Alertmanager", "with the rules and routes that `dashboards export` writes")
    with reporter.progress() as report:

        def on_wait(_: float) -> None:
            environment.signals.check()
            report(Text(f"starting Prometheus and Alertmanager … {time.monotonic() - started:.0f} s"))

        alertmanager = environment.stack.enter_context(
            Alertmanager(programs.alertmanager, directory, webhook.url, port=ports.alertmanager, on_wait=on_wait)
        )
        prometheus = environment.stack.enter_context(
            Prometheus(
                programs.prometheus,
                directory,
                [f"127.0.0.1:{ports.metrics}"],
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
            environment.signals.sleep(0.1)
    reporter.ready("Prometheus", prometheus.url, f"first scrape after {time.monotonic() - started:.0f} s")
    reporter.ready("Alertmanager", alertmanager.url, "notifies a webhook of the demo")
    return Monitoring(prometheus, alertmanager, webhook)


def attack(environment: Environment, monitoring: Monitoring) -> bool:
    """Attack until the alert fires, print the notification, and return whether everything went as expected.

    Raises:
        NoAnswerError: the server does not answer.
        ServerError: Prometheus does not answer.
        Stopped: a signal came.

    """
    reporter = environment.reporter
    reporter.heading(_ATTACK.title, _ATTACK.point)
    reporter.facts(
        {
            "sent": environment.host.sent(_HEADERS),
            "alert": f"{AlertName.BLOCKED_SPIKE}: more than {TUNING.floor} blocked headers in "
            f"{duration(TUNING.window)} and {TUNING.factor} times the baseline, for {duration(TUNING.spike_for)}",
            "": f"(exported rules: in {duration(Tuning().window)}, for {duration(Tuning().spike_for)})",
        }
    )
    started = time.monotonic()
    state, blocked, faults = "inactive", 0, Counter[str]()
    with reporter.progress() as report:
        report(_progress(0, state, blocked), keep=True)
        while state != "firing" and time.monotonic() - started < _FIRING_SECONDS:
            result = run_scenario(environment, _ATTACK)
            faults.update(result.faults)
            blocked += sum(n for (kind, _), n in result.counted.decisions.items() if kind == DecisionKind.BLOCKED)
            before = state
            state = monitoring.prometheus.alert_states().get((AlertName.BLOCKED_SPIKE, PROVIDER_ID), "inactive")
            report(_progress(time.monotonic() - started, state, blocked), keep=state != before)
            environment.signals.sleep(_SECONDS_BETWEEN_ROUNDS)
    seconds = time.monotonic() - started
    if state != "firing":
        faults[f"{AlertName.BLOCKED_SPIKE} is {state} after {seconds:.0f} s of attack; expected: firing"] += 1
    elif notification := _notification(environment, monitoring):
        receiver = notification.receiver
        reporter.heading("The alert", f"{notification.status}, as Alertmanager sent it to the receiver {receiver}")
        told = {**notification.labels, **notification.annotations, "since": notification.starts_at}
        addresses = {name: text for name, text in told.items() if name.endswith("_url")}
        reporter.facts({name: text for name, text in told.items() if name not in addresses})
        reporter.addresses(addresses)
        if leaked := [name for name, value in _HEADERS.items() if value in str(monitoring.webhook.messages)]:
            faults[f"the alert shows the value of {', '.join(leaked)}"] += 1
    else:
        faults[f"Alertmanager did not send {AlertName.BLOCKED_SPIKE} within {_MESSAGE_SECONDS:.0f} s"] += 1
    summary = f"Firing {seconds:.0f} s after the attack started; all {blocked} hostile headers were blocked"
    reporter.closing(summary, list(faults))
    return not faults


def _progress(seconds: float, state: str, blocked: int) -> Text:
    style = _STYLES.get(state, "dim")
    return Text.assemble(f"{seconds:3.0f} s  ", (f"{state:<10}", style), (f"{blocked} headers blocked", "dim"))


def _notification(environment: Environment, monitoring: Monitoring) -> Notification | None:
    """Wait for Alertmanager's message and return it; None if it does not come in time."""
    deadline = time.monotonic() + _MESSAGE_SECONDS
    while not (sent := monitoring.webhook.notifications(AlertName.BLOCKED_SPIKE)) and time.monotonic() < deadline:
        environment.signals.sleep(0.1)
    return sent[0] if sent else None
