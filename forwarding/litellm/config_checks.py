"""Everything that is wrong with the extra headers of a LiteLLM config.yaml, without starting a proxy."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..policy.model import Policy
from ..run_config.checks import forwards_all, repeated_keys
from ..run_config.findings import Finding, Level, finding_at
from ..run_config.policies import Checked, check_policy, without_users
from ..run_config.providers import Provider, RunConfig
from .config_file import resolved
from .misplaced import DEFAULTS, SETTING, misplaced
from .settings import IS_NULL, conflicts, not_on_litellm
from .warnings import warnings_of

_CALLBACK = "extra_headers.forwarding.litellm.callback"
_CALLBACKS = ("litellm_settings", "callbacks")


def check(config: RunConfig) -> tuple[list[Checked], list[Finding]]:
    """Return the default policy and those of models, and everything that is wrong, in the order of the file."""
    content = resolved(config.document.content, os.environ, written=True)
    findings = [*repeated_keys(config), *_of_loading(config, content)]
    findings += [finding_at(config, path, None, Level.ERROR, text) for path, text in misplaced(content)]
    findings += [finding_at(config, path, None, Level.WARNING, text) for path, text in warnings_of(content)]
    if "include" in content:
        message = "`include` is not followed: models and policies in those files are not checked"
        findings.append(finding_at(config, ("include",), None, Level.NOTE, message))
    checked = []
    for provider in _policies(config):
        findings += _of_setting(config, provider)
        if provider.wants_headers:
            one = check_policy(config, provider)[0]
            checked.append(one)
            findings += [*forwards_all(config, one), *without_users(config, one)]
    for provider in config.providers:
        findings += _of_deployment(config, provider, content)
    return checked, sorted(findings, key=lambda finding: finding.line)


def check_provider(config: RunConfig, provider: Provider) -> list[Finding]:
    """Return what is wrong with one model, taken alone."""
    content = resolved(config.document.content, os.environ, written=True)
    return [
        *_of_loading(config, content),
        *_of_setting(config, provider),
        *_of_deployment(config, provider, content),
    ]


def _policies(config: RunConfig) -> Iterator[Provider]:
    """Yield the default policy, where it matters, and the policies of models."""
    if config.defaults is not None:
        is_used = any(provider.setting_path == config.defaults.setting_path for provider in config.providers)
        if is_used or config.defaults.has_setting:
            yield config.defaults
    yield from (provider for provider in config.providers if provider.has_setting)


def _of_loading(config: RunConfig, content: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with the way in which the callback is switched on."""
    settings = content.get(_CALLBACKS[0])
    listed = settings.get(_CALLBACKS[1]) if isinstance(settings, Mapping) else None
    callbacks = listed if isinstance(listed, list) else [listed]
    if _CALLBACK in callbacks:
        return
    for index, callback in enumerate(callbacks):
        if str(callback).replace("-", "_").startswith(SETTING):
            path = (*_CALLBACKS, index)
            yield finding_at(config, path, None, Level.ERROR, f"LiteLLM cannot load this callback; write {_CALLBACK}")
            return
    policies = [provider for provider in _policies(config) if provider.has_setting]
    level = Level.ERROR if policies else Level.NOTE
    message = (
        f"the add-on is not loaded, so callers' headers are not checked; add {_CALLBACK} to {'.'.join(_CALLBACKS)}"
    )
    yield finding_at(config, _CALLBACKS, None, level, message)


def _of_setting(config: RunConfig, provider: Provider) -> Iterator[Finding]:
    for unset in provider.unset:
        message = f"the environment variable {unset.variable} is not set, so LiteLLM reads null; set it"
        yield finding_at(config, unset.path, provider, Level.ERROR, message)
    if provider.unset:
        return
    if provider.setting is None:
        yield finding_at(config, provider.setting_path, provider, Level.ERROR, f"`{SETTING}` {IS_NULL}")
        return
    checked, findings = check_policy(config, provider)
    yield from findings
    for found in not_on_litellm(checked.policy) if checked.policy is not None else ():
        yield finding_at(config, (*provider.setting_path, *found.path), provider, Level.ERROR, found.message)


def _of_deployment(config: RunConfig, provider: Provider, content: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the identity headers that the settings of a deployment send as well."""
    policy: Policy | None = check_policy(config, provider)[0].policy if provider.wants_headers else None
    if policy is None:
        return
    entry = content["model_list"][provider.path[1]]
    for found in conflicts(entry, policy):
        place = provider.path if provider.setting_path[0] == DEFAULTS else (*provider.setting_path, *found.path)
        yield finding_at(config, place, provider, Level.ERROR, found.message)
