"""What the demo prints, and how it looks: on a terminal in colour, elsewhere plain lines."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from typing import Any

import yaml
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from extra_headers.telemetry.contract import NAMESPACE

from ...policy.decision import EXPLANATIONS, DecisionKind, Reason
from ...policy.field_names import normalize_name
from ...testing.otlp_receiver import ExportedSpan
from .runner import Arrival, Exchange, Played
from .scenarios import PROVIDER_DATA_HEADER, PROVIDER_KEY, provider_data, wrapper_for

_WIDTH = 100
_SECONDS_BETWEEN_LINES = 2.0

_STYLES = {DecisionKind.FORWARDED: "bold green", DecisionKind.BLOCKED: "bold red", DecisionKind.MALFORMED: "bold red"}
_MARKS = {DecisionKind.FORWARDED: "✓", DecisionKind.BLOCKED: "✗", DecisionKind.MALFORMED: "✗"}
_STATES = {"pending": "bold yellow", "firing": "bold red"}
_HIGHLIGHT = "bold magenta"
_OWN_KEY = "bold cyan"


def make_console() -> Console:
    """Return a console for stdout that writes no colour and no control codes where that is no terminal."""
    terminal = sys.stdout.isatty()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a tick is no reason to fail
    console = Console(
        force_terminal=None if terminal else False, width=None if terminal else _WIDTH, highlight=False, emoji=False
    )
    console.width = min(console.width, _WIDTH)
    return console


class Show:
    """Prints the demo's story to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _print(self, content: RenderableType = "", *, soft_wrap: bool = False) -> None:
        if self._console.is_terminal:
            self._console.print(content, soft_wrap=soft_wrap)
            return
        # Without the spaces that fill the lines of a table.
        with self._console.capture() as captured:
            self._console.print(content, soft_wrap=soft_wrap)
        lines = captured.get().splitlines()
        print(*map(str.rstrip, lines), sep="\n", flush=True)  # noqa: T201 - a command's output

    def title(self, text: str, note: str) -> None:
        """Print the first line."""
        self._print(Text.assemble((text, "bold"), "  ", (note, "dim")))
        self._print()

    def ready(self, what: str, where: str, note: str) -> None:
        """Print that one of the parts runs."""
        self._print(Text.assemble(("✓ ", "green"), f"{what:<17} ", (f"{where:<27} ", "cyan"), (note, "dim")))

    @contextmanager
    def starting(self, what: str) -> Iterator[Callable[[float], None]]:
        """Show progress while the block runs; yields what to tell the seconds so far."""
        if self._console.is_terminal:
            with self._console.status(Text(f"starting {what}")) as status:
                yield lambda seconds: status.update(Text(f"starting {what} … {seconds:.0f} s"))
            return
        self._print(Text(f"  starting {what}"))
        told = 0.0

        def tell(seconds: float) -> None:
            nonlocal told
            if seconds - told >= _SECONDS_BETWEEN_LINES:
                told = seconds
                self._print(Text(f"  still starting after {seconds:.0f} s"))

        yield tell

    def run_config(self, config: Mapping[str, Any]) -> None:
        """Print the part of a run config that matters here."""
        self.heading("The run config", "two lines load the add-on and switch it on")
        shown = {"providers": {"inference": config["providers"]["inference"][:1]}}
        for line in yaml.safe_dump(shown, sort_keys=False).splitlines():
            ours = line.strip().startswith(("module:", f"{NAMESPACE}:"))
            self._print(Text(f"{'▶' if ours else ' '} {line}", _HIGHLIGHT if ours else "dim"))

    def scene(self, number: int, played: Played) -> None:
        """Print one scene: what was sent, decided, answered, counted and received."""
        scene = played.scene
        self.heading(f"{number}  {scene.title}", scene.point)
        rows = Table.grid(padding=(0, 2))
        rows.add_column(width=8, style="dim", no_wrap=True)
        rows.add_column()
        for label, content in self._rows(played, in_full=number == 1):
            rows.add_row(label, content)
        self._indented(rows)
        for fault in played.faults:
            self._print(Text(f"  NOT AS TOLD: {fault}", "bold red"))

    def _rows(self, played: Played, *, in_full: bool) -> Iterator[tuple[str, RenderableType]]:
        exchanges, calls = played.exchanges, len(played.exchanges)
        if played.scene.setting is not None:
            yield "policy", Text(json.dumps(played.scene.setting), "dim")
        yield "sent", _groups([_sent(exchange) for exchange in exchanges])
        if calls > 1:
            yield "", Text(f"{calls} calls, up to {played.at_once} under way at the same moment", "dim")
        yield "decided", _decided(played.scene.decided, played)
        if differing := {n: r for n, r in played.scene.shadow.items() if r is not played.scene.decided[n]}:
            yield "shadow", _decided(differing, played)
        yield "counted", _counted(played)
        if played.scene.status != 200:
            yield "answered", _groups([_refusal(exchange) for exchange in exchanges])
        arrivals = [exchange.arrival for exchange in exchanges if exchange.arrival]
        if not arrivals:
            yield "received", Text("nothing: the request never left the server", "bold")
        elif calls == 1:
            yield "received", _in_full(arrivals[0]) if in_full else _in_brief(arrivals[0])
        else:
            yield "received", _groups([_extra(arrival) for arrival in arrivals])
            if not played.faults:
                yield "", Text("each call with its own caller's header and the provider's own key, and no other", "dim")

    def counters(self, lines: Sequence[str], url: str) -> None:
        """Print scraped lines."""
        self.heading("The counters", f"as scraped from {url}, without the zeros")
        for line in lines:
            series, _, value = line.rpartition(" ")
            self._print(Text.assemble(f"  {series} ", (value, "bold")), soft_wrap=True)

    def facts(self, facts: Mapping[str, str]) -> None:
        """Print names and what is to be said of each."""
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="dim", no_wrap=True)
        rows.add_column()
        for name, text in facts.items():
            rows.add_row(name, Text(text))
        self._indented(rows)

    @contextmanager
    def watching(self) -> Iterator[Callable[[float, str, str], None]]:
        """Show how an alert's state changes while the block runs; yields what to tell seconds, state and a note."""
        shown: str | None = None
        told = 0.0
        with ExitStack() as stack:
            status = stack.enter_context(self._console.status("")) if self._console.is_terminal else None

            def tell(seconds: float, state: str, note: str) -> None:
                nonlocal shown, told
                line = Text.assemble(
                    f"  {seconds:3.0f} s  ", (f"{state:<10}", _STATES.get(state, "dim")), (note, "dim")
                )
                if state != shown or (status is None and seconds - told >= _SECONDS_BETWEEN_LINES):
                    shown, told = state, seconds
                    self._print(line)
                if status is not None:
                    status.update(line)

            yield tell

    def span(self, span: ExportedSpan, note: str) -> None:
        """Print one exported span."""
        self.heading("A span", note)
        rows = Table.grid(padding=(0, 2))
        rows.add_row(Text(f"{span.kind.name} {span.name}", "bold"), Text(f"trace {span.trace_id}  span {span.span_id}"))
        for name, value in sorted(span.attributes.items()):
            ours = name.startswith(f"{NAMESPACE}.")
            shown = json.dumps(value) if isinstance(value, list) else str(value)
            rows.add_row(Text(name, _HIGHLIGHT if ours else "dim"), Text(shown, "" if ours else "dim"))
        self._indented(rows)

    def closing(self, good: str, faults: Sequence[str]) -> None:
        """Print how it ended."""
        self._print()
        for fault in faults:
            self._print(Text(f"✗ {fault}", "bold red"))
        if not faults:
            self._print(Text.assemble(("✓ ", "bold green"), (good, "bold")))

    def note(self, text: str = "") -> None:
        """Print a line of less weight."""
        self._print(Text(text, "dim"))

    def command(self, purpose: str, lines: Sequence[str]) -> None:
        """Print a shell command that can be copied, and what to expect of it."""
        self._print(Text(f"\n# {purpose}", "dim"), soft_wrap=True)
        self._print(Text(" \\\n  ".join(lines)), soft_wrap=True)

    def arrival(self, arrival: Arrival) -> None:
        """Print a request that the provider just received."""
        self._print(Text.assemble(("provider received ", "dim"), f"{arrival.request.method} {arrival.request.path}"))
        self._indented(_in_brief(arrival))

    def heading(self, title: str, note: str) -> None:
        """Print the first lines of a section."""
        self._print()
        self._print(Rule(Text(title, "bold"), align="left", style="dim"))
        self._print(Text(f"  {note}", "dim italic"))

    def _indented(self, content: RenderableType) -> None:
        grid = Table.grid()
        grid.add_column(width=2)
        grid.add_column()
        grid.add_row("", content)
        self._print(grid)


