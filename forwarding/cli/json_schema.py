"""The JSON Schema of the `extra_headers` value, made from the policy's own model."""

import json
from typing import Any

from ..policy.model import Policy

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {
    "title": "Environment variable",
    "description": "OGX replaces it when the server starts: ${env.NAME}, ${env.NAME:=default} or ${env.NAME:+value}.",
    "type": "string",
    "pattern": r"\$\{env\.[A-Z0-9_]+(:[=+][^}]*)?\}",
}
_REFERENCE_NAME = "EnvironmentVariable"
_REPLACEABLE = ("boolean", "integer", "number", "string")
_ABOUT = {
    "title": "extra_headers",
    "description": "Forward callers' extra HTTP headers to this provider: true for the default policy, which forwards "
    "every header that is not blocked; a mapping for another policy; false or null for none.",
}
# Keywords that describe a setting and do not restrict it.
_ANNOTATIONS = ("title", "description", "default", "examples")


def schema() -> dict[str, Any]:
    """Return the schema of the value of `extra_headers` in a provider's config: a boolean, null or a mapping."""
    model = Policy.model_json_schema(mode="validation")
    definitions = model.pop("$defs", {})
    definitions["Policy"] = definitions.get("Policy", model)
    with_references = {name: _with_references(definition) for name, definition in sorted(definitions.items())}
    values = _with_references({"type": "boolean"})["anyOf"]
    return {
        "$schema": _DIALECT,
        **_ABOUT,
        "anyOf": [*values, {"type": "null"}, {"$ref": "#/$defs/Policy"}],
        "$defs": {**with_references, _REFERENCE_NAME: _REFERENCE},
    }


def render() -> str:
    """Return the schema as text."""
    return json.dumps(schema(), indent=2) + "\n"


def _with_references(node: Any) -> Any:
    """Return a schema that also accepts a reference to an environment variable in place of every single value."""
    if isinstance(node, list):
        return [_with_references(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in _REPLACEABLE:
        annotations = {key: value for key, value in node.items() if key in _ANNOTATIONS}
        limits = {key: value for key, value in node.items() if key not in _ANNOTATIONS}
        return {**annotations, "anyOf": [limits, {"$ref": f"#/$defs/{_REFERENCE_NAME}"}]}
    return {
        # Names of settings and annotations are not schemas.
        key: {name: _with_references(below) for name, below in value.items()}
        if key == "properties"
        else value
        if key in (*_ANNOTATIONS, "required", "enum", "propertyNames")
        else _with_references(value)
        for key, value in node.items()
    }
