"""`extra-headers blocklist`."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ..policy.decision import CORE_REASONS, EXPLANATIONS, Reason

if TYPE_CHECKING:
    from ..policy.blocklist import CoreRule

_EPILOG = """\b
Examples:
  extra-headers blocklist
  extra-headers blocklist --reason credential --format json
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in CORE_REASONS]),
    metavar="REASON",
    help="Only the rules with this reason, such as credential.",
)
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
def blocklist(*, reason: str | None, form: str) -> None:
    """Print the core blocklist: each rule with its reason and its source.

    A rule is a header name, or a prefix followed by `*`. `unblock` in a policy can unblock single names, except those
    that frame messages, carry credentials or control a gateway.
    """
    from ..policy.blocklist import CORE_BLOCKLIST  # noqa: PLC0415 - too slow for `--help`

    rules = [rule for rule in CORE_BLOCKLIST if reason in (None, rule.reason.value)]
    click.echo({"text": _text, "json": _json, "markdown": _markdown}[form](rules), nl=False)


def _text(rules: Sequence["CoreRule"]) -> str:
    width = max(len(rule.pattern) for rule in rules)
    longest = max(len(rule.reason) for rule in rules)
    return "".join(f"{rule.pattern:{width}}  {rule.reason.value:{longest}}  {rule.source}\n" for rule in rules)


def _json(rules: Sequence["CoreRule"]) -> str:
    listed = [
        {
            "pattern": rule.pattern,
            "reason": rule.reason.value,
            "can_be_unblocked": _can_be_unblocked(rule.reason),
            "source": rule.source,
        }
        for rule in rules
    ]
    return json.dumps(listed, indent=2) + "\n"


def _markdown(rules: Sequence["CoreRule"]) -> str:
    return "\n".join(_section(reason, list(group)) for reason, group in groupby(rules, key=lambda rule: rule.reason))


def _section(reason: Reason, rules: Sequence["CoreRule"]) -> str:
    unblock = "Single names can be unblocked." if _can_be_unblocked(reason) else "These names stay blocked."
    rows = "".join(f"| `{rule.pattern}` | {rule.source.replace('|', '\\|')} |\n" for rule in rules)
    explanation = EXPLANATIONS[reason]
    return (
        f"## `{reason.value}`\n\n{explanation[0].upper()}{explanation[1:]}. {unblock}\n\n"
        f"| rule | source |\n|---|---|\n{rows}"
    )


def _can_be_unblocked(reason: Reason) -> bool:
    from ..policy.entries import NEVER_UNBLOCKED  # noqa: PLC0415 - too slow for `--help`

    return reason not in NEVER_UNBLOCKED
