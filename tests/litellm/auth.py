"""LiteLLM's `custom_auth` in the tests: virtual keys without a database."""

from typing import Any

from litellm.proxy._types import UserAPIKeyAuth

MASTER_KEY = "sk-Kz83hf7Hdj29dkfj3"
ALICE, BOB, NOBODY = "sk-alice-4821", "sk-bob-9034", "sk-nobody-1157"
USERS: dict[str, dict[str, Any]] = {
    MASTER_KEY: {"user_id": "admin"},
    ALICE: {
        "user_id": "alice",
        "team_id": "red",
        "key_alias": "alice-laptop",
        "metadata": {"cost-center": "4711", "key_alias": "spoofed"},
    },
    BOB: {"user_id": "bob", "team_id": "blue"},
    NOBODY: {},
}


async def authenticate(request: Any, api_key: str) -> UserAPIKeyAuth:  # noqa: ARG001 - LiteLLM's signature
    """Return the user of a key."""
    return UserAPIKeyAuth(api_key=api_key, **USERS[api_key.removeprefix("Bearer ")])
