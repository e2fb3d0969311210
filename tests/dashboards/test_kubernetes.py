"""The Kubernetes manifests agree with the schemas of the Prometheus operator's custom resources, and can be applied."""

import importlib
import json
import sys
from types import ModuleType

import pytest
import yaml
from pydantic import BaseModel

from extra_headers.dashboards.export import build, committed_dashboards
from extra_headers.dashboards.tuning import Tuning
from tests.dashboards.documents import Json

TUNING = Tuning.model_validate(
    {"kubernetes": {"namespace": "monitoring", "labels": {"release": "prometheus"}, "pod_namespaces": ["genai"]}}
)


def _manifests(tuning: Tuning) -> dict[str, Json]:
    files = build(committed_dashboards(), tuning)
    return {path: yaml.load(text, yaml.CSafeLoader) for path, text in files.items() if path.startswith("kubernetes/")}


def test_custom_resources_agree_with_their_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's types accept every field, and know it: what they do not know would be dropped without a word."""
    # Imported here, because it takes seconds and only the worker that runs this needs it; without the other version.
    package = "cloudcoil.models.prometheus_operator"
    monkeypatch.setitem(sys.modules, f"{package}.v1alpha1", ModuleType("not needed"))
    operator = importlib.import_module(f"{package}.v1")
    models: dict[str, type[BaseModel]] = {kind: getattr(operator, kind) for kind in ("PrometheusRule", "PodMonitor")}
    checked = set()
    for tuning in (Tuning(), TUNING):
        for manifest in _manifests(tuning).values():
            if model := models.get(manifest["kind"]):
                known = model.model_validate(manifest).model_dump(mode="json", by_alias=True, exclude_none=True)
                assert known == manifest
                checked.add(manifest["kind"])
    assert checked == set(models)


def test_every_manifest_has_namespace_and_labels() -> None:
    """What a Prometheus or an admission policy selects by is on each manifest."""
    for path, manifest in _manifests(TUNING).items():
        assert manifest["metadata"]["namespace"] == "monitoring", path
        assert manifest["metadata"]["labels"]["release"] == "prometheus", path
    monitor = _manifests(TUNING)["kubernetes/pod-monitor.yaml"]
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["genai"]}
    assert "namespace" not in _manifests(Tuning())["kubernetes/pod-monitor.yaml"]["metadata"]


def test_rules_are_those_of_the_file() -> None:
    """The PrometheusRule has exactly the rules of the file that promtool checks."""
    files = build({}, TUNING)
    manifest = yaml.safe_load(files["kubernetes/prometheus-rule.yaml"])
    assert manifest["spec"] == yaml.safe_load(files["prometheus/rules.yaml"])


def test_dashboards_are_found_by_the_sidecar_and_fit_the_annotation() -> None:
    """Each dashboard has its ConfigMap, of which `kubectl apply` can keep a copy: at most 262,144 bytes."""
    maps = [manifest for manifest in _manifests(TUNING).values() if manifest["kind"] == "ConfigMap"]
    data: dict[str, str] = {}
    for manifest in maps:
        assert manifest["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert len(json.dumps(manifest)) < 262_144 * 0.8
        data |= manifest["data"]
    assert data == committed_dashboards()
    assert len({manifest["metadata"]["name"] for manifest in maps}) == len(data)
