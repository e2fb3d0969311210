"""The providers of a run config as OGX reads them, each with its place in the file.

Nothing but the policy's settings, ids, types and header names is ever taken from it. A string that comes from an
environment variable may be a secret: it is used, and printed only as it is written in the file (`environment.shown`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ..policy.mcp import CLIENT_NAMES, mcp_provider
from .environment import FromEnvironment, KeyPath, Unset, is_left_out, replace
from .yaml_document import Document, UnusableFileError, read_document

MODULE = "extra_headers.forwarding"
SETTING = "extra_headers"
_SIMILAR = 0.85


@dataclass(frozen=True, slots=True)
class Provider:
    """One entry under `providers`."""

    api: str
    path: KeyPath
    id: str
    type: str
    module: str | None
    has_setting: bool
    """Whether its config has `extra_headers`, with whatever value."""
    setting: Any = field(repr=False)
    """The value of `extra_headers`, variables replaced."""
    network_headers: tuple[str, ...]
    """Names of the headers that the operator adds to every outbound request."""
    misplaced_setting: bool
    """Whether `extra_headers` is a neighbour of `config`, where the host ignores it."""
    misspelt_settings: tuple[KeyPath, ...]
    """Keys that are almost `extra_headers`, from the entry down."""
    unset: tuple[Unset, ...]
    setting_path: KeyPath
    """The path of its `extra_headers`."""
    outbound: Mapping[str, frozenset[str]] | None = None
    """Names of the headers that each party puts on its outbound requests; None where the SDK's client says so."""
    field: str | None = None
    """Where a request has the extra headers; None for the provider data's key of the type."""

    @property
    def wants_headers(self) -> bool:
        """Whether `extra_headers` is set to anything but false or null."""
        return self.setting is not None and self.setting is not False

    @property
    def loads_the_add_on(self) -> bool:
        """Whether its `module:` is this add-on; the host drops a version after `==`."""
        return self.module is not None and self.module.split("==")[0] == MODULE


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a file says about providers."""

    path: str
    document: Document
    providers: tuple[Provider, ...]
    unset: tuple[Unset, ...]
    """Of entries whose id, type or module is unknown for that reason."""
    authenticates: bool
    """Whether the host knows users."""
    host: str = "OGX"
    auth_setting: str = "server.auth"
    """What makes the host know users."""
    defaults: Provider | None = None
    """The policy of every provider without one, where the host has such a policy."""


def read_run_config(path: str, environment: Mapping[str, str]) -> RunConfig:
    """Return the providers that are switched on.

    Raises:
        UnusableFileError: the file is not a run config.

    """
    return run_config_of(read_document(path), path, environment)


def run_config_of(document: Document, path: str, environment: Mapping[str, str]) -> RunConfig:
    """Return the providers of a document.

    Raises:
        UnusableFileError: it is not a run config.

    """
    by_api = document.content.get("providers")
    if not isinstance(by_api, dict):
        raise UnusableFileError("is not a run config: it has no mapping `providers`")
    providers: list[Provider] = []
    unset: list[Unset] = []
    for api, index, entry in _entries(by_api):
        if is_left_out(entry, environment):
            continue
        provider = _provider(api, ("providers", api, index), entry, environment)
        if isinstance(provider, Provider):
            providers += [provider] if provider.id else []
        else:
            unset += provider
    return RunConfig(path, document, tuple(providers), tuple(unset), _authenticates(document, environment))


def _entries(by_api: Mapping[Any, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for api, entries in by_api.items():
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict):
                yield str(api), index, entry


def _provider(
    api: str, path: KeyPath, entry: Mapping[str, Any], environment: Mapping[str, str]
) -> Provider | list[Unset]:
    """Return the provider; what is not set where that hides its id, type or module."""
    unset: list[Unset] = []
    provider_id, provider_type, module = (
        _text(entry.get(key), environment, (*path, key), unset) for key in ("provider_id", "provider_type", "module")
    )
    if unset:
        return unset
    config = _mapping(entry.get("config"))
    setting = replace(config.get(SETTING), environment, (*path, "config", SETTING), unset)
    headers = _mapping(_mapping(config.get("network")).get("headers"))
    kind = mcp_provider(api, provider_type or "")
    return Provider(
        api=api,
        path=path,
        id=provider_id or "",
        type=provider_type or "",
        module=module,
        has_setting=SETTING in config,
        # Nothing more can be said of a setting of which a part is missing.
        setting=None if unset else setting,
        network_headers=tuple(name for name in headers if isinstance(name, str)),
        misplaced_setting=SETTING in entry,
        misspelt_settings=(*_misspelt(entry, ()), *_misspelt(config, ("config",))),
        unset=tuple(unset),
        setting_path=(*path, "config", SETTING),
        outbound=None if kind is None else {"the MCP client": CLIENT_NAMES},
        field=kind.field if kind is not None and kind.callers_choose_the_server else None,
    )


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, environment: Mapping[str, str], path: KeyPath, unset: list[Unset]) -> str | None:
    """Return what should be text, as the host reads it, and with how it is written, whatever it is."""
    written = value if value is None else str(value)
    read = replace(written, environment, path, unset)
    return read if read is None or isinstance(read, str) else FromEnvironment(str(read), str(written))


def _misspelt(entry: Mapping[Any, Any], path: KeyPath) -> Iterator[KeyPath]:
    for key in entry:
        if key != SETTING and get_close_matches(str(key).lower(), [SETTING], cutoff=_SIMILAR):
            yield (*path, key)


def _authenticates(document: Document, environment: Mapping[str, str]) -> bool:
    auth = _mapping(document.content.get("server")).get("auth")
    return replace(auth, environment, (), []) is not None
