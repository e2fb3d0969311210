"""`extra-headers check`."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from ..run_config.findings import Finding
    from ..run_config.policies import Checked

_EPILOG = """\b
Examples:
  extra-headers check run.yaml
  extra-headers check config.yaml  # of a LiteLLM proxy
  extra-headers check --format json staging.yaml production.yaml
  extra-headers check --format github run.yaml  # in a GitHub workflow
  kustomize build | extra-headers check -

Exits with 0 if there are no problems, 1 if there are errors or warnings, 2 if a
file is not a run config. The worst of several files counts.
"""
_UNUSABLE = 2
_TABLE_WIDTH = 60
_GITHUB_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="RUN_CONFIG...", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="`github` prints annotations for a workflow.",
)
@click.pass_context
def check(context: click.Context, *, files: Sequence[str], form: str) -> int:
    """Check the policies in a run config without starting a server. `-` reads standard input.

    RUN_CONFIG is an OGX run config or a LiteLLM config.yaml; its sections show which.

    Prints the policy of each provider with extra headers, and everything that is wrong: entries that can never match,
    settings that the host ignores, providers that read each other's headers, identity headers without authentication,
    and settings of LiteLLM that let headers pass unchecked.

    ${env.NAME} and os.environ/NAME are replaced from the environment, as the host does it. Values from the environment
    are not printed.
    """
    reports = [_report(path) for path in files]
    if form == "json":
        click.echo(json.dumps({"files": [_as_json(report) for report in reports]}, indent=2))
    elif form == "github":
        for report in reports:
            _annotate(report)
    else:
        _show(context, reports)
    return max(report.exit_code for report in reports)


class _Report:
    """What was found in one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.unusable: str | None = None
        self.wanting = 0
        self.without = 0
        self.checked: Sequence[Checked] = ()
        self.findings: Sequence[Finding] = ()

    @property
    def exit_code(self) -> int:
        if self.unusable is not None:
            return _UNUSABLE
        return int(any(finding.level != "note" for finding in self.findings))


def _report(path: str) -> _Report:
    from ..run_config.yaml_document import UnusableFileError  # noqa: PLC0415 - too slow for `--help`
    from . import configuration  # noqa: PLC0415 - likewise

    report = _Report(path)
    try:
        config = configuration.read(path)
    except UnusableFileError as error:
        report.unusable = str(error)
        return report
    report.checked, report.findings = configuration.check(config)
    report.wanting = sum(provider.wants_headers for provider in config.providers)
    report.without = len(config.providers) - report.wanting
    return report


def _as_json(report: _Report) -> dict[str, Any]:
    from ..run_config.environment import shown  # noqa: PLC0415 - too slow for `--help`

    return {
        "file": report.path,
        "unusable": report.unusable,
        "providers": [
            {
                "provider_id": shown(one.provider.id),
                "provider_type": shown(one.provider.type),
                "api": one.provider.api,
                "field": one.field,
                "digest": one.policy and one.policy.digest,
                "policy": {row.name: row.value for row in one.rows} if one.policy else None,
            }
            for one in report.checked
        ],
        "findings": [
            {"level": f.level.value, "line": f.line, "provider_id": f.provider, "message": f.message}
            for f in report.findings
        ],
        "exit_code": report.exit_code,
    }


def _annotate(report: _Report) -> None:
    """Print GitHub's workflow commands, which put each finding next to its line."""
    path = report.path.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    of_file = path.replace(":", "%3A").replace(",", "%2C")
    if report.unusable is not None:
        click.echo(f"::error file={of_file}::{path} {report.unusable}")
    for finding in report.findings:
        whose = f"{finding.provider}: " if finding.provider is not None else ""
        message = f"{whose}{finding.message}".replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        click.echo(f"::{_GITHUB_COMMANDS[finding.level]} file={of_file},line={finding.line}::{message}")


def _show(context: click.Context, reports: Sequence[_Report]) -> None:
    from .console import file_name, make_console, show  # noqa: PLC0415 - too slow for `--help`

    console = make_console()
    for number, report in enumerate(reports):
        if report.unusable is not None:
            click.echo(f"{context.command_path}: {file_name(report.path)} {report.unusable}", err=True)
            continue
        if number:
            show(console)
        for one in report.checked:
            _show_policy(console, one)
        _show_findings(console, report)


def _show_policy(console: "Console", one: "Checked") -> None:
    from rich.table import Table  # noqa: PLC0415 - too slow for `--help`
    from rich.text import Text  # noqa: PLC0415 - likewise

    from ..run_config.environment import shown  # noqa: PLC0415 - likewise
    from .console import printable, show  # noqa: PLC0415 - likewise

    heading = Text(printable(shown(one.provider.id)), "bold")
    facts = [shown(one.provider.type)]
    if one.policy is None:
        facts += ["unusable"]
    else:
        facts += [f"reads {one.field}" if one.policy.enabled else "off", f"policy {one.policy.digest}"]
    heading.append("  " + printable("  ".join(facts)), "dim" if one.policy else "red")
    show(console, heading)
    if one.policy is not None:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        table.add_column("  setting", no_wrap=True)
        table.add_column("value", overflow="fold")
        table.add_column("from", no_wrap=True)
        for row in one.rows:
            value, origin = printable(_value(row.value)), f"line {row.line}" if row.line else "default"
            if console.width < _TABLE_WIDTH:
                show(console, Text(f"  {row.name}: {value} ({origin})"))
            table.add_row(f"  {row.name}", Text(value), origin)
        if console.width >= _TABLE_WIDTH:
            show(console, table)
    show(console)


def _show_findings(console: "Console", report: _Report) -> None:
    from rich.text import Text  # noqa: PLC0415 - too slow for `--help`

    from .console import LEVEL_STYLES, file_name, printable, show  # noqa: PLC0415 - likewise

    path = file_name(report.path)
    for finding in report.findings:
        line = Text(f"{path}:{finding.line}: ")
        line.append(finding.level.value, LEVEL_STYLES[finding.level])
        whose = f"{finding.provider}: " if finding.provider is not None else ""
        line.append(printable(f": {whose}{finding.message}"))
        show(console, line, soft_wrap=True)
    show(console, f"{path}: {_summary(report)}", soft_wrap=True)


def _value(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{key}: {entry}" for key, entry in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _summary(report: _Report) -> str:
    counts = Counter(finding.level.value for finding in report.findings)
    found = [f"{number} {level}{'s' if number > 1 else ''}" for level, number in sorted(counts.items())]
    plural = "" if report.wanting == 1 else "s"
    providers = f"{report.wanting} provider{plural} with extra headers, {report.without} without"
    return f"{providers}; {', '.join(found) or 'no problems found'}"
