"""The output of the demo: in colour on a terminal, plain lines elsewhere."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import yaml
from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from extra_headers.telemetry.contract import NAMESPACE

from ...policy.decision import EXPLANATIONS, DecisionKind, Reason
from ...policy.field_names import normalize_name
from ...testing.otlp_receiver import ExportedSpan
from ..console import make_console, show
from .hosts import Host
from .results import Arrival, Exchange, ScenarioResult
from .scenarios import PROVIDER_KEY

_WIDTH = 100
_SECONDS_BETWEEN_LINES = 2.0

_STYLES = {DecisionKind.FORWARDED: "bold green", DecisionKind.BLOCKED: "bold red", DecisionKind.MALFORMED: "bold red"}
_MARKS = {DecisionKind.FORWARDED: "✓", DecisionKind.BLOCKED: "✗", DecisionKind.MALFORMED: "✗"}
_HIGHLIGHT = "bold magenta"
_OWN_KEY = "bold cyan"


class Progress(Protocol):
    """Reports progress."""

    def __call__(self, line: Text, *, keep: bool = False) -> None:
        """Show a line; with `keep`, print it for good."""


class Reporter:
    """Prints the progress and the results of the demo."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._console = make_console(_WIDTH)

    def _print(self, content: RenderableType = "", *, soft_wrap: bool = False) -> None:
        if self._console.is_terminal:
            self._console.print(content, soft_wrap=soft_wrap)
        else:
            show(self._console, content, soft_wrap=soft_wrap)

    def title(self, text: str, note: str) -> None:
        """Print the first line."""
        self._print(Text.assemble((text, "bold"), "  ", (note, "dim"), "\n"))

    def ready(self, what: str, where: str, note: str) -> None:
        """Print that a part is ready."""
        self._print(Text.assemble(("✓ ", "green"), f"{what:<15} ", (f"{where:<27} ", "cyan"), (note, "dim")))

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Yield a function that reports progress.

        On a terminal, each line replaces the one before. Elsewhere, a line is printed every two seconds.
        """
        printed = float("-inf")
        with ExitStack() as stack:
            status = stack.enter_context(self._console.status("")) if self._console.is_terminal else None

            def report(line: Text, *, keep: bool = False) -> None:
                nonlocal printed
                if status is not None:
                    status.update(line)
                if keep or (status is None and time.monotonic() - printed >= _SECONDS_BETWEEN_LINES):
                    printed = time.monotonic()
                    self._print(Text("  ") + line)

            yield report

    def run_config(self, config: Mapping[str, Any]) -> None:
        """Print the first provider of a run config, with the add-on's lines marked."""
        self.heading(f"The {self._host.file}", self._host.loading)
        for line in yaml.safe_dump(self._host.excerpt(config), sort_keys=False).splitlines():
            ours = NAMESPACE in line
            self._print(Text(f"{'▶' if ours else ' '} {line}", _HIGHLIGHT if ours else "dim"))

    def scenario(self, number: int, result: ScenarioResult) -> None:
        """Print what was sent, decided, answered, counted and received in a scenario."""
        self.heading(f"{number}  {result.scenario.title}", result.scenario.point)
        self._rows(_rows(self._host, result, in_full=number == 1))
        for fault in result.faults:
            self._print(Text(f"  UNEXPECTED: {fault}", "bold red"))

    def counters(self, lines: Sequence[str], url: str) -> None:
        """Print scraped lines."""
        self.heading("The counters", f"scraped from {url}, without those at zero")
        for line in lines:
            series, _, value = line.rpartition(" ")
            self._print(Text.assemble(f"  {series} ", (value, "bold")), soft_wrap=True)

    def facts(self, facts: Mapping[str, str]) -> None:
        """Print names, each with a text."""
        self._rows((name, Text(text)) for name, text in facts.items())

    def addresses(self, addresses: Mapping[str, str]) -> None:
        """Print names, each with an address; never broken, to be followed."""
        for name, address in addresses.items():
            self._print(Text.assemble((f"  {name}  ", "dim"), address), soft_wrap=True)

    def span(self, span: ExportedSpan, note: str) -> None:
        """Print one exported span."""
        self.heading("A span", note)
        self._print(Text(f"  {span.kind.name} {span.name}  trace {span.trace_id}  span {span.span_id}", "bold"))
        rows = _grid()
        for name, value in sorted(span.attributes.items()):
            styles = (_HIGHLIGHT, "") if name.startswith(f"{NAMESPACE}.") else ("dim", "dim")
            text = json.dumps(value) if isinstance(value, list) else str(value)
            rows.add_row(*map(Text, (name, text), styles))
        self._print(Padding.indent(rows, 2))

    def closing(self, summary: str, faults: Sequence[str]) -> None:
        """Print the faults or, if there are none, the summary."""
        self._print()
        for fault in faults:
            self._print(Text(f"✗ {fault}", "bold red"))
        if not faults:
            self._print(Text.assemble(("✓ ", "bold green"), (summary, "bold")))

    def note(self, text: str = "") -> None:
        """Print a dim line."""
        self._print(Text(text, "dim"))

    def command(self, purpose: str, lines: Sequence[str]) -> None:
        """Print a shell command to copy, and what it does."""
        self._print(Text(f"\n# {purpose}", "dim"), soft_wrap=True)
        self._print(Text(" \\\n  ".join(lines)), soft_wrap=True)

    def arrival(self, arrival: Arrival) -> None:
        """Print a request that the provider just received."""
        self._print(Text.assemble(("provider received ", "dim"), f"{arrival.request.method} {arrival.request.path}"))
        self._print(Padding.indent(_in_brief(arrival), 2))

    def heading(self, title: str, note: str) -> None:
        """Print the first lines of a section."""
        self._print()
        self._print(Rule(Text(title, "bold"), align="left", style="dim"))
        self._print(Padding.indent(Text(note, "dim italic"), 2))

    def _rows(self, rows: Iterator[tuple[str, RenderableType]]) -> None:
        grid = _grid()
        for label, content in rows:
            grid.add_row(Text(label, "dim", no_wrap=True), content)
        self._print(Padding.indent(grid, 2))


