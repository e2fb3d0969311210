"""What a request body holds never becomes a header, an address or an option of the call, on any cell of the table."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from extra_headers.telemetry import contract
from tests.providers.catalogue import CASES
from tests.providers.matrix import COLUMNS, calls
from tests.providers.stack import ENDPOINTS
from tests.server.stack import Endpoint, Stack, grown

_HEADERS = {"Authorization": "Bearer evil", "Host": "evil.example", "Cookie": "a=evil", "X-Tenant": "blue"}
_NESTED = {"headers": _HEADERS, "base_url": "http://evil.example", "baseUrl": "http://evil.example", "timeout": 1}
_OPTIONS: Mapping[str, Any] = {
    "extra_query": {"evil": "1"},
    "extra_body": {"extra_headers": _HEADERS},
    "default_headers": _HEADERS,
    "default_query": {"evil": "1"},
    "headers": _HEADERS,
    "http_options": _NESTED,
    "httpOptions": _NESTED,
    "http_client": _NESTED,
    "timeout": 1,
    "max_retries": 0,
    "base_url": "http://evil.example",
    "api_key": "evil",
    "client": _NESTED,
    "options": _NESTED,
    "config": {"http_options": _NESTED},
    "litellm_params": _NESTED,
}
_REFUSING = {"passthrough": "extra_body, extra_query, timeout", "vertexai": "httpOptions.baseUrl"}
"""Types whose adapters spread a body over the arguments of an SDK, and what the answer names."""
_ENDPOINTS = [endpoint for column in COLUMNS.values() for endpoint in column if endpoint in ENDPOINTS]
# What differs from call to call.
_VARYING = {"content-length", "authorization", "x-amz-date", "date", "x-content-sha256", "traceparent", "x-tenant"}


def _target(adapter_type: str, endpoint: str, more: Mapping[str, Any]) -> Endpoint:
    target = ENDPOINTS[endpoint]
    of_the_type = CASES[adapter_type].embeddings if endpoint == "embeddings" else {}
    return replace(target, body={**target.body, **of_the_type, **more})


def _heads(stack: Stack) -> list[tuple[str, dict[str, str]]]:
    """Return the request lines and fields of the calls that arrived; what varies is left out."""
    return [
        (
            request.head.partition(b"\r\n")[0].decode(),
            {name.lower(): value for name, value in request.fields if name.lower() not in _VARYING},
        )
        for request in calls(stack)
    ]


@pytest.mark.parametrize("adapter_type", CASES)
def test_no_option_of_a_body_has_an_effect(stack: Stack, adapter_type: str) -> None:
    """The head of the call is the same with a body full of options as without, or the request is refused."""
    for endpoint in _ENDPOINTS:
        stack.send_to(adapter_type, _target(adapter_type, endpoint, {}))
        without = _heads(stack)
        if not without:
            continue
        one_by_one = [{name: value} for name, value in _OPTIONS.items()] if adapter_type in _REFUSING else []
        for options in (_OPTIONS, *one_by_one):
            response = stack.send_to(adapter_type, _target(adapter_type, endpoint, options))
            arrived = _heads(stack)
            assert arrived in ([], without), (endpoint, options)
            assert arrived == without or response.status_code >= 400 or '"error"' in response.text, endpoint


@pytest.mark.parametrize("adapter_type", CASES)
def test_headers_in_a_body_are_extra_headers(stack: Stack, adapter_type: str) -> None:
    """They are decided and counted like those in the provider data: nothing of `extra_headers` passes beside them."""
    after = stack.series(adapter_type)
    for endpoint in _ENDPOINTS:
        before = after
        stack.send_to(adapter_type, _target(adapter_type, endpoint, {}))
        if not calls(stack):
            continue
        response = stack.send_to(adapter_type, _target(adapter_type, endpoint, {"extra_headers": _HEADERS}))
        (request,) = calls(stack)
        assert b"evil" not in request.head, endpoint
        CASES[adapter_type].credential(request)
        after = stack.series(adapter_type)
        if request.values("x-tenant"):
            assert request.values("x-tenant") == ["blue"], endpoint
            assert grown(before, after, contract.DECISIONS_TOTAL) == {
                ("forwarded", adapter_type, "allowed"): 1,
                ("blocked", adapter_type, "framing"): 1,
                ("blocked", adapter_type, "credential"): 2,
            }, endpoint
        else:
            # Endpoints that the host translates drop what they do not know.
            assert grown(before, after, contract.DECISIONS_TOTAL) == {}, endpoint
            assert endpoint not in ("chat", "chat_stream", "completion", "completion_stream"), response.text


@pytest.mark.parametrize("adapter_type", _REFUSING)
@pytest.mark.parametrize("endpoint", ["chat", "chat_stream", "completion"])
def test_an_option_is_refused_by_name(stack: Stack, adapter_type: str, endpoint: str) -> None:
    """With status 400, before anything is sent, and counted."""
    before = stack.series(adapter_type)
    response = stack.send_to(adapter_type, _target(adapter_type, endpoint, _OPTIONS))
    assert (response.status_code, calls(stack)) == (400, []), response.text
    assert _REFUSING[adapter_type] in response.json()["error"]["message"]
    assert grown(before, stack.series(adapter_type), contract.REQUESTS_TOTAL) == {("rejected", adapter_type): 1}
