"""Whether OGX loads the add-on for a provider: its `module`, its type, and where its `extra_headers` is."""

import re
from collections.abc import Iterator

from ..policy.mcp import mcp_provider
from .environment import KeyPath, shown
from .findings import Finding, Level, finding_at
from .provider_types import REMOTE_INFERENCE_TYPES
from .providers import MODULE, SETTING, Provider, RunConfig

_INFERENCE = "inference"
_SETTING_PATH = ("config", SETTING)

type _LocalFinding = tuple[KeyPath, Level, str]
"""Where in the provider's entry, how bad, and the message."""


def loading_findings(config: RunConfig, provider: Provider) -> list[Finding]:
    """Return what is wrong with the way in which a provider's entry loads the add-on."""
    # The host keeps one implementation for each type: the last that an entry loads.
    same_type = [p for p in config.providers if (p.api, p.type) == (provider.api, provider.type)]
    loader = next((p for p in reversed(same_type) if p.module is not None), None)
    found = [*_of_keys(provider), *_of_module(provider, loader)]
    return [finding_at(config, (*provider.path, *path), provider, level, text) for path, level, text in found]


def _of_keys(provider: Provider) -> Iterator[_LocalFinding]:
    if provider.misplaced_setting:
        message = f"OGX ignores `{SETTING}` outside of `config`; move it into the provider's `config`"
        yield (SETTING,), Level.ERROR, message
    for path in provider.misspelt_settings:
        yield path, Level.ERROR, f"OGX ignores `{path[-1]}`; did you mean `{SETTING}`?"


def _of_module(provider: Provider, loader: Provider | None) -> Iterator[_LocalFinding]:
    if _is_misspelt(provider):
        yield ("module",), Level.ERROR, f"OGX cannot import this module; write `module: {MODULE}`"
    elif not _can_have_headers(provider) and (provider.wants_headers or provider.loads_the_add_on):
        path = _SETTING_PATH if provider.wants_headers else ("module",)
        message = f"only inference and MCP providers have extra headers, not {provider.api} of type"
        yield path, Level.ERROR, f"{message} {shown(provider.type)}; remove it"
    elif provider.wants_headers:
        yield from _of_setting(provider, loader)
    elif provider.loads_the_add_on and not (provider.has_setting or provider.misplaced_setting):
        message = f"loads the add-on, which does nothing without `{SETTING}`; add `{SETTING}: true` to its `config`"
        yield ("module",), Level.NOTE, message


def _can_have_headers(provider: Provider) -> bool:
    return provider.api == _INFERENCE or mcp_provider(provider.api, provider.type) is not None


def _is_misspelt(provider: Provider) -> bool:
    """Whether `module:` means this add-on and does not name it."""
    if provider.module is None or provider.loads_the_add_on:
        return False
    return re.sub(r"[-_.]+", "-", provider.module.lower()).startswith(re.sub(r"[-_.]+", "-", MODULE))


def _of_setting(provider: Provider, loader: Provider | None) -> Iterator[_LocalFinding]:
    """Yield what is wrong with `extra_headers` on a provider, given the entry that loads its type."""
    kind = shown(provider.type)
    calls_mcp_servers = mcp_provider(provider.api, provider.type) is not None
    if provider.type.startswith("inline::") and not calls_mcp_servers:
        message = f"a provider of type {kind} makes no outbound requests and has no extra headers; remove `{SETTING}`"
        yield _SETTING_PATH, Level.ERROR, message
        return
    if provider.module is not None and not provider.loads_the_add_on:
        message = f"`module: {shown(provider.module)}` ignores `{SETTING}`; it needs `module: {MODULE}`"
        yield _SETTING_PATH, Level.ERROR, message
    elif loader is None:
        message = f"OGX ignores `{SETTING}` without the add-on; add `module: {MODULE}` next to `provider_type`"
        yield _SETTING_PATH, Level.ERROR, message
    elif not loader.loads_the_add_on:
        other = f"provider {shown(loader.id)!r} of the same type loads another module, and OGX uses the last for both"
        yield _SETTING_PATH, Level.ERROR, f"{other}; give both the same `module`"
    elif provider.module is None:
        other = f"works only because provider {shown(loader.id)!r} of the same type loads the add-on"
        yield _SETTING_PATH, Level.WARNING, f"{other}; add `module: {MODULE}` here as well"
    if provider.type not in REMOTE_INFERENCE_TYPES and not calls_mcp_servers:
        message = f"OGX 1.5 has no provider type {kind}, so extra headers are not known to work on it"
        yield ("provider_type",), Level.WARNING, message
