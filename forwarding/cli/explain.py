"""`extra-headers explain`."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, override

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from ..policy.model import Policy
    from ..run_config.checks import Checked
    from ..run_config.explanation import Explanation
    from ..run_config.providers import RunConfig

_EPILOG = """\b
Examples:
  extra-headers explain run.yaml --provider vllm -H 'X-Tenant: blue'
  echo '{"vllm_extra_headers": {"Via": "x"}}' |
    extra-headers explain run.yaml --provider vllm --data -

Exits with 0 if all headers are forwarded, 1 if one is blocked or malformed or
extra headers are off, 2 for unusable input.
"""
_MAX_DATA = 1024 * 1024


class _ProviderId(click.ParamType[str]):
    name = "provider"

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from ..run_config.providers import read_run_config  # noqa: PLC0415 - too slow for `--help`
        from ..run_config.yaml_document import UnusableFileError  # noqa: PLC0415 - too slow for `--help`

        # The words of an unfinished line are no parameters yet.
        path = next((word for word in (ctx.params.get("file"), *ctx.args) if word and not word.startswith("-")), "")
        try:
            providers = read_run_config(path, os.environ).providers
        except UnusableFileError:
            return []
        found = {provider.id.shown: provider for provider in providers if provider.api == "inference"}
        return [
            CompletionItem(shown, help=provider.type.shown)
            for shown, provider in found.items()
            # Both stand on a line of their own in what the shell reads.
            if shown.startswith(incomplete) and shown.isprintable() and provider.type.shown.isprintable()
        ]


@click.command(epilog=_EPILOG)
@click.argument("file", metavar="RUN_CONFIG", type=click.Path())
@click.argument("surplus", metavar="", nargs=-1, type=click.UNPROCESSED)
@click.option("--provider", "wanted", required=True, type=_ProviderId(), metavar="ID", help="The provider's id.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; repeat it for more.")
@click.option("--data", metavar="JSON", help="The whole provider data instead; - reads it from standard input.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def explain(  # noqa: PLR0913 - the command's options
    context: click.Context,
    *,
    file: str,
    surplus: Sequence[str],
    wanted: str,
    headers: Sequence[str],
    data: str | None,
    form: str,
) -> int:
    """Show what would be decided for each header, and the rule that decides it.

    The decision is that of the server for a chat completion, the headers that the call to the provider carries anyway
    among it. Values are checked and never shown.
    """
    # What is wrong here may be a value whose quotes are missing, so nothing of it is repeated.
    if surplus:
        _refuse(context, "too many arguments; quote each header, such as -H 'X-Tenant: blue', and the JSON of --data")
    if bool(headers) == (data is not None):
        _refuse(context, "give either headers, such as -H 'X-Tenant: blue', or the whole provider data with --data")
    if any(not colon for _, colon, _ in (header.partition(":") for header in headers)):
        _refuse(context, "a header given with -H has no colon; write -H 'Name: value'")

    from ..run_config.explanation import explain_request  # noqa: PLC0415 - too slow for `--help`

    config, checked, policy = _policy_of(context, file, wanted)
    caller = _from_options(headers) if data is None else _from_data(context, data, checked)
    explanation = explain_request(config, checked, policy, caller)
    if form == "json":
        click.echo(json.dumps(_as_json(checked, explanation), indent=2))
    else:
        _show(checked, explanation)
    clean = explanation.evaluation.outcome == "clean" and policy.enabled
    return 0 if clean else 1


def _refuse(context: click.Context, message: str) -> NoReturn:
    raise click.UsageError(message, context)


def _from_options(headers: Sequence[str]) -> object:
    from ..policy.provider_data import RepeatedKeys  # noqa: PLC0415 - too slow for `--help`

    pairs = [header.partition(":") for header in headers]
    # As HTTP does, without the white space after the colon.
    return RepeatedKeys([(name, value.lstrip(" \t")) for name, _, value in pairs])


def _from_data(context: click.Context, data: str, checked: "Checked") -> object | None:
    from ..policy.provider_data import decode_object, headers_in  # noqa: PLC0415 - too slow for `--help`

    if data == "-":
        content = sys.stdin.buffer.read(_MAX_DATA + 1)
        if len(content) > _MAX_DATA:
            _refuse(context, "the provider data on standard input is larger than 1 MiB; no header may be")
        try:
            data = content.decode("utf-8")
        except UnicodeDecodeError:
            _refuse(context, "the provider data on standard input is not UTF-8 text")
    if data.strip() in ("", "null"):
        return None
    return headers_in(decode_object(data), checked.key)


def _policy_of(context: click.Context, file: str, wanted: str) -> "tuple[RunConfig, Checked, Policy]":
    """Return the provider that is asked for, if its policy can be used."""
    from ..run_config import checks  # noqa: PLC0415 - too slow for `--help`
    from ..run_config.providers import read_run_config  # noqa: PLC0415 - too slow for `--help`
    from ..run_config.yaml_document import UnusableFileError  # noqa: PLC0415 - too slow for `--help`
    from . import console  # noqa: PLC0415 - too slow for `--help`

    path = console.printable(file)
    try:
        config = read_run_config(file, os.environ)
    except UnusableFileError as error:
        _refuse(context, f"{path} {error}")
    providers = [provider for provider in config.providers if provider.api == "inference"]
    # Of equal ids, the host takes the last.
    provider = next((p for p in reversed(providers) if wanted in (p.id.value, p.id.shown)), None)
    if provider is None:
        known = console.printable(", ".join(p.id.shown for p in providers)) or "none"
        _refuse(context, f"{path} has no inference provider '{console.printable(wanted)}'; it has {known}")
    wrong = [f for f in checks.check_provider(config, provider) if f.level is checks.Level.ERROR]
    checked, _ = checks.check_policy(config, provider)
    if checked.policy is None or wrong:
        more = f"; `extra-headers check` shows {len(wrong) - 1} more" if len(wrong) > 1 else ""
        message = console.printable(f"{provider.id.shown}: {wrong[0].message}")
        _refuse(context, f"{path}:{wrong[0].line}: {message}{more}")
    return config, checked, checked.policy


def _as_json(checked: "Checked", explanation: "Explanation") -> dict[str, Any]:
    return {
        "provider_id": checked.provider.id.shown,
        "field": checked.field,
        "enabled": checked.policy is not None and checked.policy.enabled,
        "headers": [
            {
                "name": one.decision.name,
                "name_length": one.decision.name_length,
                "decision": one.decision.kind.value,
                "reason": one.decision.reason.value,
                "rule": one.rule,
                "source": one.source,
            }
            for one in explanation.headers
        ],
        "outcome": explanation.evaluation.outcome.value,
        "status": explanation.status,
        "carried": [
            {"by": party.by, "names": sorted(set(map(str.lower, party.names)))} for party in explanation.carried
        ],
    }


def _show(checked: "Checked", explanation: "Explanation") -> None:
    from rich.text import Text  # noqa: PLC0415 - too slow for `--help`

    from .console import make_console, printable, show, table  # noqa: PLC0415 - likewise

    console = make_console()
    rows = [
        (
            one.header,
            Text(one.decision.kind.value, "green" if one.decision.kind == "forwarded" else "bold red"),
            one.decision.reason.value,
            one.rule or "-",
            one.source,
        )
        for one in explanation.headers
    ]
    if rows:
        show(console, table(rows, ("header", "decision", "reason", "rule", "from"), indent=0))
        show(console)
    show(console, Text(printable(_outcome(checked, explanation))), soft_wrap=True)
    named = [f"{party.by} ({_names(party.names)})" for party in explanation.carried]
    show(console, Text(printable(f"Carried by the call in any case: {'; '.join(named)}"), "dim"), soft_wrap=True)


def _names(names: Iterable[str]) -> str:
    distinct = sorted({name.lower() for name in names})
    return ", ".join(name for name in distinct if not name.startswith("x-stainless-")) + (
        ", x-stainless-*" if any(name.startswith("x-stainless-") for name in distinct) else ""
    )


def _outcome(checked: "Checked", explanation: "Explanation") -> str:
    provider = f"provider {checked.provider.id.shown}"
    if checked.policy is not None and not checked.policy.enabled:
        return f"Extra headers are off for {provider}: they are ignored, and none is sent."
    if not explanation.headers:
        return f"No extra headers: the provider data has nothing under {checked.field}."
    if explanation.status is not None:
        return f"The request is rejected with status {explanation.status}; nothing is sent to {provider}."
    sent = len(explanation.evaluation.forwarded)
    return f"The request goes to {provider} with {sent} of {len(explanation.headers)} extra headers."
