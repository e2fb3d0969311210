"""`${env.NAME}` in a run config, replaced as OGX does it, and whether a value then comes from the environment.

Pure; works without OGX, and a test holds it against OGX's own function.
"""

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Bash-like: `:=` for a default, `:+` for a value that stands only where the variable is set.
_REFERENCE = re.compile(r"\${env\.([A-Z0-9_]+)(?::([=+])([^}]*))?}")
# A list entry whose id resolves to nothing is left out.
_RESOURCE_IDS = ("vector_store_id", "model_id")
DISABLED = "__disabled__"


class UnsetVariableError(Exception):
    """A reference without a default names a variable that is not set; the host does not start."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name


@dataclass(frozen=True, slots=True)
class Replaced:
    """A string of the run config as the host reads it."""

    value: object
    from_environment: bool
    """Whether the value of a variable is in it: it may be a secret, and is then not to be shown."""


def replace_in_string(text: str, environment: Mapping[str, str]) -> Replaced:
    """Return what `text` becomes.

    Raises:
        UnsetVariableError: it names a variable that is not set.

    """
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

    replaced = _REFERENCE.sub(replacement, text)
    return Replaced(text if replaced == text else _typed(replaced), used)


def replace(config: object, environment: Mapping[str, str]) -> object:
    """Return a part of a run config as the host reads it.

    Raises:
        UnsetVariableError: it names a variable that is not set.

    """
    if isinstance(config, dict):
        return {key: replace(value, environment) for key, value in config.items()}
    if isinstance(config, list):
        return [replace(entry, environment) for entry in config if not is_left_out(entry, environment)]
    return replace_in_string(config, environment).value if isinstance(config, str) else config


def is_left_out(entry: object, environment: Mapping[str, str]) -> bool:
    """Return whether the host leaves an entry out of its list: a disabled provider, a resource without an id."""
    if not isinstance(entry, dict):
        return False
    if _resolved(entry, "provider_id", environment) == DISABLED:
        return True
    return any(_resolved(entry, key, environment) in (None, "") for key in _RESOURCE_IDS if key in entry)


def _resolved(entry: dict[object, object], key: str, environment: Mapping[str, str]) -> object:
    try:
        return replace(entry.get(key), environment)
    except UnsetVariableError:
        return ...


def _typed(text: str) -> object:
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
