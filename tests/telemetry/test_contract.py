"""Code, registry and documentation say the same."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Outcome
from extra_headers.forwarding.policy.identity import IdentityHeaderResult, User
from extra_headers.telemetry import contract, settings
from extra_headers.telemetry.metrics import Metrics
from extra_headers.telemetry.reference import registry, render
from extra_headers.telemetry.spans import decision_attributes, shadow_attributes

_GROUPS = {group["id"]: group for group in registry()}


def _attributes(group: str) -> dict[str, dict[str, object]]:
    return {attribute["id"]: attribute for attribute in _GROUPS[group]["attributes"]}


def test_metrics_and_labels() -> None:
    """The registry lists the metrics of the code, each with its labels, and every label is described."""
    metrics = {g["metric_name"]: tuple(g["attributes"]) for g in registry() if g["type"] == "metric"}

    assert metrics == contract.LABELS
    assert {label for labels in metrics.values() for label in labels} == set(_attributes("labels.extra_headers"))


def test_the_metrics_are_of_the_registered_kind() -> None:
    """Counter, histogram or gauge: as registered, so they are made."""
    families = CollectorRegistry()
    Metrics(families)
    made = {family.name: family.type for family in families.collect()}
    registered = {g["metric_name"].removesuffix("_total"): g["instrument"] for g in registry() if g["type"] == "metric"}

    assert made == registered


def test_closed_sets() -> None:
    """The members of decision, reason and outcome are those of the code, in its order."""
    labels = _attributes("labels.extra_headers")

    assert labels["decision"]["members"] == [kind.value for kind in DecisionKind]
    assert labels["reason"]["members"] == [reason.value for reasons in REASONS.values() for reason in reasons]
    assert labels["outcome"]["members"] == [outcome.value for outcome in Outcome]
    assert labels["result"]["members"] == [result.value for result in IdentityHeaderResult]
    for label in ("decision", "reason", "outcome"):
        assert labels[f"shadow_{label}"]["members"] == labels[label]["members"]


def test_span_attributes() -> None:
    """A span with everything to say carries exactly the registered attributes, of the registered types."""
    headers = {"X-A": "1", "Cookie": "s", "X-B": "\n", "X-C": "1"}
    live = evaluate(headers, Policy(on_malformed="drop", block=("x-c",)))
    shadow = evaluate(headers, Policy(on_malformed="drop", block=("x-a",)))
    identity_headers = Policy(
        set={"x-user": "${user.id}", "x-team": "${user.tenant}"}, on_missing="omit"
    ).identity_headers(User("u"))
    emitted = {
        **decision_attributes(live, "p", "d", User("u", "t"), identity_headers),
        **shadow_attributes(live, shadow, "d"),
    }
    registered = _attributes("span.extra_headers")

    assert set(emitted) == set(registered)
    kinds = {str: ("string", "enum"), int: ("int",), list: ("string[]",)}
    assert all(registered[key]["type"] in kinds[type(value)] for key, value in emitted.items())


def test_constants_are_registered() -> None:
    """No attribute name exists in the code that the registry does not know."""
    constants = {value for key, value in vars(contract).items() if key.startswith("ATTR_")}
    known = set(_attributes("span.extra_headers")) | set(_attributes("event.extra_headers.decision"))

    assert constants == known


def test_environment_variables() -> None:
    """The registry lists the variables that the settings read."""
    variables = {value for key, value in vars(settings).items() if key.isupper() and not key.startswith("_")}

    assert variables == set(_attributes("environment.extra_headers"))


def test_the_documentation_is_generated() -> None:
    """docs/telemetry.md is what the registry says; `make docs` writes it."""
    committed = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()

    assert committed == render()
