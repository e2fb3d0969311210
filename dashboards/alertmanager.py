"""An example Alertmanager configuration: who hears what, grouped by provider, and what silences what."""

from typing import Final

from extra_headers.telemetry import contract

from . import alerts
from .promql import JOB

DEFAULT_RECEIVER_URL: Final = "http://127.0.0.1:9095"
"""Where the example's webhooks go until they are replaced: each receiver has a path of its own."""

PAGER, SECURITY, CALLERS, OPERATIONS = "pager", "security-team", "api-support", "platform-team"

_SAME_PROVIDER = [JOB, contract.LABEL_PROVIDER]


def alertmanager_config(
    receiver_url: str = DEFAULT_RECEIVER_URL, *, group_wait: str = "30s", group_interval: str = "5m"
) -> dict[str, object]:
    """Return the configuration.

    Args:
        receiver_url: base URL of the webhooks.
        group_wait: how long to wait for further alerts on a provider before the first message.
        group_interval: how long to wait before a message on a change within a group.

    """
    return {
        "route": {
            "receiver": OPERATIONS,
            "group_by": ["category", *_SAME_PROVIDER],
            "group_wait": group_wait,
            "group_interval": group_interval,
            "repeat_interval": "12h",
            "routes": [
                # First to a person's pager, and on to the team whose matter it is.
                {"matchers": [f'severity="{alerts.CRITICAL}"'], "receiver": PAGER, "continue": True},
                {"matchers": [f'category="{alerts.SECURITY}"'], "receiver": SECURITY},
                {"matchers": [f'category="{alerts.CALLERS}"'], "receiver": CALLERS},
            ],
        },
        "inhibit_rules": [
            # Attempts on credentials are blocked headers: the spike adds nothing to the more precise alert.
            _inhibit([alerts.CREDENTIAL_OVERRIDE_ATTEMPT], [alerts.BLOCKED_SPIKE], _SAME_PROVIDER),
            # Rejected callers feel it; why their headers are refused stands on the same runbook.
            _inhibit([alerts.REJECTING_CALLERS], [alerts.MALFORMED_SPIKE], _SAME_PROVIDER),
            # Replicas that report nothing cannot be compared.
            _inhibit([alerts.TELEMETRY_ABSENT], [alerts.POLICY_DRIFT], [JOB]),
        ],
        "receivers": [_receiver(name, receiver_url) for name in (PAGER, SECURITY, CALLERS, OPERATIONS)],
    }


def _inhibit(sources: list[str], targets: list[str], equal: list[str]) -> dict[str, object]:
    return {
        "source_matchers": [f'alertname=~"{"|".join(sources)}"'],
        "target_matchers": [f'alertname=~"{"|".join(targets)}"'],
        "equal": equal,
    }


def _receiver(name: str, base_url: str) -> dict[str, object]:
    return {
        "name": name,
        "webhook_configs": [{"url": f"{base_url.rstrip('/')}/{name}", "send_resolved": True}],
    }
