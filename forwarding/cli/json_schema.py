"""The JSON Schema of the `extra_headers` value, made from the policy's own model."""

import inspect
import json
from typing import Any

from ..policy.model import Policy
from .models import all_models, descriptions

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
    "description": "Forward callers' extra HTTP headers to this provider: true for a safe policy, a mapping for one of "
    "your own, false or null for none.",
}
# They describe a setting, not what it may be.
_ANNOTATIONS = ("title", "description", "default", "examples")


def schema() -> dict[str, Any]:
    """Return the schema of what stands under `extra_headers` in a provider's config: a boolean, null or a mapping."""
    model = Policy.model_json_schema(mode="validation")
    definitions = model.pop("$defs", {})
    definitions["Policy"] = definitions.get("Policy", model)
    for described in all_models(Policy):
        definition = definitions[described.__name__]
        # What the class may raise is for those who write Python.
        definition["description"] = str(inspect.getdoc(described)).partition("\n\nRaises:")[0]
        for name, meaning in descriptions(described).items():
            definition["properties"][name]["description"] = meaning
    made = {name: _with_references(definition) for name, definition in sorted(definitions.items())}
    values = _with_references({"type": "boolean"})["anyOf"]
    return {
        "$schema": _DIALECT,
        **_ABOUT,
        "anyOf": [*values, {"type": "null"}, {"$ref": "#/$defs/Policy"}],
        "$defs": {**made, _REFERENCE_NAME: _REFERENCE},
    }


def render() -> str:
    """Return the schema as text."""
    return json.dumps(schema(), indent=2) + "\n"


def _with_references(node: Any) -> Any:
    """Return a schema in which a reference to an environment variable may stand for every single value."""
    if isinstance(node, list):
        return [_with_references(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in _REPLACEABLE:
        about = {key: value for key, value in node.items() if key in _ANNOTATIONS}
        limits = {key: value for key, value in node.items() if key not in _ANNOTATIONS}
        return {**about, "anyOf": [limits, {"$ref": f"#/$defs/{_REFERENCE_NAME}"}]}
    return {
        # Names of settings, and words of the operator, are no schemas.
        key: {name: _with_references(below) for name, below in value.items()}
        if key == "properties"
        else value
        if key in (*_ANNOTATIONS, "required", "enum", "propertyNames")
        else _with_references(value)
        for key, value in node.items()
    }
