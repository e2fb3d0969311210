"""What an operator can set about telemetry: environment variables, since they are the process's and not a provider's.

Read once, when the first provider starts. A bad value is logged and ignored: telemetry fails open.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from . import contract

_log = logging.getLogger(__name__)

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
_HIGHEST_PORT = 65535
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """The telemetry settings of this process."""

    metrics_port: int | None = None
    """Port of the add-on's own metrics endpoint; None for no endpoint."""
    metrics_host: str = _LOOPBACK
    """Address that the endpoint listens on."""
    otel_metrics: bool = False
    """Whether the totals are OpenTelemetry counters, too."""
    capture_user: bool = True
    """Whether spans and audit records name the authenticated user."""
    audit_log: str | None = None
    """Where audit records go as lines of JSON: a path, or `stderr`; None for a logger."""
    audit_every_request: bool = False
    """Whether requests from which nothing was stopped have an audit record, too."""
    propagate: str = "auto"
    """What outbound calls carry of the trace context: `auto`, `none`, `traceparent` or `all`."""
    multiprocess_directory: str | None = None
    """Where several workers share their counters; None for one process."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings."""
        return cls(
            metrics_port=_port(environment),
            metrics_host=environment.get(contract.ENV_METRICS_HOST, "").strip() or _LOOPBACK,
            otel_metrics=_flag(environment, contract.ENV_OTEL_METRICS, default=False),
            capture_user=_flag(environment, contract.ENV_CAPTURE_USER, default=True),
            audit_log=environment.get(contract.ENV_AUDIT_LOG, "").strip() or None,
            audit_every_request=_choice(environment, contract.ENV_AUDIT, "stopped", "all") == "all",
            propagate=_choice(environment, contract.ENV_PROPAGATE, "auto", "none", "traceparent", "all"),
            multiprocess_directory=environment.get(contract.ENV_MULTIPROCESS_DIRECTORY) or None,
        )


def _port(environment: Mapping[str, str]) -> int | None:
    text = environment.get(contract.ENV_METRICS_PORT, "").strip()
    if not text:
        return None
    if re.fullmatch("[0-9]{1,5}", text) and 0 < int(text) <= _HIGHEST_PORT:
        return int(text)
    _log.error(
        "extra_headers: %s must be a port from 1 to %d; no metrics endpoint", contract.ENV_METRICS_PORT, _HIGHEST_PORT
    )
    return None


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name)
    if text is None:
        return default
    if text.strip().lower() in _TRUE + _FALSE:
        return text.strip().lower() in _TRUE
    _log.error("extra_headers: %s must be true or false; using %s", name, str(default).lower())
    return default


def _choice(environment: Mapping[str, str], name: str, default: str, *others: str) -> str:
    text = environment.get(name, "").strip().lower() or default
    if text in (default, *others):
        return text
    _log.error("extra_headers: %s must be %s; using %s", name, " or ".join((default, *others)), default)
    return default
