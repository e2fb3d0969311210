"""Kubernetes manifests: the rules for the Prometheus operator, the dashboards for Grafana's sidecar."""

from collections.abc import Mapping

_LABELS = {"app.kubernetes.io/name": "extra-headers-forwarding", "app.kubernetes.io/component": "monitoring"}


def prometheus_rule(groups: Mapping[str, object]) -> dict[str, object]:
    """Return the PrometheusRule with the content of a rules file."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "extra-headers", "labels": _LABELS},
        "spec": dict(groups),
    }


def dashboard_config_map(dashboards: Mapping[str, str]) -> dict[str, object]:
    """Return the ConfigMap with dashboards by file name; Grafana's sidecar finds it by its label."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "extra-headers-dashboards",
            "labels": {**_LABELS, "grafana_dashboard": "1"},
            "annotations": {"grafana_folder": "Extra headers"},
        },
        "data": dict(dashboards),
    }
