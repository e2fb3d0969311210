"""Kubernetes manifests: rules and scraping for the Prometheus operator, dashboards for Grafana's sidecar."""

from collections.abc import Mapping

from .tuning import Kubernetes, duration

_LABELS = {"app.kubernetes.io/name": "extra-headers-forwarding", "app.kubernetes.io/component": "monitoring"}

type Manifest = dict[str, object]


def prometheus_rule(groups: Mapping[str, object], settings: Kubernetes) -> Manifest:
    """Return the PrometheusRule with the content of a rules file."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": _metadata("extra-headers", settings),
        "spec": dict(groups),
    }


def pod_monitor(settings: Kubernetes) -> Manifest:
    """Return the PodMonitor that has the operator's Prometheus scrape each replica of the server."""
    elsewhere = {"namespaceSelector": {"matchNames": list(settings.pod_namespaces)}} if settings.pod_namespaces else {}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": _metadata("extra-headers", settings),
        "spec": {
            **elsewhere,
            "selector": {"matchLabels": dict(settings.pod_labels)},
            "podMetricsEndpoints": [{"port": settings.port, "interval": duration(settings.scrape_interval)}],
        },
    }


def dashboard_config_map(name: str, dashboard: str, settings: Kubernetes) -> Manifest:
    """Return the ConfigMap with one dashboard; Grafana's sidecar finds it by its label.

    One dashboard each: `kubectl apply` keeps a copy of a manifest in an annotation, which can have 262,144 bytes.

    Args:
        name: the dashboard's file name.
        dashboard: its JSON.
        settings: namespace and labels.

    """
    metadata = _metadata(name.removesuffix(".json"), settings)
    metadata["labels"] = {**_LABELS, "grafana_dashboard": "1", **settings.labels}
    metadata["annotations"] = {"grafana_folder": "Extra headers"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {name: dashboard}}


def _metadata(name: str, settings: Kubernetes) -> Manifest:
    namespace = {"namespace": settings.namespace} if settings.namespace else {}
    return {"name": name, **namespace, "labels": {**_LABELS, **settings.labels}}
