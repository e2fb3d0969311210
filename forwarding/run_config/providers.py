"""The providers of a run config as OGX reads them, each with its place in the file.

Nothing but the policy's settings, ids, types and header names is ever taken from it. A string that holds the value of
an environment variable may be a secret: it is used, and shown only as it is written in the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .environment import UnsetVariableError, is_left_out, replace, replace_in_string
from .yaml_document import Document, UnusableFileError, read_document

MODULE = "extra_headers.forwarding"
SETTING = "extra_headers"

type _Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the run config."""

    value: str = field(repr=False)
    shown: str
    """What may be printed: the value, or what is written in the file where the value is the environment's."""


@dataclass(frozen=True, slots=True)
class Unset:
    """A setting that names an environment variable that is not set."""

    variable: str
    place: _Place


@dataclass(frozen=True, slots=True)
class Provider:
    """One entry under `providers`."""

    api: str
    place: _Place
    id: Text
    type: Text
    module: Text | None
    has_setting: bool
    """Whether `extra_headers` stands in its config, with whatever value."""
    setting: Any = field(repr=False)
    """The value of `extra_headers`, variables replaced."""
    hidden: Mapping[_Place, str] = field(repr=False)
    """Strings of the setting that hold a variable's value: where, and how they are written."""
    network_headers: tuple[str, ...]
    """Names of the headers that the operator adds to every call."""
    misplaced_setting: bool
    """Whether `extra_headers` stands beside `config`, where the host ignores it."""
    unset: tuple[Unset, ...]

    @property
    def setting_place(self) -> _Place:
        """Return where its `extra_headers` stands."""
        return (*self.place, "config", SETTING)

    @property
    def wants_headers(self) -> bool:
        """Whether `extra_headers` is set to anything but false or null."""
        return self.setting is not None and self.setting is not False

    @property
    def loads_the_add_on(self) -> bool:
        """Whether its `module:` is this add-on; the host drops a version after `==`."""
        return self.module is not None and self.module.value.split("==")[0] == MODULE


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a file says about providers."""

    path: str
    document: Document
    providers: tuple[Provider, ...]
    unset: tuple[Unset, ...]
    """Of providers whose id, type or module cannot be told."""


def read_run_config(path: str, environment: Mapping[str, str]) -> RunConfig:
    """Return the providers that are switched on.

    Raises:
        UnusableFileError: the file is no run config.

    """
    document = read_document(path)
    by_api = document.content.get("providers")
    if not isinstance(by_api, dict):
        raise UnusableFileError("is not a run config: it has no mapping `providers`")
    providers: list[Provider] = []
    unset: list[Unset] = []
    for api, index, entry in _entries(by_api):
        if is_left_out(entry, environment):
            continue
        reader = _Reader(document, environment, ("providers", api, index))
        provider = reader.provider(api, entry)
        if provider is None:
            unset += reader.unset
        elif provider.id.value:
            providers.append(provider)
    return RunConfig(path, document, tuple(providers), tuple(unset))


def _entries(by_api: Mapping[Any, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for api, entries in by_api.items():
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict):
                yield str(api), index, entry


class _Reader:
    """Reads one entry, and notes the variables that are missing."""

    def __init__(self, document: Document, environment: Mapping[str, str], place: _Place) -> None:
        self._document = document
        self._environment = environment
        self._place = place
        self.unset: list[Unset] = []

    def provider(self, api: str, entry: Mapping[str, Any]) -> Provider | None:
        """Return the provider; None where its id, type or module cannot be told."""
        identity = {key: self._text(entry.get(key), key) for key in ("provider_id", "provider_type", "module")}
        if self.unset:
            return None
        config = entry.get("config")
        config = config if isinstance(config, dict) else {}
        # Indexes count what the host keeps.
        raw = _kept(config.get(SETTING), self._environment)
        hidden = {
            place: text
            for place, text in _strings(raw, ())
            if (replaced := self._replaced(text, ("config", SETTING, *place))) and replaced[1]
        }
        # What is missing is told; nothing more can be said of the setting then.
        setting = None if self.unset else replace(raw, self._environment)
        network = config.get("network")
        headers = network.get("headers") if isinstance(network, dict) else None
        return Provider(
            api=api,
            place=self._place,
            id=identity["provider_id"] or Text("", ""),
            type=identity["provider_type"] or Text("", ""),
            module=identity["module"],
            has_setting=SETTING in config,
            setting=setting,
            hidden=hidden,
            network_headers=tuple(name for name in headers if isinstance(name, str))
            if isinstance(headers, dict)
            else (),
            misplaced_setting=SETTING in entry,
            unset=tuple(self.unset),
        )

    def _text(self, raw: object, key: str) -> Text | None:
        if not isinstance(raw, str):
            return None if raw is None else Text(str(raw), str(raw))
        replaced = self._replaced(raw, (key,))
        if replaced is None or replaced[0] is None:
            return None
        return Text(str(replaced[0]), raw if replaced[1] else str(replaced[0]))

    def _replaced(self, text: str, place: _Place) -> tuple[object, bool] | None:
        try:
            replaced = replace_in_string(text, self._environment)
        except UnsetVariableError as error:
            self.unset.append(Unset(error.name, (*self._place, *place)))
            return None
        return replaced.value, replaced.from_environment


def _kept(value: object, environment: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {key: _kept(below, environment) for key, below in value.items()}
    if isinstance(value, list):
        return [_kept(below, environment) for below in value if not is_left_out(below, environment)]
    return value


def _strings(value: object, place: _Place) -> Iterator[tuple[_Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _strings(below, (*place, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _strings(below, (*place, index))