def _sent(exchange: Exchange) -> Text:
    if exchange.sent is None:
        return Text(f"no {PROVIDER_DATA_HEADER}")
    return Text.assemble((f"{PROVIDER_DATA_HEADER}: ", "dim"), provider_data(exchange.sent))


def _refusal(exchange: Exchange) -> Text:
    return Text.assemble((f"{exchange.reply.status}", "bold red"), f"  {exchange.reply.error or ''}")


def _groups(texts: Sequence[Text]) -> Text:
    """Join texts, equal ones only once, and then with how often they came."""
    plains = [text.plain for text in texts]
    lines = [
        Text.assemble((f"{count} x " if (count := plains.count(plain)) > 1 else "", "dim"), text)
        for plain, text in {text.plain: text for text in texts}.items()
    ]
    return Text("\n").join(lines)


def _decided(decided: Mapping[str, Reason], played: Played) -> RenderableType:
    if not decided:
        return Text("nothing", "dim")
    rows = Table.grid(padding=(0, 2))
    for name, reason in decided.items():
        kind = wrapper_for(reason)
        rows.add_row(Text(f"{_MARKS[kind]} {kind}", _STYLES[kind]), Text(name, "bold"), _why(name, reason, played))
    return rows


def _why(name: str, reason: Reason, played: Played) -> Text:
    why = Text.assemble((reason.value, "bold"), f": {EXPLANATIONS[reason]}")
    if (rule := played.counted.rules.get(reason)) and rule != normalize_name(name):
        why.append(f" ({rule})", "dim")
    return why


