"""The command `extra-headers dashboards`: writes dashboards, rules and manifests from the installed package."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from .tuning import Tuning


@click.group()
def dashboards() -> None:
    """Grafana dashboards, Prometheus rules and alert routes."""


@dashboards.command()
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["grafana", "prometheus", "alertmanager", "kubernetes", "runbooks", "all"]),
    default="all",
    show_default=True,
    help="The folder to write; `all` adds a compose file and a values file.",
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
    "--config",
    type=click.File(encoding="utf-8"),
    help="A values file: thresholds, severities, labels, runbooks and more; `-` reads standard input.",
)
@click.option("--runbooks", metavar="URL", help="Base URL of the runbooks that alerts link to.")
@click.option("--receiver-url", metavar="URL", help="Base URL of the webhooks in the Alertmanager example.")
@click.option("--namespace", help="Namespace of the Kubernetes manifests.")
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Added to the Kubernetes manifests; repeatable."
)
@click.pass_context
def export(  # noqa: PLR0913 - the command's options
    context: click.Context,
    *,
    wanted: str,
    folder: Path,
    force: bool,
    config: TextIO | None,
    runbooks: str | None,
    receiver_url: str | None,
    namespace: str | None,
    labels: tuple[str, ...],
) -> None:
    """Write dashboards, rules, manifests and runbooks to a folder.

    Options of the command line have precedence over the values file.
    """
    from . import export as files  # noqa: PLC0415 - too slow for `--help`

    tuning = _tuning(context, config, runbooks, receiver_url, namespace, labels)
    content = files.build(files.committed_dashboards(), tuning) | files.runbooks(tuning)
    content = {path: text for path, text in content.items() if wanted in {"all", path.partition("/")[0]}}
    if config is not None:
        content.pop("monitoring.yaml", None)  # it has the defaults, and the user has a file already
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


@dashboards.command()
def schema() -> None:
    """Print the JSON Schema of a values file."""
    from .values_file import schema as text  # noqa: PLC0415 - too slow for `--help`

    click.echo(text(), nl=False)


def _tuning(  # noqa: PLR0913, PLR0917 - the command's options
    context: click.Context,
    config: TextIO | None,
    runbooks: str | None,
    receiver_url: str | None,
    namespace: str | None,
    labels: tuple[str, ...],
) -> "Tuning":
    from .values_file import ValuesError, read  # noqa: PLC0415 - too slow for `--help`

    if faulty := [label for label in labels if "=" not in label]:
        raise click.UsageError(f"--label takes NAME=VALUE, such as release=prometheus; not {faulty[0]}", context)
    kubernetes = {"namespace": namespace, "labels": dict(label.split("=", 1) for label in labels)}
    options = {
        "runbooks": runbooks,
        "receiver_url": receiver_url,
        "kubernetes": {name: value for name, value in kubernetes.items() if value},
    }
    options = {name: value for name, value in options.items() if value}
    try:
        return read(config.read() if config else "", config.name if config else "options", options)
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read the values file: {error}", context) from None
    except ValuesError as error:
        raise click.UsageError(f"the values are wrong:\n{error}", context) from None


def _differing(content: Mapping[str, str], folder: Path) -> list[str]:
    return [
        path
        for path, text in content.items()
        if (folder / path).exists() and (folder / path).read_bytes() != text.encode()
    ]
