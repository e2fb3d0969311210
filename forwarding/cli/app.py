"""The `extra-headers` command group, and how it reports errors: one sentence, and an exit code for scripts.

Each command is a module and imports what it needs when it runs, so that `--help` stays quick.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from extra_headers.dashboards.cli import dashboards

from .blocklist import blocklist
from .check import check
from .demo.command import demo
from .explain import explain
from .schema import schema
from .watch.command import watch

PROGRAM = "extra-headers"
_EPILOG = """\b
Examples:
  extra-headers check run.yaml  find what is wrong with the policies in a run config
  extra-headers explain run.yaml -H 'X-Tenant: blue'
                                show the decision on a header, and the reason
  extra-headers demo            see it work: a real OGX server, hostile callers
  extra-headers demo --keep     the same, left running for your own requests
  extra-headers dashboards export --out monitoring
                                write dashboards, alert rules and routes
  extra-headers watch           show the decisions of a running server

\b
To complete commands and options in your shell, add a line to its startup file:
  bash: eval "$(_EXTRA_HEADERS_COMPLETE=bash_source extra-headers)"
  zsh:  eval "$(_EXTRA_HEADERS_COMPLETE=zsh_source extra-headers)"
  fish: _EXTRA_HEADERS_COMPLETE=fish_source extra-headers | source
"""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.version_option(
    None, "-V", "--version", package_name="extra-headers-forwarding", prog_name=PROGRAM, message="%(prog)s %(version)s"
)
@click.pass_context
def commands(context: click.Context) -> None:
    """Forward callers' extra HTTP headers to one model provider of an OGX server or LiteLLM proxy.

    Every header is forwarded, blocked or malformed, and every decision is counted and traced. To switch it on, add two
    lines to a provider in the run config of your OGX server:

    \b
      module: extra_headers.forwarding
      config:
        extra_headers: {allow: ["x-tenant-*"]}
    """  # noqa: D301 - click looks for the character itself
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (check, explain, blocklist, schema, watch, demo, dashboards):
    commands.add_command(command)


def run(arguments: Sequence[str] | None) -> None:
    """Run the command with `arguments`, by default those of this process, and exit."""
    try:
        exit_code = commands.main(
            arguments, prog_name=PROGRAM, complete_var="_EXTRA_HEADERS_COMPLETE", standalone_mode=False
        )
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else PROGRAM
        hint = f"\nTry '{command} --help'." if isinstance(error, click.UsageError) else ""
        _fail(f"{command}: {error.format_message()}{hint}", error.exit_code)
    except OSError as error:  # such as a full disk, under the output or the temporary directory
        _fail(f"{PROGRAM}: {error}", 1)
    sys.exit(exit_code or 0)


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(exit_code)
