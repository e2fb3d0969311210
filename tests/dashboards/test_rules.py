"""The Prometheus rules, checked by promtool: every harm fires its alerts and no other, no ordinary day fires any."""

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from pathlib import Path

import pytest
import yaml

from extra_headers.dashboards.alerts import alerts, rule_groups
from extra_headers.dashboards.generate import GENERATED
from extra_headers.dashboards.tuning import DEFAULT_RUNBOOKS, AlertName, Tuning, duration
from tests.dashboards.days import Day, vllm
from tests.dashboards.documents import Json
from tests.dashboards.harms import harms, ordinary_days, table
from tests.dashboards.programs import run
from tests.dashboards.test_contract import RULED, SCRAPED, findings

RULES = GENERATED / "prometheus" / "rules.yaml"
ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "dashboards" / "runbooks"
ORDINARY = (
    "deploy",
    "canary",
    "restart",
    "new provider",
    "nightly batch",
    "scale to zero",
    "low traffic",
    "two namespaces",
)

_FIRING = 'ALERTS{alertstate="firing"}'


def _promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("promtool", *arguments)


def _case(day: Day) -> Json:
    """Return promtool's test of a day."""
    checks = [
        (step, f"group by (alertname, provider, namespace) ({_FIRING})", fired) for step, fired in day.firing.items()
    ]
    if not checks:
        window = f"{(day.steps - day.quiet_from) * day.minutes}m"
        checks = [(day.steps, f"group by (alertname) (count_over_time({_FIRING}[{window}]))", set())]
    return {
        "name": day.title,
        "interval": f"{day.minutes}m",
        "input_series": [{"series": series, "values": values} for series, values in day.series.items()],
        "promql_expr_test": [
            {
                "expr": expr,
                "eval_time": f"{step * day.minutes}m",
                "exp_samples": [{"labels": _labels(*each), "value": 1} for each in sorted(fired)],
            }
            for step, expr, fired in checks
        ],
    }


def _labels(alert: str, provider: str, namespace: str) -> str:
    named = {"alertname": alert, "provider": provider, "namespace": namespace}
    return "{" + ", ".join(f'{name}="{value}"' for name, value in named.items() if value) + "}"


def _play(folder: Path, days: Sequence[Day], rules: Path = RULES) -> str:
    """Return what promtool found wrong with days of one resolution."""
    minutes = 2 * days[0].minutes
    path = folder / f"{abs(hash(days[0].title))}.yaml"
    content = {"rule_files": [str(rules)], "evaluation_interval": f"{minutes}m", "tests": [_case(day) for day in days]}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    result = _promtool("test", "rules", path)
    return "" if result.returncode == 0 else result.stdout + result.stderr


def _batches() -> Iterator[tuple[Day, ...]]:
    days = [*harms(), *ordinary_days()]
    yield from batched([day for day in days if day.minutes == 5], 1)
    yield from batched([day for day in days if day.minutes == 1], 6)


def test_harms_fire_and_ordinary_days_do_not(tmp_path: Path) -> None:
    """Each harm fires exactly its alerts, which end after it, and an ordinary day fires none."""
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda days: _play(tmp_path, days), _batches()))
    assert [text for text in found if text] == []


def test_every_alert_has_a_harm_and_every_day_is_played() -> None:
    """No alert is left out, and neither is one of the days that make alerts wrong."""
    fired = {name for day in harms() for firing in day.firing.values() for name, _, _ in firing}
    assert fired == set(AlertName)
    assert {day.title.partition(":")[0] for day in ordinary_days()} >= set(ORDINARY)


def test_the_table_of_harms_is_documented() -> None:
    """docs/alerting.md has the table as the tests play it."""
    assert table() in (ROOT / "docs" / "alerting.md").read_text(encoding="utf-8")


def test_a_dead_alert_is_noticed(tmp_path: Path) -> None:
    """A day whose alert cannot fire is a failure: the days are not empty."""
    dead = yaml.safe_load(RULES.read_text(encoding="utf-8").replace("count by", "0 * count by"))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(dead), encoding="utf-8")
    day = next(day for day in harms() if AlertName.POLICY_DRIFT in str(day.firing))
    assert "got: nil" in _play(tmp_path, [day], tmp_path / "rules.yaml")


def test_other_values_change_what_fires(tmp_path: Path) -> None:
    """Labels that distinguish servers, matchers and thresholds of a values file are applied."""
    tuning = Tuning(group_by=("namespace", "job", "track"), matchers=('namespace="prod"',), drift_for=600, floor=200)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule_groups(tuning)), encoding="utf-8")

    canary = Day("a canary that lasts, with another label")
    canary.replica("c", policy="ccc", track="canary")
    elsewhere = next(harms())
    elsewhere.title, elsewhere.firing = "another namespace, which the matchers leave out", {}
    elsewhere.series = {series.replace("prod", "other"): values for series, values in elsewhere.series.items()}
    elsewhere.replica("a")
    drift = next(day for day in harms() if AlertName.POLICY_DRIFT in str(day.firing))
    drift.firing = {75: vllm(AlertName.POLICY_DRIFT)}
    assert _play(tmp_path, [canary, elsewhere, drift], tmp_path / "rules.yaml") == ""


