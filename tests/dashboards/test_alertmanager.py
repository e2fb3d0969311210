"""The Alertmanager example, checked by amtool: it is valid, and alerts reach the team that they concern."""

import yaml

from extra_headers.dashboards.alerts import alerts
from extra_headers.dashboards.generate import GENERATED
from extra_headers.dashboards.tuning import AlertName, Tuning
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
    AlertName.CREDENTIAL_OVERRIDE_ATTEMPT: "security-team",
    AlertName.ENUMERATION: "security-team",
    AlertName.BLOCKED_SPIKE: "security-team",
    AlertName.MALFORMED_SPIKE: "api-support",
    AlertName.REJECTING_CALLERS: "pager,api-support",
    AlertName.REJECTING_SOME_CALLERS: "api-support",
    AlertName.IDENTITY_MISSING: "api-support",
    AlertName.UNREAD_FIELDS: "api-support",
    AlertName.POLICY_DRIFT: "platform-team",
    AlertName.TELEMETRY_ABSENT: "platform-team",
}


def test_alerts_reach_whom_they_concern() -> None:
    """Routing follows severity and category: the pager for what breaks callers now, else the team concerned."""
    reached = {}
    for alert in alerts(Tuning()):
        labels = {"alertname": alert.name, "severity": alert.severity, "category": alert.category, "provider": "vllm"}
        pairs = [f"{name}={value}" for name, value in labels.items()]
        reached[alert.name] = _amtool("config", "routes", "test", f"--config.file={CONFIG}", *pairs).strip()
    assert reached == RECEIVERS


def test_messages_are_grouped_by_provider() -> None:
    """One message is about one provider of one server."""
    route = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["route"]
    assert route["group_by"] == ["category", "cluster", "namespace", "job", "provider"]


def test_inhibition_never_crosses_providers() -> None:
    """What silences an alert concerns the same server, and the same provider where the alert has one."""
    server = ["cluster", "namespace", "job"]
    for rule in yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["inhibit_rules"]:
        per_provider = "TelemetryAbsent" not in rule["source_matchers"][0]
        assert rule["equal"] == ([*server, "provider"] if per_provider else server)