def _grid() -> Table:
    return Table.grid(padding=(0, 2))


def _rows(host: Host, result: ScenarioResult, *, in_full: bool) -> Iterator[tuple[str, RenderableType]]:
    scenario, exchanges = result.scenario, result.exchanges
    if scenario.setting is not None:
        yield "policy", Text(json.dumps(scenario.setting), "dim")
    yield "sent", _groups([_sent(host, exchange) for exchange in exchanges])
    if len(exchanges) > 1:
        yield "", Text(f"{len(exchanges)} calls, up to {result.at_once} of them at the same moment", "dim")
    yield "decided", _decided(scenario.decisions, result)
    if different := {n: r for n, r in scenario.shadow.items() if r is not scenario.decisions[n]}:
        yield "shadow", _decided(different, result)
    yield "counted", _counted(result)
    if scenario.status != 200:
        yield "answered", _groups([_refusal(exchange) for exchange in exchanges])
    arrivals = [exchange.arrival for exchange in exchanges if exchange.arrival]
    if not arrivals:
        yield "received", Text("nothing: the server sent no request to the provider", "bold")
    elif len(exchanges) == 1:
        yield "received", _in_full(arrivals[0]) if in_full else _in_brief(arrivals[0])
    else:
        yield "received", _groups([_extra(arrival) for arrival in arrivals])
        if not result.faults:
            yield "", Text("each call with its own caller's header, the provider's own key and nothing else", "dim")


def _sent(host: Host, exchange: Exchange) -> Text:
    return Text(host.nothing_sent if exchange.sent is None else host.sent(exchange.sent))


def _refusal(exchange: Exchange) -> Text:
    return Text.assemble((f"{exchange.reply.status}", "bold red"), f"  {exchange.reply.error or ''}")


def _groups(texts: Sequence[Text]) -> Text:
    """Join texts; equal ones appear once, with their number."""
    plains = [text.plain for text in texts]
    lines = [
        Text.assemble((f"{count} x " if (count := plains.count(plain)) > 1 else "", "dim"), text)
        for plain, text in {text.plain: text for text in texts}.items()
    ]
    return Text("\n").join(lines)


def _decided(decisions: Mapping[str, Reason], result: ScenarioResult) -> RenderableType:
    if not decisions:
        return Text("nothing", "dim")
    rows = _grid()
    for name, reason in decisions.items():
        kind = reason.kind
        why = Text.assemble((reason.value, "bold"), f": {EXPLANATIONS[reason]}")
        if (rule := result.counted.rules.get(reason)) and rule != normalize_name(name):
            why.append(f" ({rule})", "dim")
        rows.add_row(Text(f"{_MARKS[kind]} {kind}", _STYLES[kind], no_wrap=True), Text(name, "bold", no_wrap=True), why)
    return rows


def _counted(result: ScenarioResult) -> Text:
    counted = result.counted
    parts = [f"+{count} {kind}/{reason}" for (kind, reason), count in counted.decisions.items()]
    parts += [f"+{_number(n, 'request')} {outcome}" for (outcome,), n in counted.requests.items()]
    parts += [f"+{_number(counted.identity_headers, 'identity header')}"] if counted.identity_headers else []
    parts += [f"+{count} shadow {kind}/{reason}" for (kind, reason), count in counted.shadow.items()]
    return Text("   ".join(parts) or "nothing", "" if parts else "dim")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _extra(arrival: Arrival) -> Text:
    return Text("\n").join([Text(f"{name}: {value}", _HIGHLIGHT) for name, value in arrival.extra])


def _own_key(field: str) -> Text:
    note = "   the provider's own key" if field.endswith(PROVIDER_KEY) else "   NOT the provider's own key"
    return Text.assemble((field, _OWN_KEY), (note, "dim"))


def _in_brief(arrival: Arrival) -> Text:
    """Return the fields that matter of a received request, and the number of the others."""
    others = len(arrival.request.fields) - len(arrival.authorization) - len(arrival.extra)
    lines = [_own_key(f"authorization: {value}") for value in arrival.authorization]
    lines += [_extra(arrival)] if arrival.extra else []
    return Text("\n").join([*lines, Text(f"and {others} fields that every call has", "dim")])


def _in_full(arrival: Arrival) -> Text:
    """Return a received request as it came off the socket."""
    lines = [Text(arrival.request.head.decode("latin-1").partition("\r\n")[0], "dim")]
    for name, value in arrival.request.fields:
        field = f"{name}: {value}"
        if name.lower() == "authorization":
            lines.append(_own_key(field))
        elif (name, value) in arrival.extra:
            lines.append(Text.assemble((field, _HIGHLIGHT), ("   the caller's extra header", "dim")))
        else:
            lines.append(Text(field, "dim"))
    return Text("\n").join(lines)