def _counted(played: Played) -> Text:
    parts = [f"+{count} {kind}/{reason}" for (kind, reason), count in played.counted.decisions.items()]
    parts += [f"+{count} {_noun(count)} {outcome}" for outcome, count in played.counted.requests.items()]
    parts += [f"+{played.counted.identity_headers} set by the server"] if played.counted.identity_headers else []
    parts += [f"+{count} shadow {kind}/{reason}" for (kind, reason), count in played.counted.shadow.items()]
    return Text("   ".join(parts) or "nothing", "" if parts else "dim")


def _noun(count: int) -> str:
    return "request" if count == 1 else "requests"


def _extra(arrival: Arrival) -> Text:
    return Text("\n").join([Text(f"{name}: {value}", _HIGHLIGHT) for name, value in arrival.extra])


def _own_key(field: str) -> Text:
    note = "   the provider's own key" if field.endswith(PROVIDER_KEY) else "   NOT the provider's own key"
    return Text.assemble((field, _OWN_KEY), (note, "dim"))


def _in_brief(arrival: Arrival) -> Text:
    """Return the fields of a received request that matter, and how many others there are."""
    others = len(arrival.request.fields) - len(arrival.authorization) - len(arrival.extra)
    lines = [_own_key(f"authorization: {value}") for value in arrival.authorization]
    lines += [_extra(arrival)] if arrival.extra else []
    return Text("\n").join([*lines, Text(f"and the {others} other fields of every call", "dim")])


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
