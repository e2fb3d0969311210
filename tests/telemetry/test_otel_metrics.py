"""The totals as OpenTelemetry counters: equal to Prometheus's, and never beside them."""

import json
import os
import subprocess
import sys
from typing import Any

_SETUP = """
import json
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import REGISTRY, generate_latest

reader = InMemoryMetricReader()
readers = [reader]
if BESIDE_PROMETHEUS:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    readers.append(PrometheusMetricReader())
metrics.set_meter_provider(MeterProvider(metric_readers=readers))

from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder

recorder = Recorder(ProviderLabels("vllm", "remote::vllm", "d", "drop", "drop"))
for _ in range(3):
    recorder.record(evaluate({"X-A": "1", "Cookie": "s"}, Policy()), 1e-6, "http://127.0.0.1/")

data = reader.get_metrics_data()
otel = {}
for resource in data.resource_metrics if data else []:
    for scope in resource.scope_metrics:
        for metric in scope.metrics:
            for point in metric.data.data_points:
                if point.value:
                    otel[metric.name + "|" + "|".join(sorted(point.attributes.values()))] = point.value
exposition = generate_latest(REGISTRY).decode()
print(json.dumps({"otel": otel, "exposition": exposition}))
"""


def _run(*, beside_prometheus: bool, opted_in: bool = True) -> dict[str, Any]:
    code = _SETUP.replace("BESIDE_PROMETHEUS", str(beside_prometheus))
    environment = {**os.environ, "PYTHONPATH": "", "EXTRA_HEADERS_OTEL_METRICS": str(opted_in)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return {**json.loads(done.stdout), "stderr": done.stderr}


def test_the_same_totals() -> None:
    """Each counter has its twin, with the same labels and the same total."""
    result = _run(beside_prometheus=False)

    assert result["otel"] == {
        "extra_headers.decisions|allowed|forwarded|vllm": 3,
        "extra_headers.decisions|blocked|credential|vllm": 3,
        "extra_headers.blocked_names|cookie|credential|vllm": 3,
        "extra_headers.requests|filtered|vllm": 3,
    }


def test_not_unless_opted_into() -> None:
    """By default there are no OpenTelemetry counters."""
    assert _run(beside_prometheus=False, opted_in=False)["otel"] == {}


def test_never_both_on_one_endpoint() -> None:
    """Where OpenTelemetry feeds the Prometheus endpoint, the setting is refused with a reason, and no total doubles."""
    result = _run(beside_prometheus=True)

    assert result["otel"] == {}
    assert "EXTRA_HEADERS_OTEL_METRICS is ignored" in result["stderr"]
    total = 'extra_headers_decisions_total{decision="blocked",provider="vllm",reason="credential"} 3.0'
    assert result["exposition"].count(total) == 1
    assert result["exposition"].count("# TYPE extra_headers_decisions_total counter") == 1
