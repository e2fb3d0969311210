"""Code, contract and documentation agree."""

from pathlib import Path
from typing import get_args

from opentelemetry.context import attach, detach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry import contract
from extra_headers.telemetry.contract import Attribute
from extra_headers.telemetry.metrics import Metrics
from extra_headers.telemetry.propagation import GuardedPropagator
from extra_headers.telemetry.reference import render
from extra_headers.telemetry.settings import TelemetrySettings
from extra_headers.telemetry.spans import decision_attributes, shadow_attributes
from tests.tracing import Tracing

_ON_SPANS = {a.name: a for a in (*contract.DECISION_ATTRIBUTES, *contract.SHADOW_ATTRIBUTES)}


def _constants(prefix: str) -> list[str]:
    return sorted(value for key, value in vars(contract).items() if key.startswith(prefix))


def _names(*groups: tuple[Attribute, ...]) -> list[str]:
    return sorted(attribute.name for group in groups for attribute in group)


def test_every_family_is_registered_as_described() -> None:
    """Name, kind, labels and help of each metric are in the registry as they are in the contract, and no others."""
    registry = CollectorRegistry()
    Metrics(registry)
    described = {m.name.removesuffix("_total"): (m.kind, m.help) for m in contract.METRICS.values()}
    registered = {family.name: (family.type, family.documentation) for family in registry.collect()}

    assert registered == described
    assert {label for metric in contract.METRICS.values() for label in metric.labels} == set(_names(contract.LABELS))


def test_every_name_is_described_once() -> None:
    """Each name that code can import is described, and nothing is described twice or without a name."""
    attributes = (contract.DECISION_ATTRIBUTES, contract.SHADOW_ATTRIBUTES, contract.AUDIT_ATTRIBUTES)

    assert _names(contract.LABELS) == _constants("LABEL_")
    assert _names(*attributes) == _constants("ATTR_")
    assert _names(contract.ENVIRONMENT) == _constants("ENV_")
    for attribute in (*contract.LABELS, *contract.ENVIRONMENT, *(a for group in attributes for a in group)):
        assert bool(attribute.members) == (attribute.kind == "enum"), attribute.name
        assert bool(attribute.members) != bool(attribute.example), attribute.name


def test_a_span_carries_the_described_attributes(tracing: Tracing) -> None:
    """A span of a request with every feature has each attribute, of the described type and from its closed set."""
    headers = {"X-A": "1", "Cookie": "s", "X-B": "\n", "X-C": "1"}
    live = evaluate(headers, Policy(on_malformed="drop", block=("x-c",)))
    shadow = evaluate(headers, Policy(on_malformed="drop", block=("x-a",)))
    identity_headers = Policy(
        set={"x-user": "${user.id}", "x-team": "${user.tenant}"}, on_missing="omit"
    ).identity_headers(User("u"))
    propagator = GuardedPropagator(TraceContextTextMapPropagator(), "auto", lambda _: False)
    context = attach(propagator.extract({"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}))
    with tracing.tracer.start_as_current_span("server"):
        emitted = {
            **decision_attributes(
                live, "p", "d", User("u", "t"), identity_headers, from_request=["x-a"], mcp_server="tools"
            ),
            **shadow_attributes(live, shadow, "d"),
        }
    detach(context)

    assert set(emitted) == set(_ON_SPANS)
    kinds = {str: ("string", "enum"), int: ("int",), bool: ("boolean",), list: ("string[]",)}
    for name, value in emitted.items():
        assert _ON_SPANS[name].kind in kinds[type(value)], name
        assert not _ON_SPANS[name].members or value in _ON_SPANS[name].members, name


def test_the_actions_are_those_of_the_policy() -> None:
    """Values of `on_blocked` and `on_malformed` are written as text in the contract, which may not import the model."""
    for label in (contract.LABEL_ON_BLOCKED, contract.LABEL_ON_MALFORMED):
        (described,) = (a for a in contract.LABELS if a.name == label)
        assert described.members == get_args(Policy.model_fields[label].annotation)


def test_the_settings_read_every_variable() -> None:
    """A described environment variable is one that is asked for, and the other way round."""
    asked: set[str] = set()

    class Environment(dict[str, str]):
        def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
            asked.add(name)
            return default

    TelemetrySettings.from_environment(Environment())

    assert sorted(asked) == _names(contract.ENVIRONMENT)


def test_the_documentation_is_generated() -> None:
    """docs/telemetry.md is what the contract says; `make docs` writes it."""
    committed = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()

    assert committed == render()
