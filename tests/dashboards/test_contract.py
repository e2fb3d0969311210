"""Panels, rules and routes query only what the telemetry emits, and say what a reader needs."""

import re
from pathlib import Path

import pytest
import yaml

from extra_headers.dashboards.generate import GENERATED
from extra_headers.dashboards.panels import GROUP_COLOURS, REASON_GROUPS, PanelOptions, Query, timeseries
from extra_headers.dashboards.promql import EVALUATION_BUCKET, EVALUATION_SUM, SERVER_REQUESTS, TARGET_LABELS
from extra_headers.dashboards.recording_rules import recording_rules
from extra_headers.dashboards.tuning import Tuning
from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Outcome, Reason
from extra_headers.forwarding.policy.identity import IdentityHeaderResult
from extra_headers.telemetry import contract
from tests.dashboards.documents import Json, dashboards, panels, targets
from tests.dashboards.programs import run
from tests.dashboards.promql import parse

# The number of evaluations is that of the requests with extra headers, which has its own panels.
EVALUATION_COUNT = f"{contract.EVALUATION_SECONDS}_count"
_HISTOGRAM = contract.METRICS[contract.EVALUATION_SECONDS].labels

SCRAPED = {
    # The histogram's own name is that of its native form.
    **{name: set(metric.labels) for name, metric in contract.METRICS.items()},
    EVALUATION_BUCKET: {*_HISTOGRAM, "le"},
    EVALUATION_SUM: set(_HISTOGRAM),
    EVALUATION_COUNT: set(_HISTOGRAM),
}
RULED = {
    "ALERTS": {"alertname", "alertstate", "severity", "category", *(label.name for label in contract.LABELS)},
    # The level of a recorded series' name is its labels.
    **{name: set(name.partition(":")[0].split("_")) for name in (str(r["record"]) for r in recording_rules(Tuning()))},
}
VALUES: dict[str, set[str]] = {
    contract.LABEL_DECISION: {kind.value for kind in DecisionKind},
    contract.LABEL_REASON: {reason.value for reasons in REASONS.values() for reason in reasons},
    contract.LABEL_OUTCOME: {outcome.value for outcome in Outcome},
    contract.LABEL_RESULT: {result.value for result in IdentityHeaderResult},
    contract.LABEL_SHADOW_DECISION: {kind.value for kind in DecisionKind},
    contract.LABEL_SHADOW_REASON: {reason.value for reasons in REASONS.values() for reason in reasons},
    contract.LABEL_SHADOW_OUTCOME: {outcome.value for outcome in Outcome},
}


def findings(expr: str, metrics: dict[str, set[str]]) -> list[str]:
    """Return each metric, label and label value of an expression that the telemetry does not have."""
    found = []
    parsed = parse(expr)
    labels = set(TARGET_LABELS)
    for selector in parsed.selectors:
        if ("__name__", "=~", "|".join(SERVER_REQUESTS)) in selector.matchers:
            # The host's own metric; a test with a real server queries it.
            continue
        if selector.metric not in metrics:
            found.append(f"unknown metric {selector.metric}")
            continue
        known = metrics[selector.metric] | set(TARGET_LABELS)
        labels |= known
        for label, operator, value in selector.matchers:
            if label not in known:
                found.append(f"{selector.metric} has no label {label}")
            elif label in VALUES and operator in {"=", "!="} and value not in VALUES[label]:
                found.append(f"{label} is never {value}")
            elif label in VALUES and operator == "=~" and not set(value.split("|")) <= VALUES[label]:
                found.append(f"{label} is never one of {value}")
    found += [f"unknown label {label}" for label in sorted(parsed.labels - labels)]
    return found


