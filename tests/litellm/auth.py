"""LiteLLM's `custom_auth` in the tests: virtual keys without a database."""

from typing import Any

from litellm.proxy._types import UserAPIKeyAuth

from tests.litellm.keys import USERS


async def authenticate(request: Any, api_key: str) -> UserAPIKeyAuth:  # noqa: ARG001 - LiteLLM's signature
    """Return the user of a key."""
    return UserAPIKeyAuth(api_key=api_key, **USERS[api_key.removeprefix("Bearer ")])
