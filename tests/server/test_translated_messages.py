"""Anthropic Messages to a provider that has no such path, on the host that translates them."""

import pytest

from tests.server.stack import Stack


@pytest.mark.parametrize("endpoint", ["messages", "messages_stream", "count_tokens"])
def test_forwards_where_messages_are_translated(stack: Stack, endpoint: str) -> None:
    """Anthropic Messages to a provider that has no such path arrive as chat completions, with the header."""
    response = stack.send(
        "openai",
        {"X-MAAS-SUBSCRIPTION": "free-tier", "Authorization": "Bearer evil"},
        endpoint,
        field="openai_extra_headers",
    )

    assert response.status_code == 200, response.text
    (received,) = stack.upstream.take()
    assert received.path == "/v1/chat/completions"
    assert received.values("x-maas-subscription") == ["free-tier"]
