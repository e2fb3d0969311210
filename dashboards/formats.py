"""What can be exported alone. In a module of its own, as the command line offers it before anything is built."""

from enum import StrEnum


class Format(StrEnum):
    """A part of what the package offers."""

    GRAFANA = "grafana"
    PROMETHEUS = "prometheus"
    ALERTMANAGER = "alertmanager"
    KUBERNETES = "kubernetes"
    ALL = "all"
