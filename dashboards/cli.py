"""The command `extra-headers dashboards`: writes the dashboards, rules and manifests from the installed package."""

from collections.abc import Mapping
from pathlib import Path

import click

from .alertmanager import DEFAULT_RECEIVER_URL
from .tuning import DEFAULT_RUNBOOKS


@click.group()
def dashboards() -> None:
    """Grafana dashboards, Prometheus rules and alert routes."""


@dashboards.command()
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["grafana", "prometheus", "alertmanager", "kubernetes", "all"]),
    default="all",
    show_default=True,
    help="The folder to write; `all` adds a compose file.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder to write to; it is created.",
)
@click.option("--force", is_flag=True, help="Overwrite files that differ.")
@click.option(
    "--runbooks",
    default=DEFAULT_RUNBOOKS,
    show_default=True,
    metavar="URL",
    help="Base URL of the runbooks that alerts link to.",
)
@click.option(
    "--receiver-url",
    default=DEFAULT_RECEIVER_URL,
    show_default=True,
    metavar="URL",
    help="Base URL of the webhooks in the Alertmanager example.",
)
@click.pass_context
def export(context: click.Context, *, wanted: str, folder: Path, force: bool, runbooks: str, receiver_url: str) -> None:  # noqa: PLR0913 - the command's options
    """Write dashboards, rules and manifests to a folder."""
    from .export import Options, build, committed_dashboards  # noqa: PLC0415 - too slow for `--help`

    options = Options(runbooks=runbooks, receiver_url=receiver_url)
    files = build(committed_dashboards(), options)
    content = {path: text for path, text in files.items() if wanted in {"all", path.partition("/")[0]}}
    try:
        if not force and (differing := _differing(content, folder)):
            listed = "\n".join(f"  {folder / path}" for path in differing)
            raise click.UsageError(
                f"these files exist and differ; overwrite them with --force, or choose another --out:\n{listed}",
                context,
            )
        for path, text in content.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"cannot write to {folder}: {error.strerror or error} ({error.filename})"
        raise click.UsageError(message, context) from None
    for path in content:
        click.echo(str(folder / path))


def _differing(content: Mapping[str, str], folder: Path) -> list[str]:
    return [
        path
        for path, text in content.items()
        if (folder / path).exists() and (folder / path).read_bytes() != text.encode()
    ]
