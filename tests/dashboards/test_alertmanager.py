"""The Alertmanager example, checked by amtool: it is valid, and alerts reach whom they concern."""

import pytest
import yaml

from extra_headers.dashboards.alerts import Alert, alerts
from extra_headers.dashboards.generate import GENERATED
from extra_headers.dashboards.tuning import Tuning
from tests.dashboards.programs import run

CONFIG = GENERATED / "alertmanager" / "alertmanager.yaml"


def _amtool(*arguments: str) -> str:
    result = run("amtool", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_configuration_is_valid() -> None:
    """Amtool finds nothing wrong with the committed example."""
    assert "SUCCESS" in _amtool("check-config", str(CONFIG))


RECEIVERS = {
    "ExtraHeadersCredentialOverrideAttempt": "security-team",
    "ExtraHeadersBlockedSpike": "security-team",
    "ExtraHeadersMalformedSpike": "api-support",
    "ExtraHeadersRejectingCallers": "pager,api-support",
    "ExtraHeadersPolicyDrift": "platform-team",
    "ExtraHeadersTelemetryAbsent": "platform-team",
}


@pytest.mark.parametrize("alert", alerts(Tuning()), ids=lambda alert: alert.name)
def test_alert_reaches_whom_it_concerns(alert: Alert) -> None:
    """Routing follows severity and category: the pager for what breaks callers now, else the team concerned."""
    name, severity, category = alert.name, alert.severity, alert.category
    labels = (f"alertname={name}", f"severity={severity}", f"category={category}", "provider=vllm", "job=ogx")
    reached = _amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels)
    assert reached.strip() == RECEIVERS[name]


def test_messages_are_grouped_by_provider() -> None:
    """One message is about one provider of one job."""
    route = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["route"]
    assert route["group_by"] == ["category", "job", "provider"]


def test_inhibition_never_crosses_providers() -> None:
    """What silences an alert concerns the same job, and the same provider where the alert has one."""
    for rule in yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["inhibit_rules"]:
        per_provider = "TelemetryAbsent" not in rule["source_matchers"][0]
        assert rule["equal"] == (["job", "provider"] if per_provider else ["job"])
