"""From the text of a metrics endpoint to the add-on's series in it. Pure; the endpoint is not trusted."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from extra_headers.telemetry import contract

_COUNTERS = (contract.DECISIONS_TOTAL, contract.BLOCKED_NAMES_TOTAL, contract.SHADOW_DECISIONS_TOTAL)
_MAX_LINES = 10_000
_MAX_LINE_CHARACTERS = 4096
_MAX_LABEL_CHARACTERS = 80

ADVICE = (
    "no extra_headers_ series there; an OGX server serves them with OGX_METRICS_ENDPOINT_ENABLED=1 and with "
    "extra_headers switched on at a provider, any other process with EXTRA_HEADERS_METRICS_PORT"
)


class UnreadableError(ValueError):
    """The answer of an endpoint holds nothing that can be shown. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Series:
    """One counter: its metric, and its labels in the order of their names."""

    metric: str
    labels: tuple[tuple[str, str], ...]

    def label(self, name: str) -> str:
        """Return the value of a label; empty where it has none of that name."""
        return dict(self.labels).get(name, "")


@dataclass(frozen=True, slots=True)
class Policy:
    """What `extra_headers_policy_info` says of one provider."""

    provider: str
    provider_type: str
    digest: str
    on_blocked: str
    on_malformed: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one endpoint reported at one moment."""

    counters: Mapping[Series, float]
    policies: frozenset[Policy]


def parse(text: str) -> Snapshot:
    """Return the add-on's counters and policies in a text of the Prometheus exposition format.

    Raises:
        UnreadableError: it is no such text, is unreasonably large, or holds none of them.

    """
    counters: dict[Series, float] = {}
    policies = set()
    for metric, labels, value in _samples(text):
        if metric in _COUNTERS and math.isfinite(value) and value >= 0:
            series = Series(metric, tuple(sorted(labels.items())))
            counters[series] = counters.get(series, 0.0) + value
        elif metric == contract.POLICY_INFO and value == 1:
            policies.add(Policy(*(labels.get(label, "") for label in contract.METRICS[contract.POLICY_INFO].labels)))
    if not counters and not policies:
        raise UnreadableError(ADVICE)
    return Snapshot(counters, frozenset(policies))


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    # Of all lines, those that are looked at: the parser takes seconds for a large server's own metrics.
    wanted = (*_COUNTERS, contract.POLICY_INFO)
    lines = [line for line in text.split("\n") if line.startswith(wanted)]
    if len(lines) > _MAX_LINES or any(len(line) > _MAX_LINE_CHARACTERS for line in lines):
        raise UnreadableError("its extra_headers_ series are too many or too long to be those of a server")
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                yield sample.name, {name: printable(value) for name, value in sample.labels.items()}, sample.value
    except (ValueError, LookupError):
        raise UnreadableError("its answer is not in the Prometheus text format") from None


def printable(text: str) -> str:
    """Return `text` without control codes, each replaced by its escape sequence, and no longer than a label may be."""
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return escaped if len(escaped) <= _MAX_LABEL_CHARACTERS else f"{escaped[: _MAX_LABEL_CHARACTERS - 1]}…"
