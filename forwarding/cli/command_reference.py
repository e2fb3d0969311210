"""The reference of the command line, docs/cli.md: what this module prints as a program."""

import sys
from collections.abc import Iterator

import click

from .app import PROGRAM, commands

_INTRODUCTION = """# Command line

Generated from the commands in `forwarding/cli/`; do not edit. `make docs` writes it.

The package installs the command `extra-headers`. `python -m extra_headers.forwarding` is the same command.

"""
_WIDTH = 88


def render() -> str:
    """Return the reference as Markdown."""
    sections = list(_sections(commands, PROGRAM))
    rows = "".join(f"| [`{name}`](#{name.replace(' ', '-')}) | {summary} |\n" for name, summary, _ in sections)
    return _INTRODUCTION + f"| command | what it does |\n|---|---|\n{rows}" + "".join(text for _, _, text in sections)


def _sections(command: click.Command, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the summary and the section of a command, then those of its sub-commands."""
    context = click.Context(
        command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH, **command.context_settings
    )
    # A parent would be part of the usage line a second time; its settings are those of the whole program.
    context.help_option_names = ["-h", "--help"]
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield name, command.get_short_help_str(200), f"\n## `{name}`\n\n```text\n{text}\n```\n"
    if isinstance(command, click.Group):
        for below, sub_command in command.commands.items():
            yield from _sections(sub_command, f"{name} {below}")


if __name__ == "__main__":
    sys.stdout.write(render())
