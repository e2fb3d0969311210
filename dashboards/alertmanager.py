"""An example Alertmanager configuration: who hears what, grouped by provider, and what silences what."""

from extra_headers.telemetry import contract

from . import alert
from .tuning import AlertName, Severity, Tuning

PAGER, SECURITY, CALLERS, OPERATIONS = "pager", "security-team", "api-support", "platform-team"


def alertmanager_config(tuning: Tuning, *, group_wait: str = "30s", group_interval: str = "5m") -> dict[str, object]:
    """Return the configuration.

    Args:
        tuning: its webhooks, and the labels that distinguish servers.
        group_wait: how long to wait for further alerts on a provider before the first message.
        group_interval: how long to wait before a message on a change within a group.

    """
    server = list(tuning.group_by)
    provider = [*server, contract.LABEL_PROVIDER]
    return {
        "route": {
            "receiver": OPERATIONS,
            "group_by": ["category", *provider],
            "group_wait": group_wait,
            "group_interval": group_interval,
            "repeat_interval": "12h",
            "routes": [
                # First to a person's pager, and on to the team whose matter it is.
                {"matchers": [f'severity="{Severity.CRITICAL}"'], "receiver": PAGER, "continue": True},
                {"matchers": [f'category="{alert.SECURITY}"'], "receiver": SECURITY},
                {"matchers": [f'category="{alert.CALLERS}"'], "receiver": CALLERS},
            ],
        },
        "inhibit_rules": [
            # The more urgent of two alerts on the same rejections.
            _inhibit(AlertName.REJECTING_CALLERS, AlertName.REJECTING_SOME_CALLERS, provider),
            # Rejected callers feel it; the runbook says why their headers are refused.
            _inhibit(AlertName.REJECTING_CALLERS, AlertName.MALFORMED_SPIKE, provider),
            # Replicas that report nothing cannot be compared.
            _inhibit(AlertName.TELEMETRY_ABSENT, AlertName.POLICY_DRIFT, server),
        ],
        "receivers": [_receiver(name, tuning.receiver_url) for name in (PAGER, SECURITY, CALLERS, OPERATIONS)],
    }


def _inhibit(source: AlertName, target: AlertName, equal: list[str]) -> dict[str, object]:
    return {
        "source_matchers": [f'alertname="{source}"'],
        "target_matchers": [f'alertname="{target}"'],
        "equal": equal,
    }


def _receiver(name: str, base_url: str) -> dict[str, object]:
    return {
        "name": name,
        "webhook_configs": [{"url": f"{base_url.rstrip('/')}/{name}", "send_resolved": True}],
    }
