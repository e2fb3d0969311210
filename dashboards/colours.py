"""What colours mean: green passes, orange and yellow is blocked, purple and blue is malformed, red is an attack.

The names are Grafana's, so that they follow its theme.
"""

from collections.abc import Mapping
from typing import Final

from extra_headers.forwarding.policy.decision import DecisionKind, Outcome, Reason

DECISIONS: Final[Mapping[str, str]] = {
    DecisionKind.FORWARDED.value: "green",
    DecisionKind.BLOCKED.value: "orange",
    DecisionKind.MALFORMED.value: "purple",
}

OUTCOMES: Final[Mapping[str, str]] = {
    Outcome.CLEAN.value: "green",
    Outcome.FILTERED.value: "yellow",
    Outcome.REJECTED.value: "red",
}

ATTEMPTS: Final[Mapping[str, str]] = {
    Reason.CREDENTIAL.value: "red",
    Reason.OVERRIDE.value: "dark-red",
}

REASONS: Final[Mapping[str, str]] = {
    **ATTEMPTS,
    Reason.ROUTING.value: "dark-orange",
    Reason.CLIENT_IDENTITY.value: "orange",
    Reason.FRAMING.value: "light-orange",
    Reason.GATEWAY.value: "super-light-orange",
    Reason.ACCOUNT.value: "dark-yellow",
    Reason.OPERATOR.value: "yellow",
    Reason.NOT_ALLOWED.value: "light-yellow",
    Reason.SDK.value: "dark-blue",
    Reason.TRACE_CONTEXT.value: "blue",
    Reason.BROWSER.value: "light-blue",
    Reason.TYPE.value: "purple",
    Reason.NAME.value: "dark-purple",
    Reason.VALUE.value: "light-purple",
    Reason.DUPLICATE.value: "super-light-purple",
    Reason.ENVELOPE.value: "dark-blue",
    Reason.TOO_MANY.value: "blue",
    Reason.TOO_LARGE.value: "light-blue",
}
"""Reds for what would have replaced something of the server's, blues for what clients send without thinking."""
