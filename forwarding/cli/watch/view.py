"""Shows the state of all endpoints: as a screen, as lines, or as JSON. Everything from an endpoint is plain text."""

import json
from collections.abc import Iterator, Mapping, Sized
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from extra_headers.telemetry import contract

from ...policy.decision import ATTEMPT_REASONS, DecisionKind
from .state import CounterRow, Endpoint, PolicyRow, Watch

_TOP = 10
"""Names in the lines."""
_ENDPOINTS = 4
"""Endpoints on the screen, those that are down first."""
_RECENT_SECONDS = 60.0
_KIND_STYLES: dict[str, str] = {
    DecisionKind.FORWARDED: "green",
    DecisionKind.BLOCKED: "red",
    DecisionKind.MALFORMED: "yellow",
}


@dataclass(frozen=True, slots=True)
class View:
    """Shows one state of a watch.

    Args:
        watch: the state.
        began: when the watch did, in seconds of the epoch.

    """

    watch: Watch
    began: float

    def lines(self) -> Iterator[str]:
        """Yield a line for each fact; its first word is the kind of fact."""
        watch = self.watch
        for endpoint in watch.endpoints:
            yield f"endpoint {endpoint.url} {self._status(endpoint)}"
        yield f"endpoints {self._up_and_down()}"
        if not watch.snapshots:
            return
        sections = self._sections()
        for word, limit in (("decision", None), ("blocked-name", _TOP)):
            yield from _aligned(word, sections[word][:limit]) if sections[word] else [f"{word} none"]
        yield f"override-attempt {self._override()}"
        for word in ("policy", "shadow"):
            yield from _aligned(word, sections[word])

    def screen(self, now: float, interval: int, size: ConsoleDimensions) -> RenderableType:
        """Return what to draw.

        Args:
            now: seconds since the watch began.
            interval: seconds between two readings.
            size: of the terminal.

        """
        watch = self.watch
        note = f"  {self._clock(now)}, every {interval} s; endpoints: {self._up_and_down()}; Ctrl-C ends"
        head = [_line(("extra-headers watch", "bold"), (note, "dim"))]
        for endpoint in sorted(watch.endpoints, key=lambda endpoint: not endpoint.failure)[:_ENDPOINTS]:
            mark = ("✗ ", "red") if endpoint.failure else ("✓ ", "green") if endpoint.snapshot else ("… ", "yellow")
            head.append(_line(mark, f"{endpoint.url}  ", (self._status(endpoint), "red" if endpoint.failure else "")))
        if not watch.snapshots:
            return Group(*head, Text("\nwaiting for numbers", "bold yellow"))
        recent = watch.override is not None and now - watch.override.seconds < _RECENT_SECONDS
        style = "bold red" if recent else "yellow" if watch.override else "green"
        head.append(_line(("last override attempt  ", "bold"), (self._override(), style)))

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False, expand=True)
        table.add_column("", no_wrap=True)
        table.add_column("provider", no_wrap=True, overflow="ellipsis", max_width=40)
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        for title in ("seen", "total", "per s"):
            table.add_column(title, justify="right", no_wrap=True)
        sections = self._sections()
        limits = _limits(sections, size.height - len(head) - 1)
        for word, facts in sections.items():
            for fact in facts[: limits[word]]:
                table.add_row(Text(word, "dim"), *fact.cells())
            if (more := len(facts) - limits[word]) > 0:
                table.add_row(Text(word, "dim"), Text(f"and {more} more", "dim"))
        return Group(*head, table)

    def json(self) -> str:
        """Return the state as one JSON object on one line."""
        watch = self.watch
        override = watch.override and {
            "time": self._time(watch.override.seconds),
            "provider": watch.override.provider,
            "headers": [{"header": header, "reason": reason} for header, reason in watch.override.headers],
        }
        state = {
            "endpoints": [
                {
                    "url": endpoint.url,
                    "up": not endpoint.failure,
                    "read_at": self._time(endpoint.read_at) if endpoint.snapshot else None,
                    "down_since": self._time(endpoint.failed_since) if endpoint.failure else None,
                    "failure": endpoint.failure or None,
                }
                for endpoint in watch.endpoints
            ],
            "endpoints_up": watch.up,
            "endpoints_down": watch.down,
            "decisions": list(map(_as_dict, watch.rows(contract.DECISIONS_TOTAL))),
            "blocked_names": list(map(_as_dict, watch.rows(contract.BLOCKED_NAMES_TOTAL))),
            "override_attempts": {"total": round(watch.attempts_in_total()), "last": override},
            "policies": [
                {**asdict(row.policy), "endpoints": row.endpoints, "of_endpoints": row.of, "drift": row.drift}
                for row in watch.policies()
            ],
            "shadow_differences": list(map(_as_dict, watch.shadow_differences())),
        }
        return json.dumps(state)

    def _sections(self) -> dict[str, list["_Fact"]]:
        watch = self.watch
        return {
            "decision": list(map(_decision, watch.rows(contract.DECISIONS_TOTAL))),
            "blocked-name": list(map(_blocked_name, watch.rows(contract.BLOCKED_NAMES_TOTAL))),
            "policy": list(map(_policy, watch.policies())),
            "shadow": list(map(_shadow, watch.shadow_differences())),
        }

    def _status(self, endpoint: Endpoint) -> str:
        if not endpoint.failure:
            return f"read at {self._clock(endpoint.read_at)}" if endpoint.snapshot else "not read yet"
        kept = "; the numbers are its last" if endpoint.snapshot else ""
        return f"down since {self._clock(endpoint.failed_since)}: {endpoint.failure}{kept}"

    def _up_and_down(self) -> str:
        return f"{self.watch.up} up, {self.watch.down} down"

    def _override(self) -> str:
        total = f"{_count(self.watch.attempts_in_total())} in total"
        if (last := self.watch.override) is None:
            return f"none since {self._clock(0)}; {total}"
        headers = ", ".join(f"{header} ({reason})" for header, reason in last.headers) or "unknown header"
        return f"{self._clock(last.seconds)} {last.provider}: {headers}; {total}"

    def _clock(self, seconds: float) -> str:
        return f"{datetime.fromtimestamp(self.began + seconds).astimezone():%H:%M:%S}"

    def _time(self, seconds: float) -> str:
        return datetime.fromtimestamp(self.began + seconds).astimezone().isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class _Fact:
    """One row about one provider."""

    provider: str
    words: tuple[str, ...]
    row: CounterRow | None = None
    style: str = ""

    def cells(self) -> list[Text]:
        """Return the cells of a screen's table."""
        texts = [Text(self.provider), Text("  ".join(self.words), self.style)]
        if self.row:
            numbers = _count(self.row.grown), _count(self.row.total), _rate(self.row.per_second)
            texts += [Text(number, "bold" if self.row.per_second else "") for number in numbers]
        return texts


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _limits(sections: Mapping[str, Sized], height: int) -> dict[str, int]:
    """Return the rows of each section that fit; a section that is cut off needs one more row, which says that it is."""
    limits = {}
    by_size = sorted(sections, key=lambda word: len(sections[word]))
    for remaining, word in zip(range(len(by_size), 0, -1), by_size, strict=True):
        size, share = len(sections[word]), height // remaining
        limits[word] = size if size <= share else max(1, share - 1)
        height -= min(size, share)
    return limits


