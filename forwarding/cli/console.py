"""How the commands print: in colour on a terminal, in plain lines elsewhere, with control codes escaped."""

import os
import sys
from io import TextIOWrapper

import click
from rich.console import Console, RenderableType

# Wide enough that a row of a table in a pipe is one line.
_UNLIMITED = 100_000
LEVEL_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def printable(text: str) -> str:
    r"""Return `text` with unprintable characters escaped as in a Python string: `\n`, `\x1b`."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def file_name(path: str) -> str:
    """Return the path of a file as messages show it."""
    return "<stdin>" if path == "-" else printable(path)


def make_console(limit: int = _UNLIMITED) -> Console:
    """Return a console for stdout, as wide as the terminal or COLUMNS, or else as `limit`, which is the maximum."""
    terminal = sys.stdout.isatty()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isascii() and columns.isdigit() and 0 < int(columns) < _UNLIMITED else None
    console = Console(
        force_terminal=None if terminal else False,
        width=width or (None if terminal else limit),
        highlight=False,
        emoji=False,
        markup=False,
    )
    if console.width > limit:  # noqa: PLR1730 - a width that is set no longer follows the terminal
        console.width = limit
    return console


def show(console: Console, content: RenderableType = "", *, soft_wrap: bool = False) -> None:
    """Print without the trailing spaces that fill the lines of a table.

    Args:
        console: the console to print to.
        content: the text or table.
        soft_wrap: let the terminal break long lines.

    """
    with console.capture() as captured:
        console.print(content, soft_wrap=soft_wrap)
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), color=True)
