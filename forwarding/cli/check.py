"""`extra-headers check`."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from ..run_config.checks import Checked, Finding

_EPILOG = """\b
Example, in continuous integration:
  extra-headers check run.yaml
  extra-headers check --format json staging.yaml production.yaml

Exits with 0 if all is well, 1 if there are errors or warnings, 2 if a file is
no run config. Of several files, the worst counts.
"""
_UNUSABLE = 2


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="RUN_CONFIG...", type=click.Path())
@click.option("--format", "wanted", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def check(context: click.Context, *, files: Sequence[str], wanted: str) -> int:
    """Check the policies in a run config without starting a server.

    Prints, for each provider with extra headers, the policy that would be in force, and all that is wrong with it:
    entries that cannot do what they should, a flag that OGX ignores, providers that read each other's headers.

    ${env.NAME} is replaced from the environment, as OGX does it. What comes from there is not shown.
    """
    from .console import make_console  # noqa: PLC0415 - too slow for `--help`

    console = make_console()
    reports = [_report(path) for path in files]
    if wanted == "json":
        click.echo(json.dumps({"files": [_as_json(report) for report in reports]}, indent=2))
    else:
        for number, report in enumerate(reports):
            _show(context, console, report, first=number == 0)
    return max(report.exit_code for report in reports)


class _Report:
    """What was found in one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.unusable: str | None = None
        self.without = 0
        self.checked: Sequence[Checked] = ()
        self.findings: Sequence[Finding] = ()

    @property
    def exit_code(self) -> int:
        if self.unusable is not None:
            return _UNUSABLE
        return int(any(finding.level != "note" for finding in self.findings))


def _report(path: str) -> _Report:
    from ..run_config import checks, providers, yaml_document  # noqa: PLC0415 - too slow for `--help`

    report = _Report(path)
    try:
        config = providers.read_run_config(path, os.environ)
    except yaml_document.UnusableFileError as error:
        report.unusable = str(error)
        return report
    report.checked, report.findings = checks.check(config)
    report.without = len(config.providers) - len(report.checked)
    return report


def _as_json(report: _Report) -> dict[str, Any]:
    return {
        "file": report.path,
        "unusable": report.unusable,
        "providers": [
            {
                "provider_id": one.provider.id.shown,
                "provider_type": one.provider.type.shown,
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


def _show(context: click.Context, console: "Console", report: _Report, *, first: bool) -> None:
    from rich.text import Text  # noqa: PLC0415 - too slow for `--help`

    from .console import LEVEL_STYLES, printable, show, table  # noqa: PLC0415 - likewise

    path = printable(report.path)
    if report.unusable is not None:
        click.echo(f"{context.command_path}: {path} {report.unusable}", err=True)
        return
    if not first:
        show(console)
    for one in report.checked:
        heading = Text(printable(one.provider.id.shown), "bold")
        facts = [one.provider.type.shown]
        if one.policy is not None:
            facts += ["off" if not one.policy.enabled else f"reads {one.field}", f"policy {one.policy.digest}"]
        else:
            facts += ["unusable"]
        heading.append("  " + printable("  ".join(facts)), "dim" if one.policy else "red")
        show(console, heading)
        if one.policy is not None:
            rows = [(row.name, _value(row.value), f"line {row.line}" if row.line else "default") for row in one.rows]
            show(console, table(rows, ("setting", "value", "from")))
        show(console)
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
    with_headers = len(report.checked)
    providers = (
        f"{with_headers} provider{'' if with_headers == 1 else 's'} with extra headers, {report.without} without"
    )
    return f"{providers}; {', '.join(found) or 'nothing to complain about'}"