def _decision(row: CounterRow) -> _Fact:
    kind, reason = row.series.label(contract.LABEL_DECISION), row.series.label(contract.LABEL_REASON)
    return _Fact(row.series.label(contract.LABEL_PROVIDER), (kind, reason), row, _KIND_STYLES.get(kind, ""))


def _blocked_name(row: CounterRow) -> _Fact:
    reason, header = row.series.label(contract.LABEL_REASON), row.series.label(contract.LABEL_HEADER)
    style = "bold red" if reason in ATTEMPT_REASONS else ""
    return _Fact(row.series.label(contract.LABEL_PROVIDER), (reason, header), row, style)


def _policy(row: PolicyRow) -> _Fact:
    policy = row.policy
    where = f"{'DRIFT  ' * row.drift}on {row.endpoints} of {row.of} endpoint{'s' * (row.of > 1)}"
    words = (policy.digest, where, policy.provider_type, f"on_blocked={policy.on_blocked}")
    return _Fact(policy.provider, (*words, f"on_malformed={policy.on_malformed}"), style="bold red" * row.drift)


def _shadow(row: CounterRow) -> _Fact:
    labels = (contract.LABEL_DECISION, contract.LABEL_SHADOW_DECISION, contract.LABEL_SHADOW_REASON)
    difference = "{} -> {} ({})".format(*map(row.series.label, labels))
    return _Fact(row.series.label(contract.LABEL_PROVIDER), (difference,), row)


def _aligned(word: str, facts: list[_Fact]) -> Iterator[str]:
    rows = [[fact.provider, *fact.words, *_numbers(fact.row)] for fact in facts]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield f"{word} {'  '.join(f'{text:<{width}}' for text, width in zip(row, widths, strict=True))}".rstrip()


def _numbers(row: CounterRow | None) -> list[str]:
    if row is None:
        return []
    return [f"total={_count(row.total)}", "" if row.per_second is None else f"{_rate(row.per_second)}/s"]


def _as_dict(row: CounterRow) -> dict[str, object]:
    return {
        **dict(row.series.labels),
        "total": round(row.total),
        "increase": round(row.grown),
        "per_second": row.per_second,
    }


def _rate(per_second: float | None) -> str:
    return "-" if per_second is None else f"{per_second:.1f}" if per_second < 1e6 else f"{per_second:.3g}"


def _count(number: float) -> str:
    return f"{number:.0f}" if number < 1e12 else f"{number:.3g}"
