"""Settings of a LiteLLM configuration that an operator of the callback should know of. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from .settings import entries

_SWITCHES: Mapping[tuple[str, str], str] = {
    ("general_settings", "forward_client_headers_to_llm_api"): (
        "takes up every `x-` header of a request, those of proxies in front of this one included, and they are decided "
        "and counted as the caller's; leave it off, and let callers send `extra_headers` in the body"
    ),
    ("general_settings", "forward_llm_provider_auth_headers"): (
        "has no effect, because callers' credentials are blocked; remove it"
    ),
    ("litellm_settings", "forward_llm_provider_auth_headers"): (
        "has no effect, because callers' credentials are blocked; remove it"
    ),
    ("general_settings", "allow_client_side_credentials"): (
        "lets callers choose the API key and the address of the provider; remove it, or name single parameters in "
        "configurable_clientside_auth_params of a model"
    ),
    ("general_settings", "user_header_name"): (
        "takes the end user from a header of the request, which the caller chooses; do not use it in `set`"
    ),
    ("general_settings", "user_header_mappings"): (
        "takes the user from a header of the request, which the caller chooses; `set` proves nothing then"
    ),
    ("general_settings", "enable_openai_websocket_passthrough"): (
        "opens connections whose headers no policy sees; remove it"
    ),
    ("litellm_settings", "cache"): (
        "shares answers between callers whatever extra headers they send; turn it off where a header changes the answer"
    ),
}
# Of a part of the configuration with named or listed members: the setting of a member, and what it does.
_MEMBERS: Mapping[tuple[str, str], str] = {
    ("mcp_servers", "extra_headers"): "sends these headers of the caller to the MCP server unchecked; remove it",
    ("agent_list", "extra_headers"): "sends these headers of the caller to the agent unchecked; remove it",
}


def warnings_of(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence for each: the setting, what it lets through or breaks, and what to do."""
    for (section, setting), text in _SWITCHES.items():
        if _mapping(config.get(section)).get(setting):
            yield f"{section}.{setting} {text}"
    groups = _mapping(_mapping(config.get("litellm_settings")).get("model_group_settings"))
    if groups.get("forward_client_headers_to_llm_api"):
        text = _SWITCHES["general_settings", "forward_client_headers_to_llm_api"]
        yield f"litellm_settings.model_group_settings.forward_client_headers_to_llm_api {text}"
    for entry in entries(config):
        if _mapping(entry.get("litellm_params")).get("configurable_clientside_auth_params"):
            yield (
                f"configurable_clientside_auth_params of model {entry.get('model_name')!r} lets callers choose where "
                "its calls go, or as whom"
            )
    for (section, setting), text in _MEMBERS.items():
        for name, member in _members(config.get(section)):
            if _mapping(member).get(setting):
                yield f"{section}[{name}].{setting} {text}"
    if config.get("mcp_servers"):
        yield (
            "mcp_servers: callers' `x-mcp-` headers reach the MCP servers unchecked; remove them in a proxy in front "
            "of this one"
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _members(value: object) -> list[tuple[object, object]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
