"""The `extra-headers` command group, and how its errors are told: one sentence, and an exit code for scripts.

A sub-command stands in a module of its own and imports what it needs when it runs, so that `--help` stays quick.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from extra_headers.dashboards.cli import dashboards

from .check import check
from .completion import completion
from .demo.command import demo
from .explain import explain
from .schema import schema
from .watch.command import watch

_EXAMPLES = """\b
Examples:
  extra-headers check run.yaml  what is wrong with the policies in a run config
  extra-headers explain run.yaml --provider vllm -H 'X-Tenant: blue'
                                what would be decided for a header, and why
  extra-headers demo            see it work: a real OGX server, hostile callers
  extra-headers demo --keep     the same, left running for requests of your own
  extra-headers dashboards export --out monitoring
                                dashboards, alert rules and routes, as files
  extra-headers watch           decisions of a running server, as they are made
"""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXAMPLES)
@click.version_option(
    package_name="extra-headers-forwarding", prog_name="extra-headers", message="%(prog)s %(version)s"
)
@click.pass_context
def commands(context: click.Context) -> None:
    """Forward callers' extra HTTP headers to one model provider of an OGX server, safely.

    Every header is forwarded, blocked or malformed, and every decision is counted and traced. To switch it on, add two
    lines to a provider of your server's run config:

    \b
      module: extra_headers.forwarding
      config:
        extra_headers: true
    """  # noqa: D301 - click looks for the character itself
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (check, explain, schema, watch, demo, dashboards, completion):
    commands.add_command(command)


def run(arguments: Sequence[str] | None) -> None:
    """Run the command with `arguments`, by default those of this process, and exit."""
    try:
        exit_code = commands.main(arguments, prog_name="extra-headers", standalone_mode=False)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        _fail(context.command_path if context else "extra-headers", error.format_message(), error.exit_code)
    except OSError as error:  # such as a full disk, under the output or the temporary directory
        _fail("extra-headers", str(error), 1)
    sys.exit(exit_code or 0)


def _fail(command: str, message: str, exit_code: int) -> NoReturn:
    click.echo(f"{command}: {message}", err=True)
    sys.exit(exit_code)
