"""Dashboards and alerts: linted, parsed, unit-tested with promtool, and run against a real Prometheus."""
