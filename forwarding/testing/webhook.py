"""A webhook on loopback that receives Alertmanager's messages, as a team's chat or ticket system would."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .loopback import LoopbackServer, Posted


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert in one message."""

    receiver: str
    """The receiver that Alertmanager's routes chose."""
    status: str
    """`firing` or `resolved`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: str
    """When the alert started to fire, as RFC 3339."""

    @property
    def alert(self) -> str:
        """The alert's name."""
        return self.labels["alertname"]


class Webhook(LoopbackServer):
    """Receives Alertmanager's messages while the `with` block runs. Its `url` is the base URL of every receiver."""

    def __init__(self) -> None:
        super().__init__(self._receive)
        self.messages: list[Mapping[str, Any]] = []
        """The messages so far, in order of arrival."""

    def _receive(self, message: Posted) -> tuple[int, bytes]:
        self.messages.append(json.loads(message.body))
        return 200, b""

    def notifications(self, alert: str) -> list[Notification]:
        """Return the notifications about an alert so far, in order of arrival."""
        notifications = [
            Notification(
                message["receiver"], each["status"], each["labels"], each["annotations"], starts_at=each["startsAt"]
            )
            for message in list(self.messages)
            for each in message["alerts"]
        ]
        return [notification for notification in notifications if notification.alert == alert]
