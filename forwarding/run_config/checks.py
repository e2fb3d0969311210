"""What is wrong with the extra headers of a run config, without starting a server.

Pure functions over a `RunConfig`. Errors stop the server, or make a setting do something else than it says; a warning
is a setting that works and is probably not meant; a note is worth knowing and no fault.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, get_origin

from pydantic import BaseModel

from ..policy.entries import ineffective_block_entries
from ..policy.field_names import normalize_name
from ..policy.model import Policy, PolicyError, PolicyFinding, default_field, parse_policy
from .provider_types import REMOTE_INFERENCE_TYPES
from .providers import MODULE, SETTING, Provider, RunConfig, Unset

_INFERENCE = "inference"
_SETTING_PLACE = ("config", SETTING)

type _Place = tuple[str | int, ...]


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell the operator."""

    level: Level
    line: int
    provider: str | None
    """As it may be shown."""
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One setting of the policy in force."""

    name: str
    """Dotted: `limits.max_headers`."""
    value: Any
    """As it may be shown; None where the setting is not given and has no default."""
    line: int | None
    """Where it stands; None for a default."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A provider with its policy."""

    provider: Provider
    policy: Policy | None
    """None where the setting is unusable."""
    key: str
    """The key of the provider data that the headers stand under."""
    field: str
    """The same, as it may be shown."""
    rows: tuple[Row, ...]


def check(config: RunConfig) -> tuple[list[Checked], list[Finding]]:
    """Return the providers with extra headers, and everything that is wrong, in the order of the file."""
    findings = [*_repeated_keys(config), *(_unset(config, unset, None) for unset in config.unset)]
    checked = []
    for provider in config.providers:
        findings += check_provider(config, provider)
        if provider.wants_headers:
            checked.append(check_policy(config, provider)[0])
    findings += _shared_fields(config, checked)
    return checked, sorted(findings, key=lambda finding: finding.line)


def check_provider(config: RunConfig, provider: Provider) -> list[Finding]:
    """Return what is wrong with one provider, taken alone."""
    # The host keeps one implementation for each type: the last that an entry loads.
    same_type = [p for p in config.providers if (p.api, p.type.value) == (provider.api, provider.type.value)]
    loader = next((p for p in reversed(same_type) if p.module is not None), None)
    findings = [*_of_the_entry(config, provider, loader), *(_unset(config, u, provider) for u in provider.unset)]
    return findings if provider.unset else findings + check_policy(config, provider)[1]


def check_policy(config: RunConfig, provider: Provider) -> tuple[Checked, list[Finding]]:
    """Return the policy of one provider, and what is wrong with it."""
    subject = f"provider {provider.id.shown!r} ({provider.type.shown})"
    try:
        policy = parse_policy(provider.setting, subject)
    except PolicyError as error:
        found = [
            _about_an_entry(config, provider, Level.ERROR, finding.path, finding.message) for finding in error.findings
        ]
        return Checked(provider, None, "", "", ()), found
    found = []
    for above, rules in (((), policy), (("shadow",), policy.shadow)):
        for path, text in ineffective_block_entries(rules.allow, rules.block) if rules else ():
            finding = PolicyFinding((*above, *path), text)
            found.append(_about_an_entry(config, provider, Level.WARNING, finding.path, finding.message))
    rows = tuple(_rows(config, provider, policy, ()))
    key = policy.field or default_field(provider.type.value)
    field = provider.hidden.get(("field",)) or policy.field or default_field(provider.type.shown)
    return Checked(provider, policy, key, field, rows), found


def line_of(config: RunConfig, provider: Provider, path: Sequence[str | int]) -> int:
    """Return the line of a setting of a provider's policy."""
    return config.document.line((*provider.setting_place, *path))


def _rows(config: RunConfig, provider: Provider, model: BaseModel, path: tuple[str, ...]) -> Iterator[Row]:
    for name, about in type(model).model_fields.items():
        here, value = (*path, name), getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _rows(config, provider, value, here)
            continue
        line = line_of(config, provider, here) if _is_given(provider.setting, here) else None
        if get_origin(about.annotation) is not Literal:
            value = _shown(provider, here, value)
        yield Row(".".join(here), value, line)