def test_a_server_that_never_scales_to_zero_is_absent_at_once(tmp_path: Path) -> None:
    """With `scale_to_zero: false`, no targets are as bad as targets without metrics."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule_groups(Tuning(scale_to_zero=False))), encoding="utf-8")
    gone = Day("every target is gone", firing={60: set(), 80: {(AlertName.TELEMETRY_ABSENT, "", "prod")}}, steps=90)
    for instance in ("a", "b"):
        gone.replica(instance, life="60 -31")
    assert _play(tmp_path, [gone], tmp_path / "rules.yaml") == ""


_MESSAGES: dict[AlertName, tuple[str, str]] = {
    AlertName.CREDENTIAL_OVERRIDE_ATTEMPT: (
        (
            "On {vllm}, 1 headers were blocked in the last 10m with reason credential. None was forwarded. Find the "
            "caller in the audit log or in the traces."
        ),
        "warning",
    ),
    AlertName.REJECTING_CALLERS: (
        (
            "On {vllm}, 100% of the requests are answered with 400 or 403 because of extra headers or a missing "
            "identity. Callers that used to work are probably broken by the policy."
        ),
        "critical",
    ),
    AlertName.TELEMETRY_ABSENT: (
        (
            "On {vllm}, extra_headers_policy_info is no longer reported: the add-on is switched off for it, or it was "
            "removed. The other alerts cannot fire."
        ),
        "warning",
    ),
}


def test_messages_have_the_measured_value(tmp_path: Path) -> None:
    """What reaches a person names provider, job and namespace, the measured value, and the page to read."""
    cases = []
    for name, (description, severity) in _MESSAGES.items():
        day, step = next(
            (day, step) for day in harms() for step, firing in day.firing.items() if (name, "vllm", "prod") in firing
        )
        alert = next(alert for alert in alerts(Tuning()) if alert.name is name)
        labels = {
            "job": "ogx",
            "namespace": "prod",
            "provider": "vllm",
            "severity": severity,
            "category": alert.category,
        }
        if name is AlertName.CREDENTIAL_OVERRIDE_ATTEMPT:
            labels |= {"decision": "blocked", "reason": "credential"}
        annotations = {
            "summary": alert.summary,
            "description": description.format(vllm="provider vllm of job ogx in namespace prod"),
            "runbook_url": f"{DEFAULT_RUNBOOKS}/{name}.md",
        }
        expected = {"exp_labels": labels, "exp_annotations": annotations}
        check = {"alertname": name.value, "eval_time": f"{step}m", "exp_alerts": [expected]}
        cases.append({**_case(day), "promql_expr_test": [], "alert_rule_test": [check]})
    content = {"rule_files": [str(RULES)], "evaluation_interval": "2m", "tests": cases}
    (tmp_path / "messages.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    result = _promtool("test", "rules", tmp_path / "messages.yaml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_first_event_of_a_blocked_name_is_recorded() -> None:
    """`increase()` sees the first event of a name, and neither an outage nor a restart counts one twice."""
    result = _promtool("test", "rules", Path(__file__).parent / "rules" / "blocked_names_from_zero.yaml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_rules_have_what_routing_and_people_need() -> None:
    """Every alert has severity, category, texts and an absolute link to its runbook."""
    rules: list[Json] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    alerting = [rule for rule in rules if "alert" in rule]
    assert {rule["alert"] for rule in alerting} == set(AlertName)
    for rule in alerting:
        assert set(rule["labels"]) == {"severity", "category"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert "{{" not in rule["annotations"]["summary"]
        assert rule["annotations"]["runbook_url"].startswith("https://")


def test_every_alert_has_a_runbook(tmp_path: Path) -> None:
    """The page that an alert links to answers what a woken person asks, with queries that Prometheus accepts."""
    queries = []
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(AlertName)
    for name in AlertName:
        text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert headings == [
            f"# {name}",
            "## What it means",
            "## First three queries",
            "## Attack or misconfiguration?",
            "## What to change",
        ], name
        found = [block.partition("```")[0].strip() for block in text.split("```promql\n")[1:]]
        assert len(found) == 3, name
        queries += found
    known = {**SCRAPED, **RULED, "up": set()}
    assert [finding for query in queries for finding in findings(query, known)] == []
    rules = [{"record": f"query{i}", "expr": query} for i, query in enumerate(queries)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}), encoding="utf-8")
    result = _promtool("check", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("seconds", "text"), [(86400, "1d"), (3600, "1h"), (600, "10m"), (90, "90s"), (0, "0s")])
def test_durations_are_written_as_prometheus_reads_them(seconds: int, text: str) -> None:
    """Seconds become the largest unit that divides them."""
    assert duration(seconds) == text
