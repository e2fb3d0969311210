"""The Prometheus totals as OpenTelemetry counters, for those who export over OTLP only. Opted into.

They are read from the Prometheus counters when they are collected, so that the two can never differ. They are not
created where an OpenTelemetry reader feeds the Prometheus endpoint: every series would appear there twice.
"""

import logging
from collections.abc import Callable, Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from prometheus_client import REGISTRY, Counter

from . import contract
from .metrics import Metrics

_log = logging.getLogger(__name__)
_PROMETHEUS_EXPORTER = "opentelemetry.exporter.prometheus"


def create_otel_counters(families: Metrics) -> None:
    """Create an observable counter for each Prometheus counter."""
    if _feeds_prometheus():
        _log.warning(
            "extra_headers: %s is ignored, because the Prometheus endpoint of this process also serves OpenTelemetry "
            "metrics and would show each total twice",
            contract.ENV_OTEL_METRICS,
        )
        return
    meter = metrics.get_meter(contract.NAMESPACE)
    for name, family in families.counters.items():
        metric = contract.METRICS[name]
        meter.create_observable_counter(metric.otlp_name or name, [_reader(family)], metric.unit, metric.help)


def _reader(family: Counter) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read_totals(_: CallbackOptions) -> Iterable[Observation]:
        for described in family.collect():
            for sample in described.samples:
                if sample.name.endswith("_total"):
                    yield Observation(sample.value, dict(sample.labels))

    return read_totals


def _feeds_prometheus() -> bool:
    collectors = list(REGISTRY._collector_to_names)  # noqa: SLF001 - there is no public list
    return any(type(collector).__module__.startswith(_PROMETHEUS_EXPORTER) for collector in collectors)
