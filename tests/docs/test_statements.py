"""The tables of the documentation say what is so: each example is decided, each test that is named exists."""

import json
import re
from pathlib import Path

import pytest
import yaml

from benchmarks import scaling
from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.cli.app import commands
from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Evaluation, Outcome, Reason
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import decode_object
from tests.docs.pages import PAGES, ROOT, rows

_DECISIONS = ROOT / "docs" / "decisions.md"
_CARRIED = frozenset({"user-agent", "authorization", "x-region"})
"""What the page says that the outbound request of its examples carries."""

_ROWS = list(rows(_DECISIONS))
EXAMPLES = [row for row in _ROWS if "the header is" in row]
PRECEDENCES = [row for row in _ROWS if set(row) == {"sent", "policy", "reason"}]


def decided(row: dict[str, str], **changes: str) -> Evaluation:
    """Return what becomes of a row's example under its policy."""
    sent = json.dumps({"field": None}).replace("null", row["sent"].strip("`"))
    setting = row.get("policy", "default")
    policy = Policy() if setting == "default" else parse_policy(yaml.safe_load(setting.strip("`")), "the page")
    document = decode_object(sent)
    assert document is not None
    return evaluate(document["field"], policy.with_changes(**changes), _CARRIED)


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row["reason"].strip("`"))
def test_each_example_has_its_reason(row: dict[str, str]) -> None:
    """The example of a reason is decided for that reason, and so is every header of it."""
    decisions = decided(row).decisions
    assert {decision.reason.value for decision in decisions} == {row["reason"].strip("`")}
    assert {decision.kind.value for decision in decisions} == {row["the header is"]}


def test_every_reason_has_an_example() -> None:
    """Once each."""
    assert sorted(row["reason"].strip("`") for row in EXAMPLES) == sorted(Reason)


@pytest.mark.parametrize("row", PRECEDENCES, ids=lambda row: f"{row['sent']} {row['policy']}")
def test_the_first_check_decides(row: dict[str, str]) -> None:
    """Where two checks apply, the reason is that of the earlier one."""
    assert {decision.reason.value for decision in decided(row).decisions} == {row["reason"].strip("`")}


def test_precedences_are_shown() -> None:
    """The rows above are there."""
    assert len(PRECEDENCES) == 8


def test_the_order_names_every_reason() -> None:
    """In the table of checks every reason stands, those of the core blocklist as one; `allowed` is what is left."""
    named = {reason for row in _ROWS if "check" in row for reason in re.findall(r"`(\w+)`", row["reason"])}
    kinds = (DecisionKind.BLOCKED, DecisionKind.MALFORMED)
    others = {reason.value for kind in kinds for reason in REASONS[kind]}
    core = {row["reason"].strip("`") for row in EXAMPLES[1:10]}
    assert named | core == others


@pytest.mark.parametrize(
    ("headers", "settings", "outcome", "status"),
    [
        ('{"X-A": "1"}', {}, Outcome.CLEAN, None),
        ('{"Cookie": "1"}', {}, Outcome.FILTERED, None),
        ('{"X-A": 1}', {"on_malformed": "drop"}, Outcome.FILTERED, None),
        ('{"X-A": 1}', {}, Outcome.REJECTED, 400),
        ('{"Cookie": "1"}', {"on_blocked": "reject"}, Outcome.REJECTED, 403),
        ('{"Cookie": "1", "X-A": 1}', {"on_blocked": "reject"}, Outcome.REJECTED, 400),
    ],
)
def test_outcomes(headers: str, settings: dict[str, str], outcome: Outcome, status: int | None) -> None:
    """The last table of the page, row by row."""
    evaluation = decided({"sent": headers}, **settings)
    error = evaluation.rejection()
    assert (evaluation.outcome, error.status_code if error else None) == (outcome, status)


def test_the_threat_model_names_tests_that_exist() -> None:
    """Whatever is said to be defended is defended by a test of that name in that file."""
    page = ROOT / "docs" / "threat-model.md"
    cells = [row["tested by"] for row in rows(page) if "tested by" in row]
    assert len(cells) > 10
    for cell in cells:
        (path,) = re.findall(r"\((.*?)\)", cell)
        source = (page.parent / path).resolve().read_text(encoding="utf-8")
        for test in re.findall(r"`(\w+)`", cell):
            assert f"def {test}(" in source


def test_what_passes_by_default() -> None:
    """What the threat model says is not defended by default is so, and `allow` defends it."""
    name = "X-Not-Yet-Known"
    assert evaluate({name: "1"}, Policy()).outcome is Outcome.CLEAN
    assert evaluate({name: "1"}, Policy(allow=("x-tenant",))).outcome is Outcome.FILTERED


def test_upgrade_notes_name_what_the_package_declares() -> None:
    """The versions that the llama-stack extra holds back are those of the page."""
    project = Path(ROOT / "pyproject.toml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "upgrade.md").read_text(encoding="utf-8")
    for held in ("openai<3", "mcp<2"):
        assert f'"{held}"' in project
        assert f"`{held}`" in page


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    """A reader who types a command from a sentence gets no error."""
    named = set(re.findall(r"`extra-headers ([a-z]+)", page.read_text(encoding="utf-8")))
    assert named <= commands.commands.keys()


def test_the_figures_of_scaling() -> None:
    """Series and bytes of spans are counted anew: `python -m benchmarks.scaling` prints the tables."""
    table = list(rows(ROOT / "docs" / "scaling.md"))
    series = {row["a provider"]: row["series"] for row in table if "a provider" in row}
    spans = {
        row["a request with"]: (row["bytes on its span"], row["on each CLIENT span"])
        for row in table
        if "a request with" in row
    }
    assert series == {what: f"{count:,}" for what, count, *_ in scaling.of_providers(1)}
    assert spans == {what: (f"{server:,}", f"{client:,}") for what, server, client in scaling.of_requests()}
