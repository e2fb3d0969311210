"""JSON Schemas, generated from the policy's own model: of the `extra_headers` value, and of a host's whole file."""

import json
from typing import Any

from ..litellm.misplaced import DEFAULTS
from ..litellm.settings import NOT_HERE
from ..policy.mcp import MCP_PROVIDERS, McpProvider
from ..policy.model import Policy
from ..run_config.providers import MODULE
from ..run_config.providers import SETTING as _SETTING

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
    for rules in (definitions["Policy"], definitions["ShadowPolicy"]):
        # Python's default; in a file, null is an error: something was left empty by accident.
        for name in ("allow", "field", "shadow"):
            if name in rules["properties"]:
                rules["properties"][name] = _without_null(rules["properties"][name])
    with_references = {name: _with_references(definition) for name, definition in sorted(definitions.items())}
    values = _with_references({"type": "boolean"})["anyOf"]
    return {
        "$schema": _DIALECT,
        **_ABOUT,
        "anyOf": [*values, {"type": "null"}, {"$ref": "#/$defs/Policy"}],
        "$defs": {**with_references, _REFERENCE_NAME: _REFERENCE},
    }


def run_config_schema() -> dict[str, Any]:
    """Return the schema of an OGX run config, which restricts nothing but `extra_headers` and where it may be."""
    value = schema()
    definitions = value.pop("$defs")
    value.pop("$schema")
    config = {"type": "object", "properties": {_SETTING: {"$ref": f"#/$defs/{_SETTING}"}}}
    entry = {
        "type": "object",
        "properties": {
            "module": {"type": "string", "description": f"`{MODULE}` loads the add-on for this provider type."},
            "config": {"anyOf": [config, {"type": "null"}]},
            _SETTING: {"not": {}, "description": "OGX ignores it here; move it into `config`."},
        },
    }
    of_mcp = {kind.api: _entries({**entry, **_unfit_settings(kind)}) for kind in MCP_PROVIDERS}
    by_api = {"type": "object", "properties": of_mcp, "additionalProperties": _entries(entry)}
    return {
        "$schema": _DIALECT,
        "title": "OGX run config with extra_headers",
        "description": "Checks `extra_headers` in the config of each provider, and accepts everything else.",
        "type": "object",
        "properties": {"providers": by_api},
        "$defs": {_SETTING: value, **definitions},
    }


def _entries(entry: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": entry}


def _unfit_settings(kind: McpProvider) -> dict[str, Any]:
    """Return the keywords by which an entry refuses what `policy.mcp.unfit_settings` finds, but for names."""
    settings: dict[str, Any] = {
        "on_redirect": {"not": {"const": "keep"}, "description": "An MCP client follows no redirect to another origin."}
    }
    if kind.callers_choose_the_server:
        text = "Not here: it would be sent to whichever MCP server a caller names in a request."
        settings["set"] = settings["from_request"] = {"maxProperties": 0, "maxItems": 0, "description": text}
        settings["field"] = {"not": {}, "description": "Not here: the headers are in each MCP tool of the request."}
    policy = {"properties": {_SETTING: {"properties": settings}}}
    return {
        "if": {"properties": {"provider_type": {"const": kind.provider_type}}, "required": ["provider_type"]},
        "then": {"properties": {"config": policy}},
    }


def litellm_schema() -> dict[str, Any]:
    """Return the schema of a LiteLLM config.yaml, which restricts nothing but `extra_headers` and where it may be."""
    value = schema()
    definitions = value.pop("$defs")
    value.pop("$schema")
    value["anyOf"] = [kind for kind in value["anyOf"] if kind != {"type": "null"}]
    for name in NOT_HERE:
        del definitions["Policy"]["properties"][name]
    definitions[_REFERENCE_NAME] = {
        "title": "Environment variable",
        "description": "LiteLLM replaces it when the proxy starts, but for entries of lists: os.environ/NAME.",
        "type": "string",
        "pattern": "^os\\.environ/",
    }
    policy = {"type": "object", "properties": {_SETTING: {"$ref": f"#/$defs/{_SETTING}"}}}
    entry = {
        "type": "object",
        "properties": {
            "model_info": policy,
            _SETTING: {"not": {}, "description": "LiteLLM ignores it here; move it into `model_info`."},
        },
    }
    return {
        "$schema": _DIALECT,
        "title": "LiteLLM config.yaml with extra_headers",
        "description": "Checks the default policy and those of models, and accepts everything else.",
        "type": "object",
        "properties": {DEFAULTS: policy, "model_list": {"type": "array", "items": entry}},
        "$defs": {_SETTING: value, **definitions},
    }


def render(whole: str | None = None) -> str:
    """Return a schema as text: of a value, or of a whole `run-config` or `litellm` file."""
    make = {None: schema, "run-config": run_config_schema, "litellm": litellm_schema}[whole]
    return json.dumps(make(), indent=2) + "\n"


def _without_null(setting: dict[str, Any]) -> dict[str, Any]:
    (kind,) = (kind for kind in setting["anyOf"] if kind != {"type": "null"})
    return {**{key: value for key, value in setting.items() if key not in {"anyOf", "default"}}, **kind}


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
