"""Parses the add-on's series in the text of a metrics endpoint. Pure; the endpoint is not trusted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from extra_headers.telemetry import contract

from ..console import printable

_COUNTERS = (contract.DECISIONS_TOTAL, contract.BLOCKED_NAMES_TOTAL, contract.SHADOW_DECISIONS_TOTAL)
_MAX_LINES = 10_000
_MAX_VALUE = 2.0**53  # above, adding 1 changes nothing, and a sum may become infinite
_MAX_LINE_CHARACTERS = 4096
_MAX_LABEL_CHARACTERS = 80

ADVICE = (
    "no extra_headers_ series; on an OGX server, set OGX_METRICS_ENDPOINT_ENABLED=1 and switch on extra_headers at a "
    "provider; in any other process, set EXTRA_HEADERS_METRICS_PORT"
)


class UnreadableError(ValueError):
    """The answer of an endpoint contains nothing to show. The message gives the reason, and the fix."""


@dataclass(frozen=True, slots=True)
class Series:
    """The metric and the labels of a counter, sorted by name."""

    metric: str
    labels: tuple[tuple[str, str], ...]

    def label(self, name: str) -> str:
        """Return the value of a label; empty if there is none."""
        return dict(self.labels).get(name, "")


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """The policy of one provider, from `extra_headers_policy_info`."""

    provider: str
    provider_type: str
    digest: str
    on_blocked: str
    on_malformed: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters and policies of one endpoint at one moment."""

    counters: Mapping[Series, float]
    policies: frozenset[PolicyInfo]


def parse(text: str) -> Snapshot:
    """Return the add-on's counters and policies in a text of the Prometheus exposition format.

    Raises:
        UnreadableError: the text has another format, is too large, or contains none.

    """
    counters: dict[Series, float] = {}
    policies = set()
    for metric, labels, value in _samples(text):
        if metric in _COUNTERS and 0 <= value <= _MAX_VALUE:
            series = Series(metric, tuple(sorted(labels.items())))
            counters[series] = counters.get(series, 0.0) + value
        elif metric == contract.POLICY_INFO and value == 1:
            policies.add(
                PolicyInfo(*(labels.get(label, "") for label in contract.METRICS[contract.POLICY_INFO].labels))
            )
    if not counters and not policies:
        raise UnreadableError(ADVICE)
    return Snapshot(counters, frozenset(policies))


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    # The parser takes seconds for all metrics of a large server.
    wanted = (*_COUNTERS, contract.POLICY_INFO)
    lines = [line for line in text.split("\n") if line.startswith(wanted)]
    if len(lines) > _MAX_LINES or any(len(line) > _MAX_LINE_CHARACTERS for line in lines):
        raise UnreadableError("too many or too long extra_headers_ series")
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                yield sample.name, {name: _shortened(value) for name, value in sample.labels.items()}, sample.value
    except (ValueError, LookupError):
        raise UnreadableError("not in the Prometheus text format") from None


def _shortened(label: str) -> str:
    """Return a label without control codes, no longer than a label may be."""
    text = printable(label)
    return text if len(text) <= _MAX_LABEL_CHARACTERS else f"{text[: _MAX_LABEL_CHARACTERS - 1]}…"
