"""The Prometheus rule groups: recording rules and alerts together, as Prometheus and its operator read them."""

from .alerts import alerting_rules
from .recording import recording_rules
from .tuning import DEFAULT_RUNBOOKS, Tuning


def rule_groups(tuning: Tuning | None = None, runbooks: str = DEFAULT_RUNBOOKS) -> dict[str, object]:
    """Return the content of a Prometheus rules file.

    Args:
        tuning: windows and thresholds.
        runbooks: base URL of the runbooks; each alert's page is `<base>/<alert>.md`.

    """
    tuning = tuning or Tuning()
    # One group: alerts are evaluated right after the series that they compare.
    return {
        "groups": [{"name": "extra-headers", "rules": [*recording_rules(tuning), *alerting_rules(tuning, runbooks)]}]
    }
