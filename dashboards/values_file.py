"""Reads a values file and reports what is wrong with it; writes one with every default, and its JSON Schema."""

import difflib
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from .tuning import Tuning


class ValuesError(ValueError):
    """A values file is wrong. The message names each key with its fault, a line each."""


def read(text: str, source: str, options: Mapping[str, Any] | None = None) -> Tuning:
    """Return the values in a file's text; keys that it leaves out have their defaults.

    Args:
        text: YAML.
        source: the file's name, for errors.
        options: values that replace those of the file, from the command line.

    Raises:
        ValuesError: it is not YAML, or a key or value is wrong.

    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}" if mark else source
        raise ValuesError(f"{place}: not valid YAML: {getattr(error, 'problem', error)}") from None
    except RecursionError:
        raise ValuesError(f"{source}: not valid YAML: it is nested too deeply") from None
    except (ValueError, TypeError, OverflowError, AttributeError):
        raise ValuesError(f"{source}: not valid YAML: invalid number or date") from None
    if content is None:
        content = {}
    if not isinstance(content, Mapping):
        raise ValuesError(f"{source}: must be a mapping of keys to values, such as `floor: 50`")
    try:
        return Tuning.model_validate(_merged(content, options or {}))
    except ValidationError as error:
        raise ValuesError("\n".join(f"{source}: {line}" for line in _lines(error))) from None


def _merged(content: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for key, value in options.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged


def _lines(error: ValidationError) -> Iterator[str]:
    for each in error.errors(include_url=False):
        path = [str(part) for part in each["loc"] if part != "[key]"]
        where = f"{'.'.join(path)}: " if path else ""
        match each["type"]:
            case "extra_forbidden":
                model: type[BaseModel] = Tuning
                for part in path[:-1]:
                    model = type(model.model_fields[part].get_default())
                near = difflib.get_close_matches(path[-1], model.model_fields, 1)
                yield f"{where}unknown key" + (f"; did you mean {near[0]}?" if near else "")
            case "value_error":
                yield where + str(each["ctx"]["error"])
            case _:
                yield where + each["msg"][:1].lower() + each["msg"][1:]


def schema() -> str:
    """Return the JSON Schema of a values file, for editors and CI."""
    document = Tuning.model_json_schema(mode="validation")
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    defaults = Tuning().model_dump(mode="json")
    _set_defaults(document["properties"], defaults)
    _set_defaults(document["$defs"]["Kubernetes"]["properties"], defaults["kubernetes"])
    return json.dumps(document, indent=2) + "\n"


def _set_defaults(properties: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Write defaults as in a file: durations as text."""
    for name, definition in properties.items():
        definition["default"] = defaults[name]


def example() -> str:
    """Return a values file with every key, its description and its default."""
    return "# yaml-language-server: $schema=monitoring.schema.json\n" + _section(Tuning(), "")


def _section(values: BaseModel, indent: str) -> str:
    text = ""
    for name, field in type(values).model_fields.items():
        width = 120 - len(indent) - 2
        text += "".join(f"{indent}# {line}\n" for line in textwrap.wrap(field.description or "", width))
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            text += f"{indent}{name}:\n{_section(value, indent + '  ')}"
        else:
            plain = values.model_dump(mode="json", include={name})[name]
            text += f"{indent}{name}: {json.dumps(plain)}\n"
    return text
