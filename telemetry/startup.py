"""What a server logs when it starts: where its metrics are, and a warning if no scraper can reach them."""

import ipaddress
import logging
import os
import sys
from collections.abc import Container, Mapping

from . import contract
from .settings import TelemetrySettings

_log = logging.getLogger(__name__)

# OGX 1.5 reads these for the endpoint that it starts; llama-stack has none.
_OGX_ENABLED, _OGX_HOST, _OGX_PORT = "OGX_METRICS_ENDPOINT_ENABLED", "OGX_METRICS_HOST", "OGX_METRICS_PORT"
_OGX_TRUE = ("1", "true", "yes", "on")
_OGX_DEFAULT_PORT = "9464"
_LOOPBACK = "127.0.0.1"


def log_metrics_location(
    settings: TelemetrySettings,
    environment: Mapping[str, str] = os.environ,
    modules: Container[str] = sys.modules,
) -> None:
    """Log where the metrics of this process are.

    Args:
        settings: of the telemetry.
        environment: of the process.
        modules: names of the modules that are loaded; they identify the host.

    """
    if settings.metrics_port is not None:
        _log_endpoint(settings.metrics_host, str(settings.metrics_port), contract.ENV_METRICS_HOST)
    elif "ogx.telemetry" in modules and environment.get(_OGX_ENABLED, "").strip().lower() in _OGX_TRUE:
        host = environment.get(_OGX_HOST, "").strip() or _LOOPBACK
        _log_endpoint(host, environment.get(_OGX_PORT, "").strip() or _OGX_DEFAULT_PORT, _OGX_HOST)
    elif "ogx.telemetry" in modules:
        _log.warning(
            "extra_headers: no endpoint serves metrics; set %s=1, or %s to a port",
            _OGX_ENABLED,
            contract.ENV_METRICS_PORT,
        )
    elif "llama_stack" in modules:
        _log.warning("extra_headers: no endpoint serves metrics; set %s to a port", contract.ENV_METRICS_PORT)
    else:
        _log.info(
            "extra_headers: metrics are in prometheus-client's default registry; if this process does not serve it, "
            "set %s to a port",
            contract.ENV_METRICS_PORT,
        )


def _log_endpoint(host: str, port: str, variable: str) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
    if _is_loopback(host):
        _log.warning("extra_headers: metrics on %s, for scrapers on this machine only; %s opens them", url, variable)
    else:
        _log.info("extra_headers: metrics on %s", url)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
