"""Policies in a LiteLLM configuration that neither LiteLLM nor the add-on reads: misspelt or misplaced. Pure."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ..policy.errors import dotted

SETTING = "extra_headers"
DEFAULTS = "callback_settings"
"""The section whose `extra_headers` is the policy of every model."""
_OF_MODEL, _OF_CALL = "model_info", "litellm_params"
_SIMILAR = 0.85

type Path = tuple[str | int, ...]
"""Keys and indexes that lead to a setting."""


def misplaced(config: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the path of each, and what would be right."""
    for path, section in _sections(config):
        for key, value in section.items():
            here, kind = (*path, key), path[-1] if path else None
            if kind == _OF_CALL:
                if key == SETTING and _is_policy(value):
                    yield (
                        here,
                        f"{dotted(here)} are headers that LiteLLM sends; move the policy to `{_OF_MODEL}.{SETTING}`",
                    )
            elif (right := _meant(str(key), path)) is not None:
                yield here, f"{dotted(here)} is not read; did you mean `{right}`?"


def _sections(config: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[Any, Any]]]:
    """Yield the mappings in which somebody may have written a policy, with their paths."""
    yield (), config
    for name in (DEFAULTS, "litellm_settings", "general_settings", "router_settings"):
        if isinstance(section := config.get(name), Mapping):
            yield (name,), section
    listed = config.get("model_list")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, Mapping):
            yield ("model_list", index), entry
            for name in (_OF_CALL, _OF_MODEL):
                if isinstance(section := entry.get(name), Mapping):
                    yield ("model_list", index, name), section


def _meant(key: str, path: Path) -> str | None:
    """Return the setting that a key was meant to be; None where it is that setting, or another."""
    if _resembles(key, DEFAULTS):
        return None if (*path, key) == (DEFAULTS,) else DEFAULTS
    if not _resembles(key, SETTING):
        return None
    if path and path[-1] in (DEFAULTS, _OF_MODEL):
        return None if key == SETTING else SETTING
    return f"{_OF_MODEL if path[:1] == ('model_list',) else DEFAULTS}.{SETTING}"


def _resembles(key: str, name: str) -> bool:
    return bool(get_close_matches(key.lower().replace("-", "_"), [name], cutoff=_SIMILAR))


def _is_policy(value: object) -> bool:
    """Whether a value is not a mapping of names to header values."""
    return value is True or (
        isinstance(value, Mapping) and any(isinstance(each, list | Mapping) for each in value.values())
    )
