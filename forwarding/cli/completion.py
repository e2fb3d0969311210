"""`extra-headers completion`."""

import click
from click.shell_completion import get_completion_class

_PROGRAM = "extra-headers"
_EPILOG = """\b
Examples:
  bash: extra-headers completion bash >> ~/.bashrc
  zsh:  extra-headers completion zsh  >> ~/.zshrc
  fish: extra-headers completion fish |
          tee ~/.config/fish/completions/extra-headers.fish
"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the script that completes this command's words in a shell.

    It completes commands, options, files, and the provider ids of the run config on the line.
    """
    root = context.find_root().command
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choices above are click's own
    click.echo(kind(root, {}, _PROGRAM, "_EXTRA_HEADERS_COMPLETE").source())
