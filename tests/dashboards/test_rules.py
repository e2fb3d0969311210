"""The Prometheus rules, checked and unit-tested by promtool; each alert in every case that it must get right."""

import subprocess
from pathlib import Path

import pytest
import yaml

from extra_headers.dashboards.alerts import alerts, rule_groups
from extra_headers.dashboards.export import Options, build
from extra_headers.dashboards.generate import GENERATED
from extra_headers.dashboards.tuning import Tuning, duration
from tests.dashboards.documents import Json
from tests.dashboards.programs import run
from tests.dashboards.test_contract import RULED, SCRAPED, findings

RULES = GENERATED / "prometheus" / "rules.yaml"
CASES = Path(__file__).parent / "rules"
REQUIRED_CASES = (
    "fires",
    "below the floor",
    "steady high baseline",
    "counter reset",
    "missing series",
    "fresh deployment",
    "one provider's spike",
    "resolves",
)
ALERTS = {alert.name: alert for alert in alerts(Tuning())}


def _promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("promtool", *arguments)


def test_rules_are_valid() -> None:
    """Promtool finds nothing wrong with the committed rules."""
    result = _promtool("check", "rules", RULES)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_rules_behave(path: Path) -> None:
    """Promtool's unit tests of an alert or a recorded series pass."""
    result = _promtool("test", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_every_case_is_tested(name: str) -> None:
    """Each alert has a unit test of every case that makes alerts wrong."""
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))["tests"]
    kinds = {case["name"].partition(":")[0] for case in cases}
    assert kinds == set(REQUIRED_CASES)


@pytest.mark.parametrize("name", ALERTS)
def test_unit_tests_notice_a_dead_alert(name: str, tmp_path: Path) -> None:
    """The unit tests of an alert fail when its condition can never hold: they are not empty."""
    dead = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    rule = next(rule for rule in dead["groups"][0]["rules"] if rule.get("alert") == name)
    rule["expr"] = f"({rule['expr']}) and vector(0) > 1"
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(dead), encoding="utf-8")
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))
    firing = [case for case in cases["tests"] if case["name"].startswith("fires")][-1:]
    cases |= {"rule_files": ["rules.yaml"], "tests": firing}
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases), encoding="utf-8")
    assert _promtool("test", "rules", tmp_path / "cases.yaml").returncode == 1


def test_alerts_are_the_promised_ones() -> None:
    """The six alerts exist under their names, each with what routing and people need."""
    rules = [rule for rule in _rules() if "alert" in rule]
    assert {rule["alert"] for rule in rules} == {
        "ExtraHeadersBlockedSpike",
        "ExtraHeadersCredentialOverrideAttempt",
        "ExtraHeadersMalformedSpike",
        "ExtraHeadersRejectingCallers",
        "ExtraHeadersPolicyDrift",
        "ExtraHeadersTelemetryAbsent",
    }
    for rule in rules:
        assert set(rule["labels"]) == {"severity", "category"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert {"for", "keep_firing_for"} <= rule.keys()


def _rules() -> list[Json]:
    rules: list[Json] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    return rules


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_a_runbook(name: str) -> None:
    """The page that an alert links to exists, and answers what the person who was woken up asks."""
    page = Path(__file__).parents[2] / "docs" / "runbooks" / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "What it means",
        "First three queries",
        "Attack or misconfiguration?",
        "What to change",
    ]
    assert text.count("```promql") == 3


def test_runbook_queries_are_valid(tmp_path: Path) -> None:
    """Every query in the runbooks is PromQL that Prometheus's own parser takes, on metrics that exist."""
    folder = Path(__file__).parents[2] / "docs" / "runbooks"
    queries = [
        block.partition("```")[0].strip()
        for page in sorted(folder.glob("*.md"))
        for block in page.read_text(encoding="utf-8").split("```promql\n")[1:]
    ]
    assert len(queries) == 3 * len(ALERTS)
    assert [finding for query in queries for finding in findings(query, {**SCRAPED, **RULED, "up": set()})] == []
    rules = [{"record": f"query{i}", "expr": query} for i, query in enumerate(queries)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}), encoding="utf-8")
    result = _promtool("check", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_runbook_base_is_an_option() -> None:
    """A user can point the alerts to where the runbooks stand."""
    text = build({}, Options(runbooks="https://wiki.example/runbooks/"))["prometheus/rules.yaml"]
    assert "runbook_url: https://wiki.example/runbooks/ExtraHeadersPolicyDrift.md" in text


def test_shortened_rules_are_valid(tmp_path: Path) -> None:
    """Rules with other windows and thresholds are as valid as the committed ones."""
    tuning = Tuning(window=7, baseline=90, floor=3, for_=1, keep_firing_for=2)
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rule_groups(tuning)), encoding="utf-8")
    result = _promtool("check", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_kubernetes_rules_are_the_same_rules(tmp_path: Path) -> None:
    """The PrometheusRule holds exactly the rules of the file, which Prometheus accepts."""
    manifest = yaml.safe_load((GENERATED / "kubernetes" / "prometheus-rule.yaml").read_text(encoding="utf-8"))
    assert manifest["kind"] == "PrometheusRule"
    assert manifest["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(manifest["spec"]), encoding="utf-8")
    assert _promtool("check", "rules", tmp_path / "spec.yaml").returncode == 0


@pytest.mark.parametrize(("seconds", "text"), [(86400, "1d"), (3600, "1h"), (600, "10m"), (90, "90s"), (0, "0s")])
def test_durations_are_written_as_prometheus_reads_them(seconds: int, text: str) -> None:
    """Seconds become the largest unit that divides them."""
    assert duration(seconds) == text
