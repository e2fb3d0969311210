"""What is wrong with the extra headers of a run config, without starting a server.

Pure functions over a `RunConfig`. An error stops the server, or a setting does something else than it says; a warning
is a setting that works and is probably not meant; a note is worth knowing and is not a fault.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, get_origin

from pydantic import BaseModel

from ..policy.entries import ineffective_block_entries
from ..policy.errors import dotted
from ..policy.field_names import normalize_name
from ..policy.model import Policy, PolicyError, PolicyFinding, default_field, parse_policy
from .environment import FromEnvironment, KeyPath, Unset, shown
from .provider_types import REMOTE_INFERENCE_TYPES
from .providers import MODULE, SETTING, Provider, RunConfig

_INFERENCE = "inference"
_SETTING_PATH = ("config", SETTING)
# A part of a value is as secret as the value, and a message quotes no more than the beginning of a long one.
_COMPARED = 32


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to report to the operator. All of it may be printed."""

    level: Level
    line: int
    provider: str | None
    message: str


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting of an active policy."""

    name: str
    """Dotted: `limits.max_headers`."""
    value: Any
    """As it may be printed; None if the setting is not given and has no default."""
    line: int | None
    """None for a default."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A provider with its policy."""

    provider: Provider
    policy: Policy | None
    """None if the setting is unusable."""
    key: str
    """The key of the provider data that contains the headers."""
    field: str
    """The same, as it may be printed."""
    rows: tuple[SettingRow, ...]


def check(config: RunConfig) -> tuple[list[Checked], list[Finding]]:
    """Return the providers with extra headers, and everything that is wrong, in the order of the file."""
    findings = [*_repeated_keys(config), *(_unset(config, unset, None) for unset in config.unset)]
    checked = []
    for provider in config.providers:
        findings += check_provider(config, provider)
        if provider.wants_headers:
            checked.append(check_policy(config, provider)[0])
    for each in checked:
        findings += [*_forwards_all(config, each), *without_users(config, each)]
    findings += _shared_fields(config, checked)
    return checked, sorted(findings, key=lambda finding: finding.line)


def check_provider(config: RunConfig, provider: Provider) -> list[Finding]:
    """Return what is wrong with one provider, taken alone."""
    # The host keeps one implementation for each type: the last that an entry loads.
    same_type = [p for p in config.providers if (p.api, p.type) == (provider.api, provider.type)]
    loader = next((p for p in reversed(same_type) if p.module is not None), None)
    findings = [*_entry_findings(config, provider, loader), *(_unset(config, u, provider) for u in provider.unset)]
    return findings if provider.unset else findings + check_policy(config, provider)[1]


def check_policy(config: RunConfig, provider: Provider) -> tuple[Checked, list[Finding]]:
    """Return the policy of one provider, and what is wrong with it."""
    try:
        policy = parse_policy(provider.setting, f"provider {shown(provider.id)!r}")
    except PolicyError as error:
        findings = [_policy_finding(config, provider, Level.ERROR, finding) for finding in error.findings]
        return Checked(provider, None, "", "", ()), findings
    findings = [
        _policy_finding(config, provider, Level.WARNING, PolicyFinding((*above, *path), text))
        for above, rules in (((), policy), (("shadow",), policy.shadow))
        if rules
        for path, text in ineffective_block_entries(rules.allow, rules.block)
    ]
    rows = tuple(_rows(config, provider, policy, ()))
    field = _get(provider.setting, ("field",)) or default_field(shown(provider.type))
    key = policy.field or default_field(provider.type)
    return Checked(provider, policy, key, shown(field), rows), findings


def line_of(config: RunConfig, provider: Provider, path: Sequence[str | int]) -> int:
    """Return the line of a setting of a provider's policy."""
    return config.document.line_of((*provider.setting_path, *path))


def without_users(config: RunConfig, checked: Checked) -> Iterator[Finding]:
    """Yield the finding about identity headers of a server that knows no user."""
    policy = checked.policy
    if policy is None or not policy.enabled or config.authenticates:
        return
    names = [name for name, template in policy.templates.items() if template.needs_user]
    if not names:
        return
    reject = policy.on_missing == "reject"
    effect = "every request is answered with status 403" if reject else f"no request has {', '.join(names)}"
    message = f"`set` needs an authenticated user, and without `server.auth` there is none: {effect}; add `server.auth`"
    level = Level.ERROR if reject else Level.WARNING
    yield Finding(level, line_of(config, checked.provider, ("set",)), shown(checked.provider.id), message)


def _forwards_all(config: RunConfig, checked: Checked) -> Iterator[Finding]:
    if checked.policy is not None and checked.policy.enabled and checked.policy.allow is None:
        message = "no `allow`: every header that is not blocked passes; give `allow` to name those that pass"
        yield Finding(Level.NOTE, line_of(config, checked.provider, ()), shown(checked.provider.id), message)


def _rows(config: RunConfig, provider: Provider, model: BaseModel, above: tuple[str, ...]) -> Iterator[SettingRow]:
    for name, field in type(model).model_fields.items():
        path, value = (*above, name), getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _rows(config, provider, value, path)
            continue
        given = _get(provider.setting, path)
        line = None if given is _MISSING else line_of(config, provider, path)
        if get_origin(field.annotation) is not Literal:
            value = _redacted(value, given)
        yield SettingRow(".".join(path), value, line)


_MISSING: Any = ()
"""What `_get` returns where there is nothing. It is false, and nothing that YAML has."""


