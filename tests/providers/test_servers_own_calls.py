"""What the server asks its providers for itself, whoever's request made it ask: without that caller's headers."""

import json

import pytest

from extra_headers.forwarding.policy.model import default_field
from tests.providers.catalogue import CASES
from tests.server.stack import Stack


@pytest.mark.parametrize(("path", "asks"), [("/v1/models", True), ("/v1/providers", False), ("/v1/health", False)])
def test_listing_and_health_carry_no_callers_header(stack: Stack, path: str, *, asks: bool) -> None:
    """Models are listed and providers checked, of every type at once, without the headers of whoever asked."""
    before = stack.series()
    data = {default_field(adapter_type): {"X-Tenant": "blue"} for adapter_type in CASES}

    response = stack.client.get(stack.server.url + path, headers={"X-OGX-Provider-Data": json.dumps(data)})

    assert response.status_code == 200
    received = stack.upstream.take()
    assert bool(received) is asks, "else this test shows nothing"
    assert [request.path for request in received if request.values("x-tenant")] == []
    assert stack.series() == before
