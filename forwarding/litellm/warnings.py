"""Settings of a LiteLLM configuration that an operator of the callback should know of. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..policy.errors import dotted
from .misplaced import Path

_EACH = "*"
_FORWARDED = (
    "takes up every `x-` header of a request, those of proxies in front of this one included, and they are decided "
    "and counted as the caller's; leave it off, and let callers send `extra_headers` in the body"
)
_NO_EFFECT = "has no effect, because callers' credentials are blocked; remove it"
_WARNINGS: Mapping[tuple[str, ...], str] = {
    ("general_settings", "forward_client_headers_to_llm_api"): _FORWARDED,
    ("litellm_settings", "model_group_settings", "forward_client_headers_to_llm_api"): _FORWARDED,
    ("general_settings", "pass_through_endpoints", _EACH, "forward_headers"): (
        "takes up every header of a request, those of proxies in front of this one included, and they are decided and "
        "counted as the caller's under the default policy; leave it off, and let callers prefix them with `x-pass-`"
    ),
    ("general_settings", "forward_llm_provider_auth_headers"): _NO_EFFECT,
    ("litellm_settings", "forward_llm_provider_auth_headers"): _NO_EFFECT,
    ("litellm_settings", "forward_traceparent_to_llm_provider"): (
        "adds a caller's `traceparent` to the extra headers, which blocks it; remove it"
    ),
    ("general_settings", "allow_client_side_credentials"): (
        "lets callers choose the API key and the address of the provider; remove it, or name single parameters in "
        "configurable_clientside_auth_params of a model"
    ),
    ("model_list", _EACH, "litellm_params", "configurable_clientside_auth_params"): (
        "lets callers choose where calls to this model go, or as whom"
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
    ("mcp_servers", _EACH, "extra_headers"): (
        "sends these headers of the caller to the MCP server unchecked; remove it"
    ),
    ("agent_list", _EACH, "extra_headers"): "sends these headers of the caller to the agent unchecked; remove it",
    ("mcp_servers",): (
        "lets callers' `x-mcp-` headers reach the MCP servers unchecked; remove them in a proxy in front of this one"
    ),
}
"""What each setting lets through or breaks, and what to do; `*` means each member of a list or mapping."""


def warnings_of(config: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the path of each setting that is there and not false or empty, and one sentence."""
    for pattern, text in _WARNINGS.items():
        for path in _paths(config, pattern, ()):
            yield path, f"{dotted(path)} {text}"


def _paths(value: Any, pattern: tuple[str, ...], above: Path) -> Iterator[Path]:
    if not pattern:
        if value:
            yield above
        return
    step, *below = pattern
    members = dict(enumerate(value)) if isinstance(value, list) else value
    if isinstance(members, Mapping):
        for key in members if step == _EACH else {step} & members.keys():
            yield from _paths(members[key], tuple(below), (*above, key))
