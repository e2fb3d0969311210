"""The configuration reference, docs/configuration.md: what this module prints as a program."""

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..policy.model import Policy

_INTRODUCTION = """# Configuration reference

Generated from the policy's model in `forwarding/policy/model.py`; do not edit. `make docs` writes it.

These are the settings of `extra_headers` in the config of a provider. `true` is the default policy: it forwards every
header that is neither on the core blocklist nor already on the outbound request, whatever its name. To forward only the
names you know, give `allow`. `false` or `null` switches the add-on off for this provider.

OGX replaces `${env.NAME:=default}` in every value when the server starts. All entries are checked then;
`extra-headers check` checks them without a server. Editors can use
[extra-headers.schema.json](extra-headers.schema.json).
"""
_SETTING = "extra_headers"
# Settings of the provider come before those that decide on headers.
_FIRST = ("enabled", "field")
_NAMES = {bool: "boolean", int: "integer", str: "string", float: "number"}


def render() -> str:
    """Return the reference as Markdown."""
    return "\n".join([_INTRODUCTION, *_sections(Policy, "", set())])


def _sections(model: type[BaseModel], path: str, described: set[type[BaseModel]]) -> Iterator[str]:
    described.add(model)
    title = f"`{_SETTING}.{path}`" if path else f"`{_SETTING}`"
    # Stable: the others keep the order of the model.
    settings = sorted(model.model_fields.items(), key=lambda setting: setting[0] not in _FIRST)
    rows = "".join(_row(name, field) for name, field in settings)
    yield f"## {title}\n\n{_one_line(inspect.getdoc(model))}\n"
    yield f"| setting | type | default | meaning | example |\n|---|---|---|---|---|\n{rows}"
    for name, field in settings:
        for nested in _models_in(field.annotation):
            # Once each: the limits of a shadow policy are those of a policy.
            if nested not in described:
                yield from _sections(nested, f"{path}.{name}" if path else name, described)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`{name}`", _type(field), _default(field), _one_line(field.description), _example(name, field))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _type(field: FieldInfo) -> str:
    kind = _kind(field.annotation)
    low = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    return kind if low is None or high is None else f"{kind}, {low} to {high}"


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_kind(argument) for argument in arguments if argument is not NoneType)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin in (tuple, list, dict, Mapping):
        below = " to ".join(f"{_kind(argument)}s" for argument in arguments if argument is not ...)
        return f"{'list' if origin in (tuple, list) else 'mapping'} of {below}"
    return _NAMES.get(annotation) or ("mapping" if list(_models_in(annotation)) else str(annotation))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    return "not set" if value is None else f"`{_yaml(value)}`"


def _example(name: str, field: FieldInfo) -> str:
    examples = field.examples
    if examples:
        value = examples[0]
    elif get_origin(field.annotation) is Literal:
        value = get_args(field.annotation)[-1]
    else:
        value = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(value, BaseModel):
            value = dict(list(value)[:1])
    return f"`{name}: {_yaml(value)}`"


def _yaml(value: Any) -> str:
    """Return a value in YAML's flow style, as people write it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w-]*", value):
        return value
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_yaml(below) for below in value) + "]"
    return json.dumps(value)


if __name__ == "__main__":
    sys.stdout.write(render())
