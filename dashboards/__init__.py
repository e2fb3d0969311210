"""Grafana dashboards and Prometheus rules over the metrics of `extra_headers.telemetry`."""
