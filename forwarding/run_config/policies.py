"""The policy of one provider of a run config, and what is wrong with it. Nothing from the environment is shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_origin

from pydantic import BaseModel

from ..policy.entries import ineffective_block_entries
from ..policy.errors import dotted
from ..policy.field_names import normalize_name
from ..policy.limits import more_than_the_server_takes
from ..policy.mcp import mcp_provider, unfit_settings
from ..policy.model import Policy, PolicyError, PolicyFinding, default_field, parse_policy
from .environment import FromEnvironment, KeyPath, NumberFromEnvironment, shown
from .findings import Finding, Level, finding_at
from .providers import SETTING, Provider, RunConfig

# A part of a secret is secret, too, and a message quotes no more than the beginning of a long value.
_COMPARED = 32


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

    @property
    def is_active(self) -> bool:
        """Whether the provider has a policy that is switched on."""
        return self.policy is not None and self.policy.enabled


def check_policy(config: RunConfig, provider: Provider) -> tuple[Checked, list[Finding]]:
    """Return the policy of one provider, and what is wrong with it."""
    secrets = tuple(_from_environment(provider.setting))
    try:
        policy = parse_policy(provider.setting, f"provider {shown(provider.id)!r}")
    except PolicyError as error:
        findings = [_finding(config, provider, secrets, Level.ERROR, finding) for finding in error.findings]
        return Checked(provider, None, "", "", ()), findings
    findings = [
        _finding(config, provider, secrets, Level.WARNING, PolicyFinding((*above, *path), text))
        for above, rules in (((), policy), (("shadow",), policy.shadow))
        if rules
        for path, text in ineffective_block_entries(rules.allow, rules.block)
    ]
    kind = mcp_provider(provider.api, provider.type)
    if kind is not None:
        findings += [
            _finding(config, provider, secrets, Level.ERROR, finding) for finding in unfit_settings(policy, kind)
        ]
    if (message := more_than_the_server_takes(policy.limits)) is not None:
        findings.append(_finding(config, provider, secrets, Level.WARNING, PolicyFinding(("limits",), message)))
    place = provider.field or (kind and kind.field)
    key = policy.field or place or default_field(provider.type)
    field = shown(_get(provider.setting, ("field",)) or place or default_field(shown(provider.type)))
    return Checked(provider, policy, key, field, tuple(_rows(config, provider, policy, ()))), findings


def policy_line(config: RunConfig, provider: Provider, path: KeyPath) -> int:
    """Return the line of a setting of a provider's policy."""
    return config.document.line_of((*provider.setting_path, *path))


def without_users(config: RunConfig, checked: Checked) -> list[Finding]:
    """Return the finding about identity headers on a server that knows no user."""
    policy, provider = checked.policy, checked.provider
    if policy is None or not policy.enabled or config.authenticates:
        return []
    names = [name for name, template in policy.templates.items() if template.needs_user]
    reject = policy.on_missing == "reject"
    effect = "every request is answered with status 403" if reject else f"no request has {', '.join(names)}"
    auth = f"`{config.auth_setting}`"
    message = f"`set` needs an authenticated user, and without {auth} there is none: {effect}; add {auth}"
    level = Level.ERROR if reject else Level.WARNING
    return [finding_at(config, (*provider.setting_path, "set"), provider, level, message)] if names else []


def _rows(config: RunConfig, provider: Provider, model: BaseModel, above: tuple[str, ...]) -> Iterator[SettingRow]:
    for name, field in type(model).model_fields.items():
        path, value = (*above, name), getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _rows(config, provider, value, path)
            continue
        given = _get(provider.setting, path)
        if get_origin(field.annotation) is not Literal:
            value = _redacted(value, given)
        yield SettingRow(".".join(path), value, None if given is _MISSING else policy_line(config, provider, path))


_MISSING: Any = ()
"""What `_get` returns if there is nothing: false, and not a value that YAML has."""


def _get(setting: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            setting = setting[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return setting


def _existing(setting: Any, path: KeyPath) -> KeyPath:
    """Return the beginning of a path that the file has."""
    return next(path[:end] for end in range(len(path), -1, -1) if _get(setting, path[:end]) is not _MISSING)


def _redacted(value: Any, given: Any) -> Any:
    """Return a value of a policy, with what comes from the environment as it is written in the file."""
    if isinstance(value, str):
        return shown(given) if isinstance(given, FromEnvironment) else value
    if isinstance(given, NumberFromEnvironment):
        return shown(given)
    if isinstance(given, list) and isinstance(value, dict):  # names, which the policy has made a mapping
        return [shown(entry) for entry in given]
    if isinstance(value, tuple):
        return [_redacted(entry, _get(given, (index,))) for index, entry in enumerate(value)]
    if isinstance(value, dict):
        return {key: _redacted(entry, _get(given, (key,))) for key, entry in value.items()}
    return value


def _finding(
    config: RunConfig, provider: Provider, secrets: Sequence[FromEnvironment], level: Level, finding: PolicyFinding
) -> Finding:
    given, message = _get(provider.setting, finding.path), finding.message
    quoted = (value for value in secrets if _is_quoted(value, message))
    source = given if isinstance(given, FromEnvironment) else next(quoted, None)
    if source is not None:
        # A name from the environment may be a key of the policy, and so a part of the path.
        place = dotted(_existing(provider.setting, finding.path)) or SETTING
        message = f"{place}: unusable with the value of the environment variable in {shown(source)} (not shown)"
    return finding_at(config, (*provider.setting_path, *finding.path), provider, level, message)


def _from_environment(value: Any) -> Iterator[FromEnvironment]:
    if isinstance(value, FromEnvironment):
        yield value
    elif isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _from_environment(below)


def _is_quoted(value: str, message: str) -> bool:
    start = value[:_COMPARED]
    return any(text in message for text in (start, ascii(start)[1:-1], start.lower(), normalize_name(start)))
