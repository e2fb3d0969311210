"""How `extra-headers explain` prints: text for any width, or JSON. Neither contains the value of a header or user."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.padding import Padding
from rich.text import Text

from ..policy.model import Policy
from ..run_config.environment import shown
from ..run_config.explanation import Explanation
from ..run_config.policies import Checked, without_users
from ..run_config.providers import RunConfig
from .console import LEVEL_STYLES, make_console, printable, show

_INDENT = 2
_STYLES = {"forwarded": "green", "sent": "green"}


type _Explained = Sequence[tuple[Checked, Explanation]]
"""A provider with its explanation, or each deployment of a LiteLLM model."""


def show_json(config: RunConfig, explained: _Explained, policy: Policy, ignored: Sequence[str]) -> None:
    """Print an object for each explanation; `ignored` are plain request headers that the policy does not list."""
    for checked, explanation in explained:
        click.echo(json.dumps(_as_json(config, checked, policy, explanation, ignored), indent=2))


def show_text(config: RunConfig, explained: _Explained, policy: Policy, ignored: Sequence[str]) -> None:
    """Print each explanation, under the line of its deployment if there are several."""
    console = make_console()
    for number, (checked, explanation) in enumerate(explained):
        if number:
            show(console)
        if len(explained) > 1:
            provider = checked.provider
            heading = f"{shown(provider.id)}, line {config.document.line_of(provider.path)} ({shown(provider.type)})"
            show(console, Text(printable(heading), "bold"))
        _show_explanation(config, checked, policy, explanation, ignored)


def _as_json(
    config: RunConfig, checked: Checked, policy: Policy, explanation: Explanation, ignored: Sequence[str]
) -> dict[str, Any]:
    missing = {} if explanation.identity is None else {m.name: m.reason.value for m in explanation.identity.missing}
    return {
        "provider_id": shown(checked.provider.id),
        "line": config.document.line_of(checked.provider.path),
        "field": checked.field,
        "enabled": policy.enabled,
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
        "ignored": list(ignored),
        "identity_headers": [
            {"name": name, "result": result, "missing": missing.get(name)}
            for name, result in _identity_results(explanation).items()
        ],
        "findings": [
            {"level": f.level.value, "line": f.line, "message": f.message} for f in without_users(config, checked)
        ],
        "outcome": "rejected" if explanation.status else explanation.evaluation.outcome.value,
        "status": explanation.status,
        "outbound": [
            {"by": party.by, "names": sorted(set(map(str.lower, party.names)))} for party in explanation.outbound
        ],
    }


def _show_explanation(
    config: RunConfig, checked: Checked, policy: Policy, explanation: Explanation, ignored: Sequence[str]
) -> None:
    """Print the explanation: each header and what decided below it, then the request, then what it has anyway."""
    console = make_console()
    for one in explanation.headers:
        rule = f"{one.rule}  " if one.rule else ""
        show(console, _line(one.header, one.decision.kind.value, one.decision.reason.value))
        show(console, Padding(Text(printable(f"{rule}{one.source}")), (0, 0, 0, _INDENT)))
    missing = {} if explanation.identity is None else {m.name: m.reason.value for m in explanation.identity.missing}
    for name, result in _identity_results(explanation).items():
        show(console, _line(name, result, f"set, {missing[name]}" if name in missing else "set"))
    for name in ignored:
        show(console, _line(name, "ignored", "`from_request` does not list it"))
    if explanation.headers or explanation.identity or ignored:
        show(console)
    for finding in without_users(config, checked):
        line = Text(finding.level.value, LEVEL_STYLES[finding.level])
        show(console, line.append(printable(f": line {finding.line}: {finding.message}"), ""))
    show(console, Text(printable(_outcome(checked, policy, explanation))))
    parties = "; ".join(f"{party.by} ({_names(party.names)})" for party in explanation.outbound)
    show(console, Text(printable(f"Headers already on the outbound request: {parties}"), "dim"))


def _line(name: str, result: str, why: str) -> Text:
    line = Text(printable(name), "bold")
    return line.append(": ").append(result, _STYLES.get(result, "bold red")).append(f" ({why})", "")


def _identity_results(explanation: Explanation) -> dict[str, str]:
    if explanation.identity is None:
        return {}
    return {name: result.value for name, result in explanation.identity.results().items()}


def _names(names: Iterable[str]) -> str:
    distinct = sorted({name.lower() for name in names})
    return ", ".join(name for name in distinct if not name.startswith("x-stainless-")) + (
        ", x-stainless-*" if any(name.startswith("x-stainless-") for name in distinct) else ""
    )


def _outcome(checked: Checked, policy: Policy, explanation: Explanation) -> str:
    provider = f"provider {shown(checked.provider.id)}"
    if not policy.enabled:
        return f"Extra headers are off for {provider}: they are ignored, and none is sent."
    if explanation.status is not None:
        return f"The request is rejected with status {explanation.status}; nothing is sent to {provider}."
    if not explanation.headers and checked.provider.field is not None:
        return f"No extra headers: the body has no {checked.field}."
    if not explanation.headers:
        return f"No extra headers: neither under {checked.field} in the provider data nor from `from_request`."
    sent = len(explanation.evaluation.forwarded)
    return f"The request goes to {provider} with {sent} of {len(explanation.headers)} extra headers."
