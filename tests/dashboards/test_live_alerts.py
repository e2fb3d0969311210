"""The alerts in a real Prometheus and Alertmanager, with the windows of the rules shortened to seconds."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from extra_headers.dashboards.tuning import Tuning
from tests.dashboards.stack import Exporter, Prometheus, Receiver, Stack, wait_for

SHORT = Tuning(window=6, slow_window=12, baseline=30, spike_for=2, keep_firing_for=2, new_series=2)
SPIKE, ATTEMPT = "ExtraHeadersBlockedSpike", "ExtraHeadersCredentialOverrideAttempt"


@dataclass(frozen=True, slots=True)
class Running:
    """The whole chain."""

    exporter: Exporter
    prometheus: Prometheus
    receiver: Receiver


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield exporter, Prometheus, Alertmanager and a webhook behind it, past the first scrape.

    Shared, as each test has its provider.
    """
    with Stack(tmp_path_factory.mktemp("alerts")) as stack:
        receiver = stack.receiver()
        exporter = stack.exporter({"vllm": {"block": ["x-internal-*"]}, "azure": {}, "openai": {}})
        prometheus = stack.prometheus(exporter, tuning=SHORT, alertmanager=stack.alertmanager(receiver))
        wait_for(lambda: prometheus.query("extra_headers_policy_info"), "the first scrape")
        yield Running(exporter, prometheus, receiver)


def test_spike_alert_lives_its_life(running: Running) -> None:
    """A burst of blocked headers is pending, then firing at the security team's webhook, then resolved there."""
    states: list[str] = []

    def state() -> str:
        now = running.prometheus.alert_states().get((SPIKE, "vllm"), "inactive")
        if [now] != states[-1:]:
            states.append(now)
        return now

    assert state() == "inactive"
    running.exporter.send("vllm", {"x-internal-debug": "1"}, times=60)
    wait_for(lambda: state() == "pending", "the spike alert is pending")
    wait_for(lambda: state() == "firing", "the spike alert fires")
    wait_for(lambda: ("/security-team", "firing", "vllm") in running.receiver.alerts(SPIKE), "the message")
    wait_for(lambda: state() == "inactive", "the spike alert ends", seconds=60)
    wait_for(lambda: ("/security-team", "resolved", "vllm") in running.receiver.alerts(SPIKE), "all clear")
    assert states == ["inactive", "pending", "firing", "inactive"]
    assert {provider for _, _, provider in running.receiver.alerts(SPIKE)} == {"vllm"}


def test_attempts_are_not_reported_twice(running: Running) -> None:
    """Credentials are reported at once, and are no spike as well."""
    running.exporter.send("azure", {"Authorization": "Bearer made-up"}, times=60)
    wait_for(lambda: ("/security-team", "firing", "azure") in running.receiver.alerts(ATTEMPT), "the message")
    wait_for(lambda: ("/security-team", "resolved", "azure") in running.receiver.alerts(ATTEMPT), "all clear", 60)
    assert "azure" not in {provider for _, _, provider in running.receiver.alerts(SPIKE)}


def test_no_message_holds_a_value(running: Running) -> None:
    """What Alertmanager sends names the provider and the reason, never what the caller sent."""
    running.exporter.send("openai", {"Authorization": "Bearer made-up"})
    wait_for(lambda: ("/security-team", "firing", "openai") in running.receiver.alerts(ATTEMPT), "the message")
    assert "made-up" not in str(running.receiver.messages)