def _get(setting: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            setting = setting[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return setting


def _redacted(value: Any, given: Any) -> Any:
    """Return a value of a policy with what comes from the environment as the file has it."""
    if isinstance(value, str):
        return shown(given) if isinstance(given, FromEnvironment) else value
    if isinstance(value, tuple):
        return [_redacted(entry, _get(given, (index,))) for index, entry in enumerate(value)]
    if isinstance(value, dict):
        return {key: _redacted(entry, _get(given, (key,))) for key, entry in value.items()}
    return value


def _policy_finding(config: RunConfig, provider: Provider, level: Level, finding: PolicyFinding) -> Finding:
    given, message = _get(provider.setting, finding.path), finding.message
    source = shown(given) if isinstance(given, FromEnvironment) else None
    if source is None and any(_is_quoted(value, message) for value in _from_environment(provider.setting)):
        source = "another entry"
    if source is not None:
        place = dotted(finding.path) or SETTING
        message = f"{place}: unusable with the value of the environment variable in {source} (not shown)"
    return Finding(level, line_of(config, provider, finding.path), shown(provider.id), message)


def _from_environment(value: Any) -> Iterator[str]:
    if isinstance(value, FromEnvironment):
        yield value
    elif isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _from_environment(below)


def _is_quoted(value: str, message: str) -> bool:
    start = value[:_COMPARED]
    return any(text in message for text in (start, ascii(start)[1:-1], normalize_name(start)))


def _entry_findings(config: RunConfig, provider: Provider, loader: Provider | None) -> Iterator[Finding]:
    """Yield what is wrong with the way in which a provider's entry loads the add-on."""

    def at(path: KeyPath, level: Level, message: str) -> Finding:
        return Finding(level, config.document.line_of((*provider.path, *path)), shown(provider.id), message)

    if provider.misplaced_setting:
        message = f"OGX ignores `{SETTING}` outside of `config`; move it into the provider's `config`"
        yield at((SETTING,), Level.ERROR, message)
    for path in provider.misspelt_settings:
        yield at(path, Level.ERROR, f"OGX ignores `{path[-1]}`; did you mean `{SETTING}`?")
    if _is_misspelled(provider):
        yield at(("module",), Level.ERROR, f"OGX cannot import this module; write `module: {MODULE}`")
    elif provider.api != _INFERENCE and (provider.wants_headers or provider.loads_the_add_on):
        path = _SETTING_PATH if provider.wants_headers else ("module",)
        message = f"only inference providers carry extra headers, not {provider.api}; remove it"
        yield at(path, Level.ERROR, message)
    elif provider.wants_headers:
        yield from (at(*finding) for finding in _flag_findings(provider, loader))
    elif provider.loads_the_add_on and not (provider.has_setting or provider.misplaced_setting):
        message = f"loads the add-on, which does nothing without `{SETTING}`; add `{SETTING}: true` to its `config`"
        yield at(("module",), Level.NOTE, message)


def _is_misspelled(provider: Provider) -> bool:
    """Whether `module:` means this add-on and does not name it."""
    if provider.module is None or provider.loads_the_add_on:
        return False
    return re.sub(r"[-_.]+", "-", provider.module.lower()).startswith(re.sub(r"[-_.]+", "-", MODULE))


def _flag_findings(provider: Provider, loader: Provider | None) -> Iterator[tuple[KeyPath, Level, str]]:
    """Yield what is wrong with `extra_headers` on an inference provider, by the entry's other settings."""
    kind = provider.type
    if kind.startswith("inline::"):
        message = f"a provider of type {shown(kind)} makes no outbound calls and carries no extra headers"
        yield _SETTING_PATH, Level.ERROR, f"{message}; remove `{SETTING}`"
        return
    if provider.module is not None and not provider.loads_the_add_on:
        message = f"`module: {shown(provider.module)}` ignores `{SETTING}`; it needs `module: {MODULE}`"
        yield _SETTING_PATH, Level.ERROR, message
    elif provider.module is None and loader is not None and loader.loads_the_add_on:
        message = (
            f"works only because provider {shown(loader.id)!r} of the same type loads the add-on; "
            f"add `module: {MODULE}` here as well"
        )
        yield _SETTING_PATH, Level.WARNING, message
    elif loader is None:
        message = f"OGX ignores `{SETTING}` without the add-on; add `module: {MODULE}` next to `provider_type`"
        yield _SETTING_PATH, Level.ERROR, message
    elif not loader.loads_the_add_on:
        message = (
            f"provider {shown(loader.id)!r} of the same type loads another module, and OGX uses the last for both; "
            f"give both the same `module`"
        )
        yield _SETTING_PATH, Level.ERROR, message
    if kind not in REMOTE_INFERENCE_TYPES:
        message = f"OGX 1.5 has no provider type {shown(kind)}, so extra headers are not known to work on it"
        yield ("provider_type",), Level.WARNING, message


def _unset(config: RunConfig, unset: Unset, provider: Provider | None) -> Finding:
    message = (
        f"the environment variable {unset.variable} is not set, so OGX does not start; set it, or write "
        f"${{env.{unset.variable}:=default}}"
    )
    return Finding(Level.ERROR, config.document.line_of(unset.path), shown(provider.id) if provider else None, message)


def _repeated_keys(config: RunConfig) -> Iterator[Finding]:
    for key in config.document.repeated_keys:
        message = f"duplicate key (first on line {key.first_line}); OGX uses only the last"
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
            others = ", ".join(repr(shown(other.provider.id)) for other in sharing if other is not one)
            message = (
                f"reads {one.field} like {others}, so a caller's headers for one go to the other; give each its own "
                "`field`, or all the same `field` if that is intended"
            )
            yield Finding(Level.WARNING, line_of(config, one.provider, ()), shown(one.provider.id), message)
