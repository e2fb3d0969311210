"""The configuration reference, docs/configuration.md: what this module prints as a program.

It walks the model of the policy, so that a new setting is described by what stands under it.
"""

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
from .models import descriptions, models_in

_INTRODUCTION = """# Configuration reference

Generated from the policy's model in `forwarding/policy/model.py`; do not edit. `make docs` writes it.

The settings of `extra_headers` in the config of a provider. `true` stands for all defaults; `false` or `null` switches
it off. In every value, `${env.NAME:=default}` is replaced by OGX when the server starts. Every entry is checked then,
and by `extra-headers check` before. [extra-headers.schema.json](extra-headers.schema.json) is the same for editors.
"""
_SETTING = "extra_headers"
_NAMES = {bool: "boolean", int: "integer", str: "string", float: "number"}


def render() -> str:
    """Return the reference as Markdown."""
    return "\n".join([_INTRODUCTION, *_sections(Policy, "", set())])


def _sections(model: type[BaseModel], path: str, described: set[type[BaseModel]]) -> Iterator[str]:
    described.add(model)
    title = f"`{_SETTING}.{path}`" if path else f"`{_SETTING}`"
    meanings = descriptions(model)
    rows = "".join(_row(name, about, meanings[name]) for name, about in model.model_fields.items())
    yield f"## {title}\n\n{_text(inspect.getdoc(model))}\n"
    yield f"| setting | type | default | meaning | example |\n|---|---|---|---|---|\n{rows}"
    for name, about in model.model_fields.items():
        for nested in models_in(about.annotation):
            # Once each: the limits of a shadow policy are those of a policy.
            if nested not in described:
                yield from _sections(nested, f"{path}.{name}" if path else name, described)


def _row(name: str, about: FieldInfo, meaning: str) -> str:
    cells = (f"`{name}`", _type(about), _default(about), _text(meaning), _example(name, about))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _text(text: str | None) -> str:
    return " ".join((text or "").partition("\n\nRaises:")[0].split())


def _type(about: FieldInfo) -> str:
    kind = _kind(about.annotation)
    low = next((bound.ge for bound in about.metadata if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in about.metadata if isinstance(bound, Le)), None)
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
    return _NAMES.get(annotation) or ("mapping" if list(models_in(annotation)) else str(annotation))


def _default(about: FieldInfo) -> str:
    value = about.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    return "not set" if value is None else f"`{_yaml(value)}`"


def _example(name: str, about: FieldInfo) -> str:
    examples = about.examples
    if examples:
        value = examples[0]
    elif get_origin(about.annotation) is Literal:
        value = get_args(about.annotation)[-1]
    else:
        value = about.get_default(call_default_factory=True, validated_data={})
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
