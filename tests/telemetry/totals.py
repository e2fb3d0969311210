"""Counters of a registry, as the tests compare them."""

from prometheus_client import CollectorRegistry

from extra_headers.telemetry import contract


def totals(registry: CollectorRegistry, metric: str) -> dict[tuple[str, ...], float]:
    """Return the value of each series of a metric, by its label values in the order of the contract."""
    return {
        tuple(sample.labels[label] for label in contract.METRICS[metric].labels): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == metric
    }
