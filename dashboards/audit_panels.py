"""Panels about who sent the headers: LogQL over the audit log, whose JSON has the names of the span attributes."""

from typing import Final

from extra_headers.forwarding.policy.decision import Outcome
from extra_headers.telemetry import contract

from .panels import Panel, PanelOptions, bars, logs
from .variables import LOG_STREAMS


def label(attribute: str) -> str:
    """Return the name that Loki's `json` parser gives to a key: it replaces what a label name cannot contain."""
    return attribute.replace(".", "_")


_USER: Final = label(contract.ATTR_USER)
_TENANT: Final = label(contract.ATTR_TENANT)
RECORDS: Final = (
    f'{{${LOG_STREAMS}}} |= "{contract.EVENT_DECISION}" | json'
    f' | {label(contract.ATTR_PROVIDER)}=~"${contract.LABEL_PROVIDER}"'
    f' | {label(contract.ATTR_OUTCOME)}!="{Outcome.CLEAN}"'
)
"""The records of requests with a blocked or malformed header, or without a required identity."""


def top_users() -> Panel:
    """Return the users with the most records."""
    return bars(
        PanelOptions(
            title="Top users",
            description=(
                f"Audit records in the time range by user and tenant ({contract.ATTR_USER}, {contract.ATTR_TENANT}), "
                f"from Loki. Without a name: nobody was authenticated, or {contract.ENV_CAPTURE_USER} is off. The "
                "audit log is rate-limited, so a flood counts for less than it was."
            ),
            unit="locale",
            empty="No audit record in this range.",
            width=8,
            height=12,
        ),
        f"topk(10, sum by ({_USER}, {_TENANT}) (count_over_time({RECORDS} [$__range])))",
        f"{{{{{_USER}}}}} {{{{{_TENANT}}}}}",
    )


def audit_log() -> Panel:
    """Return the audit records."""
    return logs(
        PanelOptions(
            title="Audit log",
            description=(
                f"One record for each request with a blocked or malformed header ({contract.EVENT_DECISION}), from "
                "Loki: provider, user, reasons and trace. Set the variable Log streams to the streams of your servers."
            ),
            unit="short",
            empty="No audit record in this range.",
            width=16,
            height=12,
        ),
        RECORDS,
    )
