"""`${env.NAME}` in a run config, replaced as OGX replaces it, with a note of what comes from the environment.

Pure. Works without OGX, and a test compares it with OGX's own function.
"""

import os.path
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

# Bash-like: `:=` gives a default, `:+` a value to use only if the variable is set.
_REFERENCE = re.compile(r"\${env\.([A-Z0-9_]+)(?::([=+])([^}]*))?}")
# OGX leaves out a list entry whose id resolves to nothing.
_RESOURCE_IDS = ("vector_store_id", "model_id")
_DISABLED = "__disabled__"

type KeyPath = tuple[str | int, ...]
"""Keys and indexes that lead to a value in a document, from its top."""


class FromEnvironment(str):
    """A string that contains the value of a variable. It may be a secret, so only `shown` of it may be printed."""

    __slots__ = ("written",)

    written: str

    def __new__(cls, value: str, written: str) -> Self:
        """Return the value, with how it is written in the file."""
        text = super().__new__(cls, value)
        text.written = written
        return text


class NumberFromEnvironment(int):
    """A whole number that is, or contains, the value of a variable. Only `shown` of it may be printed."""

    written: str

    def __new__(cls, value: int, written: str) -> Self:
        """Return the number, with how it is written in the file."""
        number = super().__new__(cls, value)
        number.written = written
        return number


class Unset(NamedTuple):
    """A value that names a variable that is not set and gives no default."""

    variable: str
    path: KeyPath


class UnsetVariableError(Exception):
    """A reference without a default names a variable that is not set; the host does not start."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name


def shown(value: object) -> str:
    """Return a value as it may be printed: as written in the file if it comes from the environment."""
    return value.written if isinstance(value, FromEnvironment | NumberFromEnvironment) else str(value)


def replace(value: Any, environment: Mapping[str, str], path: KeyPath = (), unset: list[Unset] | None = None) -> Any:
    """Return a part of a run config as the host reads it.

    Args:
        value: the part, from YAML.
        environment: the variables.
        path: of the part, for `unset`.
        unset: receives each reference to a variable that is not set; its value is then None.

    Raises:
        UnsetVariableError: a variable is not set, and there is no list to note it in.

    """
    if isinstance(value, dict):
        return {key: replace(below, environment, (*path, key), unset) for key, below in value.items()}
    if isinstance(value, list):
        kept = [entry for entry in value if not is_left_out(entry, environment)]
        return [replace(entry, environment, (*path, index), unset) for index, entry in enumerate(kept)]
    try:
        return _replace_in_string(value, environment) if isinstance(value, str) else value
    except UnsetVariableError as error:
        if unset is None:
            raise
        unset.append(Unset(error.name, path))
        return None


def is_left_out(entry: object, environment: Mapping[str, str]) -> bool:
    """Return whether the host leaves an entry out of its list: a disabled provider, a resource without an id."""
    if not isinstance(entry, dict):
        return False
    if _resolved(entry, "provider_id", environment) == _DISABLED:
        return True
    return any(_resolved(entry, key, environment) in (None, "") for key in _RESOURCE_IDS if key in entry)


def _resolved(entry: dict[object, object], key: str, environment: Mapping[str, str]) -> object:
    try:
        return replace(entry.get(key), environment)
    except UnsetVariableError:
        return ...


def _replace_in_string(text: str, environment: Mapping[str, str]) -> object:
    expand = os.path.expanduser  # as the host does: `Path` would normalize what need not be a path
    used = False

    def replacement(match: re.Match[str]) -> str:
        nonlocal used
        name, operator, expression = match.groups()
        value = environment.get(name)
        if operator == "+":
            return expand(expression) if value else ""
        if not value:
            if operator is None:
                raise UnsetVariableError(name)
            return expand(expression)
        used = True
        return expand(value)

    # A reference that nothing closes would be searched from each of its beginnings to the end.
    end = text.rfind("}") + 1
    replaced = _REFERENCE.sub(replacement, text[:end]) + text[end:]
    if replaced == text:
        return text
    value = _typed(replaced)
    if used and isinstance(value, str):
        return FromEnvironment(value, text)
    return NumberFromEnvironment(value, text) if used and type(value) is int else value


def _typed(text: str) -> str | int | float | None:
    if text == "":
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
