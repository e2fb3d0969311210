"""Configurations of Grafana and Prometheus, and a compose file with everything that the dashboards need around them."""

from collections.abc import Sequence
from typing import Final

PROMETHEUS_UID: Final = "extra-headers-prometheus"
TRACES_UID: Final = "extra-headers-traces"
SCRAPE_JOB: Final = "ogx"

_DASHBOARDS_PATH = "/var/lib/grafana/dashboards/extra-headers"


def data_sources() -> dict[str, object]:
    """Return Grafana's data sources: Prometheus, whose exemplars open the trace in the second one."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": PROMETHEUS_UID,
                "type": "prometheus",
                "access": "proxy",
                "url": "http://prometheus:9090",
                "isDefault": True,
                "jsonData": {
                    # The scrape interval: $__rate_interval is at least four of it.
                    "timeInterval": "15s",
                    "exemplarTraceIdDestinations": [
                        {"name": "trace_id", "datasourceUid": TRACES_UID, "urlDisplayLabel": "Open the trace"}
                    ],
                },
            },
            {"name": "Traces", "uid": TRACES_UID, "type": "jaeger", "access": "proxy", "url": "http://traces:16686"},
        ],
    }


def dashboard_provider() -> dict[str, object]:
    """Return Grafana's dashboard provider: the folder that it loads."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "extra-headers",
                "folder": "Extra headers",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "options": {"path": _DASHBOARDS_PATH},
            }
        ],
    }


def prometheus_config(
    targets: Sequence[str], alertmanager: str, rules: str, *, interval: str = "15s"
) -> dict[str, object]:
    """Return a Prometheus configuration.

    Args:
        targets: host and port of each server that serves the add-on's metrics.
        alertmanager: host and port of the Alertmanager.
        rules: path of the rules file, as Prometheus sees it.
        interval: how often to scrape and to evaluate the rules.

    """
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": SCRAPE_JOB, "static_configs": [{"targets": list(targets)}]}],
    }


def compose_file() -> dict[str, object]:
    """Return a compose file for an OGX server on the host: it is scraped at port 9464 and sends traces to 4318."""
    on_host = ["host.docker.internal:host-gateway"]
    return {
        "name": "extra-headers",
        "services": {
            "prometheus": {
                "image": "prom/prometheus:v3.5.0",
                "command": [
                    "--config.file=/etc/prometheus/prometheus.yml",
                    # Exemplars carry the trace of a blocked or malformed header.
                    "--enable-feature=exemplar-storage",
                ],
                "volumes": ["./prometheus:/etc/prometheus:ro"],
                "extra_hosts": on_host,
                "ports": ["127.0.0.1:9090:9090"],
            },
            "alertmanager": {
                "image": "prom/alertmanager:v0.28.1",
                "command": ["--config.file=/etc/alertmanager/alertmanager.yaml"],
                "volumes": ["./alertmanager:/etc/alertmanager:ro"],
                "ports": ["127.0.0.1:9093:9093"],
            },
            "grafana": {
                "image": "grafana/grafana:12.1.0",
                "volumes": [
                    "./grafana/provisioning:/etc/grafana/provisioning:ro",
                    f"./grafana/dashboards:{_DASHBOARDS_PATH}:ro",
                ],
                "ports": ["127.0.0.1:3000:3000"],
            },
            "traces": {
                "image": "jaegertracing/jaeger:2.6.0",
                "ports": ["127.0.0.1:4318:4318", "127.0.0.1:16686:16686"],
            },
        },
    }
