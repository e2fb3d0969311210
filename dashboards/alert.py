"""One alert, before it is written as a Prometheus rule, and the words that name a server in its texts."""

from collections.abc import Mapping
from dataclasses import dataclass

from extra_headers.telemetry import contract

from .promql import CLUSTER, JOB, NAMESPACE
from .recording_rules import Rule
from .tuning import AlertName, Severity, Tuning, duration

COUNT = '{{ $value | printf "%.0f" }}'
"""The template of a measured number of headers, which `increase()` extrapolates."""

SECURITY, CALLERS, OPERATIONS = "security", "callers", "operations"

_WORDS: Mapping[str, str] = {CLUSTER: "in cluster", NAMESPACE: "in namespace", JOB: "of job"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, before it is written as a Prometheus rule."""

    name: AlertName
    expr: str
    for_: int
    """Seconds that the condition must last."""
    severity: Severity
    category: str
    """Who is concerned: security, the people behind the callers, or operations."""
    summary: str
    description: str

    def as_rule(self, tuning: Tuning) -> Rule:
        """Return the Prometheus rule."""
        severity = tuning.severities.get(self.name, self.severity)
        return {
            "alert": self.name.value,
            "expr": self.expr,
            "for": duration(self.for_),
            "keep_firing_for": duration(tuning.keep_firing_for),
            "labels": {"severity": severity.value, "category": self.category, **tuning.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{tuning.runbooks.rstrip('/')}/{self.name}.md",
            },
        }


def where(tuning: Tuning) -> str:
    """Return the template that names a provider and its server."""
    return f"provider {{{{ $labels.{contract.LABEL_PROVIDER} }}}}{server_of(tuning)}"


def server_of(tuning: Tuning) -> str:
    """Return the template that names a server by the labels that it has."""
    return "".join(
        f"{{{{ with $labels.{label} }}}} {_WORDS.get(label, label)} {{{{ . }}}}{{{{ end }}}}"
        for label in reversed(tuning.group_by)
    )


def any_label(tuning: Tuning) -> str:
    """Return the template's condition that an alert names a server."""
    names = [f"$labels.{label}" for label in tuning.group_by]
    return names[0] if len(names) == 1 else f"or {' '.join(names)}"