def _rules() -> list[Json]:
    document = yaml.safe_load((GENERATED / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_panels_and_rules_query_only_what_is_emitted() -> None:
    """Every metric, label and label value in a query or a rule is one of the telemetry's, or recorded by a rule."""
    queries = {str(target): target.expr for target in targets()}
    rules = {str(rule.get("alert") or rule["record"]): rule["expr"] for rule in _rules()}
    wrong = {name: findings(expr, SCRAPED | RULED | {"up": set()}) for name, expr in (queries | rules).items()}
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    "expr",
    [
        "rate(extra_headers_gone_total[5m])",
        'rate(extra_headers_decisions_total{resaon="sdk"}[5m])',
        'rate(extra_headers_decisions_total{decision="dropped"}[5m])',
        'rate(extra_headers_decisions_total{reason=~"credential|cookies"}[5m])',
        "sum by (header) (rate(extra_headers_decisions_total[5m]))",
    ],
)
def test_unknown_names_are_found(expr: str) -> None:
    """A metric, label or value that the telemetry does not have is a finding, wherever it stands."""
    assert findings(expr, SCRAPED)


def test_every_metric_is_shown() -> None:
    """A panel shows every metric that the add-on emits."""
    shown = {selector.metric for target in targets() for selector in parse(target.expr).selectors}
    assert set(SCRAPED) - {EVALUATION_COUNT} <= shown


def test_descriptions_name_what_is_queried() -> None:
    """A panel's description names a metric that it queries, or the event that it lists, and has no placeholder left."""
    for dashboard in dashboards().values():
        for panel in panels(dashboard):
            names = {
                s.metric
                for t in panel["targets"]
                if t["datasource"]["type"] == "prometheus"
                for s in parse(t["expr"]).selectors
            }
            names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} or {
                contract.EVENT_DECISION,
                contract.ATTR_USER,
            }
            assert any(name and name in panel["description"] for name in names), panel["title"]
            assert "{" not in panel["description"], panel["title"]


def test_every_reason_is_in_one_group() -> None:
    """A reason that is added to the vocabulary needs a group, and every group has a colour of its own."""
    grouped = [reason for reasons in REASON_GROUPS.values() for reason in reasons]
    assert sorted(grouped) == sorted(VALUES[contract.LABEL_REASON] - {Reason.ALLOWED})
    assert len(set(GROUP_COLOURS.values())) == len(REASON_GROUPS)


def test_panels_are_told_apart() -> None:
    """Titles and ids are unique within a dashboard: a link to a panel opens that panel."""
    for dashboard in dashboards().values():
        titles = [panel["title"] for panel in panels(dashboard)]
        ids = [panel["id"] for panel in (*panels(dashboard), *(p for p in dashboard["panels"] if p["type"] == "row"))]
        assert len(titles) == len(set(titles))
        assert len(ids) == len(set(ids))


def test_regions_are_drawn_over_the_panels() -> None:
    """Both states of the project's alerts and the changes of a policy are annotations, and query what is emitted."""
    for dashboard in dashboards().values():
        exprs = [a["target"]["expr"] for a in dashboard["annotations"]["list"] if "target" in a]
        assert [findings(expr, SCRAPED | RULED) for expr in exprs] == [[], [], []]


def test_a_seventh_query_of_a_panel_is_an_error() -> None:
    """A panel has six query letters; a query beyond them is refused and never dropped."""
    options = PanelOptions(title="a", description="b", unit="c", empty="d")
    with pytest.raises(ValueError, match="zip"):
        timeseries(options, *[Query(expr="up")] * 7)


def test_a_policy_change_is_a_region(tmp_path: Path) -> None:
    """A quarter of an hour is marked after a policy changed, and nothing when the first policy appears."""
    annotations = next(iter(dashboards().values()))["annotations"]["list"]
    (expr,) = (a["target"]["expr"] for a in annotations if a["name"] == "Policy changes")
    labels = 'job="ogx", provider="vllm"'
    changed = [{"labels": f'{{{labels}, policy="new"}}', "value": 1}]
    samples = {"5m": [], "50m": [], "62m": changed, "74m": changed, "80m": []}
    play = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {
                        "series": f'{contract.POLICY_INFO}{{{labels}, instance="a", policy="old"}}',
                        "values": "1x59 stale",
                    },
                    {
                        "series": f'{contract.POLICY_INFO}{{{labels}, instance="a", policy="new"}}',
                        "values": "_x60 1x60",
                    },
                ],
                "promql_expr_test": [
                    {"expr": re.sub(r"\$\w+", ".*", expr), "eval_time": time, "exp_samples": expected}
                    for time, expected in samples.items()
                ],
            }
        ],
    }
    (tmp_path / "play.yaml").write_text(yaml.safe_dump(play), encoding="utf-8")
    result = run("promtool", "test", "rules", tmp_path / "play.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
