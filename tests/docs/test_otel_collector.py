"""docs/otel-collector.md: its configuration is complete in itself, and names attributes that the add-on writes.

No Collector can be had from a package registry. What can be checked without one: every part of a pipeline is
configured and used, the attributes exist, and the patterns match what instrumentations write.
"""

import re
from typing import Any

import yaml

from extra_headers.forwarding.policy.decision import Outcome
from extra_headers.telemetry import contract
from tests.docs.pages import ROOT, blocks

_PAGE = ROOT / "docs" / "otel-collector.md"
_COMPONENTS = {
    "receivers": {"otlp", "prometheus"},
    "processors": {"memory_limiter", "redaction", "tail_sampling", "batch"},
    "exporters": {"otlp", "prometheusremotewrite"},
}
"""Types of the `contrib` distribution of the Collector."""


def _configuration() -> dict[str, Any]:
    (text,) = [block.text for block in blocks(_PAGE) if block.language == "yaml"]
    configuration: dict[str, Any] = yaml.safe_load(text)
    return configuration


def test_every_component_is_configured_and_used() -> None:
    """A pipeline with a part that is not configured keeps the Collector from starting."""
    configuration = _configuration()
    pipelines = configuration["service"]["pipelines"].values()
    for kind, types in _COMPONENTS.items():
        used = {name for pipeline in pipelines for name in pipeline[kind]}
        assert used == set(configuration[kind])
        assert {name.partition("/")[0] for name in used} == types


def test_the_sampled_outcomes_exist() -> None:
    """Traces of requests that were not clean are kept."""
    policy, _ = _configuration()["processors"]["tail_sampling"]["policies"]

    assert policy["string_attribute"]["key"] == contract.ATTR_OUTCOME
    assert set(policy["string_attribute"]["values"]) == set(Outcome) - {Outcome.CLEAN}


def test_the_redaction_matches_every_captured_header() -> None:
    """Captured headers are masked in either spelling; the add-on's own attributes stay."""
    redaction = _configuration()["processors"]["redaction"]
    (pattern,) = redaction["blocked_key_patterns"]
    prefixes = (contract.HTTP_REQUEST_HEADER_PREFIX, contract.HTTP_RESPONSE_HEADER_PREFIX)
    captured = [prefix + name for prefix in prefixes for name in ("x_tenant", "X-Tenant", "authorization")]
    own = [value for name, value in vars(contract).items() if name.startswith("ATTR_")]

    assert redaction["allow_all_keys"] is True
    assert all(re.search(pattern, key) for key in captured)
    assert not any(re.search(pattern, key) for key in own)
    assert all(key.startswith(prefixes) for key in redaction["ignored_keys"])
