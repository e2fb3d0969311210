"""Several providers of one type in one server: each with its own policy, or with none."""

import pytest

from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from tests.providers.catalogue import CASES
from tests.providers.matrix import TWICE, calls
from tests.providers.stack import ENDPOINTS
from tests.server.stack import Stack

_ONE_OF_EACH = {"X-Tenant": "blue", "X-Second-Tenant": "green"}


def _endpoint(adapter_type: str) -> str:
    """Return the endpoint that leaves the common path, where a type has one."""
    return {"anthropic": "messages", "gemini": "interactions", "nvidia": "rerank"}.get(adapter_type, "chat")


def _send(stack: Stack, provider: str, field: str) -> ReceivedRequest:
    adapter_type = provider.removeprefix("plain-").removeprefix("second-")
    response = stack.send(provider, _ONE_OF_EACH, ENDPOINTS[_endpoint(adapter_type)], field=field)
    assert response.status_code == 200, response.text
    (request,) = calls(stack)
    CASES[adapter_type].credential(request)
    return request


@pytest.mark.parametrize("adapter_type", TWICE)
class TestInstances:
    """What the flag changes, it changes on one provider and not on its class."""

    def test_one_without_the_flag_is_the_built_in_one(self, stack: Stack, adapter_type: str) -> None:
        """Beside one with the flag, it forwards nothing and counts nothing."""
        field = adapter_type + "_extra_headers"
        assert _send(stack, adapter_type, field).values("x-tenant") == ["blue"]
        before = stack.series()

        request = _send(stack, f"plain-{adapter_type}", field)

        assert (request.values("x-tenant"), request.values("x-second-tenant")) == ([], [])
        assert stack.series() == before

    def test_each_has_its_own_field_and_policy(self, stack: Stack, adapter_type: str) -> None:
        """A field for one is nothing to the other, and what one lets pass the other does not."""
        first = _send(stack, adapter_type, "second")
        second = _send(stack, f"second-{adapter_type}", "second")

        assert (first.values("x-tenant"), first.values("x-second-tenant")) == ([], [])
        assert (second.values("x-tenant"), second.values("x-second-tenant")) == ([], ["green"])
