"""Fields that LiteLLM reads out of other fields of a body: into the call to a fallback, or out of `extra_body`.

Nothing there can be decided on for the deployment that it reaches, so header fields are malformed.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

from .caller import FIELDS

_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_EXTRA_BODY = "extra_body"
# By these, the call would no longer be known to belong to the request, or to its user.
_OF_THE_PROXY = (
    "litellm_call_id",
    "litellm_logging_obj",
    "litellm_metadata",
    "litellm_trace_id",
    "metadata",
    "model_info",
    "proxy_server_request",
)

type MayChooseKey = Callable[[MutableMapping[str, Any]], bool]
"""Returns whether a call may have the caller's `api_key`."""


def remove_nested(data: MutableMapping[str, Any], may_choose_key: MayChooseKey) -> set[str]:
    """Remove header fields, and what is the proxy's, from inside other fields; return which had header fields."""
    found = set()
    for holder in (*_FALLBACKS, _EXTRA_BODY):
        value = data.get(holder)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict) and _cleaned(part, holder, may_choose_key):
                found.add(holder)
    return found


def _cleaned(part: dict[str, Any], holder: str, may_choose_key: MayChooseKey) -> bool:
    """Clean one part, and return whether it had header fields."""
    is_call = holder != _EXTRA_BODY
    fields = [name for name in FIELDS if name in part]
    if is_call and "api_key" in fields and may_choose_key(part):
        fields.remove("api_key")
    for name in (*fields, *(_OF_THE_PROXY if is_call else ())):
        part.pop(name, None)
    return bool(remove_nested(part, may_choose_key)) or bool(fields)
