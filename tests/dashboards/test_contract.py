"""Panels, rules and routes query only what the telemetry emits, and say what a reader needs."""

import re

import pytest
import yaml

from extra_headers.dashboards.alerts import alerts
from extra_headers.dashboards.generate import GENERATED
from extra_headers.dashboards.panels import REASON_COLOURS, PanelOptions, Query, timeseries
from extra_headers.dashboards.promql import EVALUATION_BUCKET, EVALUATION_SUM, INSTANCE, JOB
from extra_headers.dashboards.recording_rules import RECORDED, baseline, window_increase
from extra_headers.dashboards.tuning import Tuning
from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Outcome, Reason
from extra_headers.forwarding.policy.identity import IdentityHeaderResult
from extra_headers.telemetry import contract
from tests.dashboards.documents import Json, Target, dashboards, panels, targets
from tests.dashboards.promql import parse

EVALUATION_COUNT = f"{contract.EVALUATION_SECONDS}_count"
_HISTOGRAM = contract.METRICS[contract.EVALUATION_SECONDS].labels

SCRAPED = {
    **{name: set(metric.labels) for name, metric in contract.METRICS.items() if name != contract.EVALUATION_SECONDS},
    EVALUATION_BUCKET: {*_HISTOGRAM, "le"},
    EVALUATION_SUM: set(_HISTOGRAM),
    EVALUATION_COUNT: set(_HISTOGRAM),
}
RULED = {
    **{metric: set(labels) for metric, labels in RECORDED.items()},
    window_increase(Tuning()): {contract.LABEL_PROVIDER, contract.LABEL_DECISION},
    baseline(Tuning()): {contract.LABEL_PROVIDER, contract.LABEL_DECISION},
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
    labels: set[str] = {JOB, INSTANCE}
    for selector in parsed.selectors:
        if selector.metric not in metrics:
            found.append(f"unknown metric {selector.metric}")
            continue
        known = metrics[selector.metric] | {JOB, INSTANCE}
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


@pytest.mark.parametrize("target", targets(), ids=str)
def test_panel_queries_only_what_is_emitted(target: Target) -> None:
    """Every metric, label and label value in a panel's query is one of the telemetry's constants."""
    assert findings(target.expr, {**SCRAPED, **RULED}) == []


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: str(rule.get("alert") or rule["record"]))
def test_rule_queries_only_what_is_emitted(rule: Json) -> None:
    """Every metric, label and label value in a rule is one of the telemetry's constants, or recorded by a rule."""
    assert findings(rule["expr"], {**SCRAPED, **RULED}) == []


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
    """Every metric that the add-on emits stands in a panel."""
    shown = {selector.metric for target in targets() for selector in parse(target.expr).selectors}
    without_panel = {EVALUATION_COUNT, contract.UNREAD_FIELDS_TOTAL, contract.BUILD_INFO}
    assert set(SCRAPED) - without_panel <= shown


@pytest.mark.parametrize("panel", [p for d in dashboards().values() for p in panels(d)], ids=lambda p: str(p["title"]))
def test_panel_says_what_a_reader_needs(panel: Json) -> None:
    """A panel's description names a metric that it queries, and it has a text for when it is empty."""
    metrics = {s.metric for t in panel["targets"] for s in parse(t["expr"]).selectors if s.metric in SCRAPED}
    bases = {re.sub(r"_(bucket|sum|count)$", "", metric) for metric in metrics}
    assert any(base in panel["description"] for base in bases | metrics)
    assert panel["fieldConfig"]["defaults"]["noValue"].endswith((".", "?"))


def test_every_reason_has_a_colour() -> None:
    """A reason that is added to the vocabulary needs a colour, and no colour is left for one that went."""
    assert set(REASON_COLOURS) == VALUES[contract.LABEL_REASON] - {Reason.ALLOWED}


def test_panel_titles_are_unique_within_a_dashboard() -> None:
    """Nobody has to say "the second panel of that name"."""
    for dashboard in dashboards().values():
        titles = [panel["title"] for panel in panels(dashboard)]
        assert len(titles) == len(set(titles))


def test_panel_ids_are_unique_within_a_dashboard() -> None:
    """A link to a panel opens that panel."""
    for dashboard in dashboards().values():
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids))


def test_dashboards_link_to_each_other() -> None:
    """Each dashboard links to the other one, keeping time range and variables."""
    uids = {dashboard["uid"] for dashboard in dashboards().values()}
    for dashboard in dashboards().values():
        linked = {link["url"].removeprefix("/d/") for link in dashboard["links"]}
        assert linked == uids - {dashboard["uid"]}
        assert all(link["keepTime"] and link["includeVars"] for link in dashboard["links"])


def test_variables_offer_several_and_all() -> None:
    """Job, instance and provider can each be one, several or all."""
    for dashboard in dashboards().values():
        chosen = {v["name"]: v for v in dashboard["templating"]["list"] if v["type"] == "query"}
        assert list(chosen) == [JOB, INSTANCE, contract.LABEL_PROVIDER]
        assert all(variable["multi"] and variable["includeAll"] for variable in chosen.values())


def test_alert_state_is_annotated() -> None:
    """Both states of the project's alerts are drawn over the graphs."""
    for dashboard in dashboards().values():
        shown = " ".join(a["target"]["expr"] for a in dashboard["annotations"]["list"] if "target" in a)
        assert 'alertstate="firing"' in shown
        assert 'alertstate="pending"' in shown


def test_alert_annotations_hold_only_labels() -> None:
    """No annotation holds a measured value, which would make each message a new one; summaries are static."""
    for alert in alerts(Tuning()):
        assert "{{" not in alert.summary
        templates = re.findall(r"{{(.*?)}}", alert.description)
        assert all(re.fullmatch(r"\s*(if )?\$labels\.\w+\s*|\s*(else|end)\s*", t) for t in templates)


def test_a_seventh_query_of_a_panel_is_an_error() -> None:
    """A panel has six query letters; a query beyond them is refused and never dropped."""
    options = PanelOptions(title="a", description="b", unit="c", empty="d")
    with pytest.raises(ValueError, match="zip"):
        timeseries(options, *[Query(expr="up")] * 7)
