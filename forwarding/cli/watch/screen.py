"""What was seen, for a terminal of any size. Everything of an endpoint is `Text`, never markup."""

from collections.abc import Iterable, Sequence

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from extra_headers.telemetry import contract

from ...policy.decision import ATTEMPT_REASONS, DecisionKind
from .lines import TOP, clock, count, override_text, rate, shadow_text
from .state import Row, Watch

_TWO_COLUMNS = 132
"""From this width on, names and policies stand beside the decisions."""
_BARS = "▁▂▃▄▅▆▇█"
_MARKS = {DecisionKind.FORWARDED: "✓", DecisionKind.BLOCKED: "✗", DecisionKind.MALFORMED: "✗"}
_RECENT_SECONDS = 60.0


def screen(watch: Watch, began: float, now: float, interval: int, size: ConsoleDimensions) -> RenderableType:
    """Return what to draw.

    Args:
        watch: what is known.
        began: when the watch did, in seconds of the epoch.
        now: seconds since then.
        interval: seconds between two readings.
        size: of the terminal.

    """
    head = [
        Text.assemble(
            ("extra-headers watch", "bold"), (f"  {clock(began, now)}, every {interval} s; Ctrl-C ends", "dim")
        ),
        *(_endpoint(watch, i, began) for i in range(len(watch.endpoints))),
    ]
    if not watch.has_numbers:
        return Group(*head, Text(), Text("waiting for numbers", "bold yellow"))
    head.append(_override(watch, began, now))
    two_columns = size.width >= _TWO_COLUMNS
    # What is left of the height for rows of decisions and names, beside the lines that are always there.
    head_lines = sum(max(1, -(-line.cell_len // size.width)) for line in head)
    rows = size.height - head_lines - (6 if two_columns else 11 + min(len(watch.policies()), TOP))
    decisions = max(2, rows if two_columns else rows * 2 // 3)
    blocked = max(2, min(TOP, rows - len(watch.policies()) if two_columns else rows // 3))
    left = _section("Decisions", f"seen: since {clock(began, 0)}", _kinds(watch), _decisions(watch, decisions))
    right = [
        *_section("Top blocked names", "", _names(watch, blocked)),
        *([Text()] if two_columns else []),
        *_section("Policies in force", "", _policies(watch)),
        *_shadow(watch),
    ]
    if not two_columns:
        return Group(*head, *left, *right)
    columns = Table.grid(expand=True, padding=(0, 2))
    columns.add_column(ratio=1)
    columns.add_column(ratio=1)
    columns.add_row(Group(*left), Group(*right))
    return Group(*head, columns)


def _endpoint(watch: Watch, i: int, began: float) -> Text:
    endpoint = watch.endpoints[i]
    if endpoint.failure:
        kept = "; the numbers are its last" if endpoint.snapshot else ""
        since = clock(began, endpoint.failed_since)
        return Text.assemble(
            ("✗ ", "bold red"), endpoint.url, (f"  down since {since}: {endpoint.failure}{kept}", "red")
        )
    if endpoint.snapshot is None:
        return Text.assemble(("… ", "yellow"), endpoint.url)
    return Text.assemble(("✓ ", "green"), endpoint.url)


def _override(watch: Watch, began: float, now: float) -> Text:
    recent = watch.override is not None and now - watch.override.seconds < _RECENT_SECONDS
    style = "bold red" if recent else "yellow" if watch.override else "green"
    return Text.assemble(("Last override attempt  ", "bold"), (override_text(watch, began), style))


def _section(title: str, note: str, *parts: RenderableType) -> Iterable[RenderableType]:
    heading = Text.assemble((title, "bold"), (f"  {note}" if note else "", "dim"))
    return Rule(heading, align="left", style="dim"), *parts


def _kinds(watch: Watch) -> RenderableType:
    """One line for each kind of decision: how many a second, now and over the last rounds."""
    grid = Table.grid(padding=(0, 2))
    for kind in DecisionKind:
        values = [rates.get(kind, 0.0) for rates in watch.history]
        now = f"{rate(values[-1] if values else None)}/s"
        grid.add_row(Text(f"{_MARKS[kind]} {kind}", _style(kind)), Text(now), Text(_bars(values), _style(kind)))
    return grid


def _bars(values: Sequence[float]) -> str:
    top = max(values, default=0.0)
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] if top else _BARS[0] for value in values)


def _decisions(watch: Watch, limit: int) -> RenderableType:
    rows = watch.rows(contract.DECISIONS_TOTAL)
    if not rows:
        return Text("no header decided yet", "dim")
    table = _table("provider", "decision", "reason", numbers=("per s", "seen", "total"))
    for row in rows[:limit]:
        kind, reason = row.series.label(contract.LABEL_DECISION), row.series.label(contract.LABEL_REASON)
        table.add_row(
            Text(row.series.label(contract.LABEL_PROVIDER)), Text(kind, _style(kind)), Text(reason), *_numbers(row)
        )
    return _with_rest(table, len(rows) - limit)


def _with_rest(table: Table, left_out: int) -> RenderableType:
    return Group(table, Text(f"and {left_out} more", "dim")) if left_out > 0 else table


def _names(watch: Watch, limit: int) -> RenderableType:
    rows = watch.rows(contract.BLOCKED_NAMES_TOTAL)
    if not rows:
        return Text("no header blocked yet", "dim")
    table = _table("header", "reason", "provider", numbers=("per s", "seen", "total"))
    for row in rows[:limit]:
        reason = row.series.label(contract.LABEL_REASON)
        style = "bold red" if reason in ATTEMPT_REASONS else ""
        header, provider = row.series.label(contract.LABEL_HEADER), row.series.label(contract.LABEL_PROVIDER)
        table.add_row(Text(header, style), Text(reason, style), Text(provider), *_numbers(row))
    return _with_rest(table, len(rows) - limit)


def _policies(watch: Watch) -> RenderableType:
    rows = watch.policies()
    table = _table("provider", "policy", "endpoints", "blocked", "malformed")
    for row in rows[:TOP]:
        policy = row.policy
        where = Text(f"{row.endpoints} of {row.of}")
        if row.drift:
            where.append(" DRIFT", "bold red")
        table.add_row(
            Text(policy.provider), Text(policy.digest), where, Text(policy.on_blocked), Text(policy.on_malformed)
        )
    return _with_rest(table, len(rows) - TOP)


def _shadow(watch: Watch) -> Iterable[RenderableType]:
    rows = watch.shadow_differences()
    if rows:
        table = _table("provider", "decided -> would be", numbers=("per s", "seen", "total"))
        for row in rows[:TOP]:
            provider = row.series.label(contract.LABEL_PROVIDER)
            table.add_row(Text(provider), Text(shadow_text(row)), *_numbers(row))
        yield from _section("Shadow policy", "where it differs", _with_rest(table, len(rows) - TOP))


def _table(*texts: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for title in texts:
        table.add_column(title, overflow="ellipsis", no_wrap=True)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True, overflow="ellipsis", min_width=5)
    return table


def _numbers(row: Row) -> tuple[Text, Text, Text]:
    active = "bold" if row.per_second else ""
    return Text(rate(row.per_second), active), Text(count(row.grown)), Text(count(row.total))


def _style(kind: str) -> str:
    return "green" if kind == DecisionKind.FORWARDED else "red" if kind == DecisionKind.BLOCKED else "yellow"
