"""The configuration reference, docs/configuration.md: what this module prints as a program."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

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
_FIRST = ("enabled", "field", "from_request")

type _Schema = Mapping[str, Any]


def render() -> str:
    """Return the reference as Markdown."""
    schema = Policy.model_json_schema()
    return "\n".join([_INTRODUCTION, *_sections(schema, schema["$defs"], "", set())])


def _sections(model: _Schema, definitions: _Schema, path: str, described: set[str]) -> Iterator[str]:
    title = f"`{_SETTING}.{path}`" if path else f"`{_SETTING}`"
    # Stable: the others keep the order of the model.
    settings = sorted(model["properties"].items(), key=lambda setting: setting[0] not in _FIRST)
    rows = "".join(_row(name, setting) for name, setting in settings)
    yield f"## {title}\n\n{_one_line(model['description'])}\n"
    yield f"| setting | type | default | meaning | example |\n|---|---|---|---|---|\n{rows}"
    for name, setting in settings:
        nested = _model_in(setting)
        # Once each: the limits of a shadow policy are those of a policy.
        if nested and nested not in described:
            described.add(nested)
            yield from _sections(definitions[nested], definitions, f"{path}.{name}" if path else name, described)


def _model_in(setting: _Schema) -> str | None:
    """Return the name of the model that a setting may contain."""
    reference = next((kind["$ref"] for kind in (setting, *setting.get("anyOf", ())) if "$ref" in kind), None)
    return reference and reference.rpartition("/")[2]


def _row(name: str, setting: _Schema) -> str:
    cells = (f"`{name}`", _type(setting), _default(setting), _one_line(setting["description"]), _example(name, setting))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _type(setting: _Schema) -> str:
    match setting:
        case {"anyOf": kinds}:
            return " or ".join(_type(kind) for kind in kinds if kind.get("type") != "null")
        case {"enum": words}:
            return " or ".join(f"`{word}`" for word in words)
        case {"type": "array", "items": entry}:
            return f"list of {_type(entry)}s"
        case {"type": "object"}:
            return "mapping of strings to strings"
        case {"type": kind, "minimum": low, "maximum": high}:
            return f"{kind}, {low} to {high}"
    return str(setting.get("type", "mapping"))


def _default(setting: _Schema) -> str:
    value = setting.get("default", {})
    if value is None:
        return "not set"
    return "see below" if "$ref" in setting else f"`{_yaml(value)}`"


def _example(name: str, setting: _Schema) -> str:
    value = setting["examples"][0] if "examples" in setting else setting.get("enum", [setting.get("default")])[-1]
    if isinstance(value, dict):
        value = dict(list(value.items())[:1])
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
