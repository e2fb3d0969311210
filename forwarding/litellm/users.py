"""The user that LiteLLM authenticated, with its attributes."""

from collections.abc import Mapping
from typing import Any

import litellm
from opentelemetry import trace

from ..policy.identity import User

NOBODY = User()


def user_of(auth: Any) -> User:
    """Return the user of a virtual key or token: its user, its team, and what else LiteLLM knows, as attributes.

    The key's metadata can be set by whoever may make keys; names that LiteLLM itself vouches for win over it.
    """
    vouched = {
        "key_alias": auth.key_alias,
        "team_alias": auth.team_alias,
        "organization": auth.org_id,
        "email": auth.user_email,
        "end_user": auth.end_user_id,
    }
    attributes: dict[str, list[str]] = {}
    metadata = auth.metadata
    for name, value in metadata.items() if isinstance(metadata, Mapping) else ():
        values = value if isinstance(value, list | tuple) else [value]
        if isinstance(name, str) and name not in vouched and all(isinstance(each, str) for each in values):
            attributes[name] = list(values)
    attributes |= {name: [value] for name, value in vouched.items() if isinstance(value, str) and value}
    return User(id=auth.user_id or None, tenant=auth.team_id or None, attributes=attributes)


def span_of(auth: Any) -> trace.Span | None:
    """Return the span of LiteLLM's own tracing for the request; None where it traces nothing."""
    span = getattr(auth, "parent_otel_span", None)
    return span if isinstance(span, trace.Span) else None


def headers_about(auth: Any, forwarded: object) -> Mapping[str, str]:
    """Return which of the headers to forward LiteLLM made itself, by `add_user_information_to_llm_headers`."""
    if litellm.add_user_information_to_llm_headers is not True or not isinstance(forwarded, Mapping):
        return {}
    from litellm.proxy.litellm_pre_call_utils import LiteLLMProxyRequestSetup  # noqa: PLC0415 - only loaded in a proxy

    made: Mapping[str, str] = LiteLLMProxyRequestSetup.add_headers_to_llm_call({}, auth)
    return {name: value for name, value in made.items() if forwarded.get(name) == value}