def _is_given(setting: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(setting, dict) or name not in setting:
            return False
        setting = setting[name]
    return True


def _shown(provider: Provider, place: tuple[str | int, ...], value: Any) -> Any:
    """Return a value with what the environment put in replaced by what is written in the file."""
    if isinstance(value, str):
        return provider.hidden.get(place, value)
    if isinstance(value, tuple | list):
        return [_shown(provider, (*place, index), entry) for index, entry in enumerate(value)]
    if isinstance(value, dict):
        return {key: _shown(provider, (*place, key), entry) for key, entry in value.items()}
    return value


def _about_an_entry(
    config: RunConfig, provider: Provider, level: Level, path: tuple[str | int, ...], message: str
) -> Finding:
    hidden = provider.hidden.get(path)
    if hidden is None and any(_quotes(message, _at(provider.setting, place)) for place in provider.hidden):
        hidden = "another entry"
    if hidden is not None:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
        message = f"{where or SETTING}: unusable with what the environment variable in {hidden} holds (not shown)"
    return Finding(level, line_of(config, provider, path), provider.id.shown, message)


def _at(setting: Any, place: Sequence[str | int]) -> str:
    for step in place:
        setting = setting[step]
    return str(setting)


def _quotes(message: str, value: str) -> bool:
    return any(text in message for text in (value, ascii(value)[1:-1], normalize_name(value)))


def _of_the_entry(config: RunConfig, provider: Provider, loader: Provider | None) -> Iterator[Finding]:
    """Yield what is wrong with how a provider's entry loads the add-on."""

    def at(place: _Place, level: Level, message: str) -> Finding:
        return Finding(level, config.document.line((*provider.place, *place)), provider.id.shown, message)

    if provider.misplaced_setting:
        message = f"OGX ignores `{SETTING}` beside `config`; move it into the provider's `config`"
        yield at((SETTING,), Level.ERROR, message)
    if _is_misspelled(provider):
        yield at(("module",), Level.ERROR, f"OGX finds no such module; write `module: {MODULE}`")
    elif provider.api != _INFERENCE and (provider.wants_headers or provider.loads_the_add_on):
        place = _SETTING_PLACE if provider.wants_headers else ("module",)
        message = f"only inference providers carry extra headers, not {provider.api}; remove it"
        yield at(place, Level.ERROR, message)
    elif provider.wants_headers:
        yield from (at(*finding) for finding in _of_the_flag(provider, loader))
    elif provider.loads_the_add_on and not (provider.has_setting or provider.misplaced_setting):
        message = f"loads the add-on, which does nothing without `{SETTING}`; add `{SETTING}: true` to its `config`"
        yield at(("module",), Level.NOTE, message)


def _is_misspelled(provider: Provider) -> bool:
    """Whether `module:` means this add-on and does not name it."""
    if provider.module is None or provider.loads_the_add_on:
        return False
    return re.sub(r"[-_.]+", "-", provider.module.value.lower()).startswith(re.sub(r"[-_.]+", "-", MODULE))


def _of_the_flag(provider: Provider, loader: Provider | None) -> Iterator[tuple[_Place, Level, str]]:
    """Yield what is wrong with `extra_headers` on an inference provider, by the entry's other settings."""
    kind = provider.type
    if kind.value.startswith("inline::"):
        message = f"a provider of type {kind.shown} makes no outbound calls and carries no extra headers"
        yield _SETTING_PLACE, Level.ERROR, f"{message}; remove `{SETTING}`"
        return
    if provider.module is not None and not provider.loads_the_add_on:
        message = f"`module: {provider.module.shown}` ignores `{SETTING}`; it needs `module: {MODULE}`"
        yield _SETTING_PLACE, Level.ERROR, message
    elif provider.module is None and loader is not None and loader.loads_the_add_on:
        message = (
            f"works only because provider {loader.id.shown!r} of the same type loads the add-on; "
            f"add `module: {MODULE}` here as well"
        )
        yield _SETTING_PLACE, Level.WARNING, message
    elif loader is None:
        message = f"OGX ignores `{SETTING}` without the add-on; add `module: {MODULE}` beside `provider_type`"
        yield _SETTING_PLACE, Level.ERROR, message
    elif not loader.loads_the_add_on:
        message = (
            f"provider {loader.id.shown!r} of the same type loads another module, and OGX uses the last for both; "
            f"give both the same `module`"
        )
        yield _SETTING_PLACE, Level.ERROR, message
    if kind.value not in REMOTE_INFERENCE_TYPES:
        message = f"OGX 1.5 has no provider type {kind.shown}, so extra headers are not known to work on it"
        yield ("provider_type",), Level.WARNING, message


def _unset(config: RunConfig, unset: Unset, provider: Provider | None) -> Finding:
    message = (
        f"the environment variable {unset.variable} is not set, so OGX does not start; set it, or write "
        f"${{env.{unset.variable}:=default}}"
    )
    return Finding(Level.ERROR, config.document.line(unset.place), provider.id.shown if provider else None, message)


def _repeated_keys(config: RunConfig) -> Iterator[Finding]:
    for key in config.document.repeated_keys:
        message = f"the same key stands at line {key.first_line} already, and OGX reads only the last; remove one"
        yield Finding(Level.WARNING, key.line, None, message)


def _shared_fields(config: RunConfig, checked: Sequence[Checked]) -> Iterator[Finding]:
    """Yield each provider that reads the headers meant for another, unless all of them say so by their `field`."""
    by_field: dict[str, list[Checked]] = defaultdict(list)
    for one in checked:
        if one.policy is not None and one.policy.enabled:
            by_field[one.key].append(one)
    for sharing in by_field.values():
        if len(sharing) == 1 or all(one.policy and one.policy.field for one in sharing):
            continue
        for one in sharing:
            others = ", ".join(repr(other.provider.id.shown) for other in sharing if other is not one)
            message = (
                f"reads {one.field} like {others}, so a caller's headers for one go to the other; give each a `field` "
                "of its own, or all the same `field` if that is meant"
            )
            yield Finding(Level.WARNING, line_of(config, one.provider, ()), one.provider.id.shown, message)
