"""Fields of a body that hide header fields in others: in the parameters of a fallback, or in `extra_body`."""

import json
from typing import Any

import pytest

from extra_headers.telemetry import contract
from tests.litellm.configuration import PROVIDER_KEY
from tests.litellm.keys import ALICE
from tests.litellm.proxy import MESSAGES, Proxy, grown

_HEADERS = {"Authorization": "Bearer EVIL", "x-api-key": "EVIL", "X-Tenant": "EVIL"}
_SCOPED = {"custom_llm_provider": "openai", "extra_headers": _HEADERS}
# What a request to a model has besides, and the model.
HIDDEN: dict[str, tuple[str, dict[str, Any]]] = {
    "a fallback with a key": ("failing", {"fallbacks": [{"model": "gpt", "api_key": "EVIL"}]}),
    "a fallback with an organization": ("failing", {"fallbacks": [{"model": "gpt", "organization": "EVIL"}]}),
    "a fallback with headers": ("failing", {"fallbacks": [{"model": "gpt", "extra_headers": _HEADERS}]}),
    "a fallback with plain headers": ("failing", {"fallbacks": [{"model": "gpt", "headers": _HEADERS}]}),
    "a fallback with scoped headers": (
        "failing",
        {"fallbacks": [{"model": "gpt", "provider_specific_header": _SCOPED}]},
    ),
    "a fallback of a fallback": (
        "failing",
        {"fallbacks": [{"model": "flaky", "fallbacks": [{"model": "gpt", "api_key": "EVIL"}]}]},
    ),
    "a fallback for a long context": ("gpt", {"context_window_fallbacks": [{"model": "gpt", "api_key": "EVIL"}]}),
    "headers in the extra body": ("gpt", {"extra_body": {"extra_headers": _HEADERS}}),
    "a key in the extra body": ("gpt", {"extra_body": {"api_key": "EVIL"}}),
    "the extra body of a fallback": (
        "failing",
        {"fallbacks": [{"model": "gpt", "extra_body": {"provider_specific_header": _SCOPED}}]},
    ),
}


@pytest.mark.parametrize(("model", "body"), HIDDEN.values(), ids=HIDDEN)
def test_hidden_header_fields_are_malformed(proxy: Proxy, model: str, body: dict[str, Any]) -> None:
    """The request is answered 400, nothing is sent, and one malformed envelope is counted."""
    before = proxy.counts(contract.DECISIONS_TOTAL)
    answer = proxy.chat(model, **body)
    assert answer.status == 400, answer.body
    assert proxy.taken() == []
    assert grown(before, proxy.counts(contract.DECISIONS_TOTAL)) == {("malformed", model, "envelope"): 1}
    assert "EVIL" not in answer.body.decode() + proxy.server.log


def test_a_video_with_headers_in_the_extra_body(proxy: Proxy) -> None:
    """LiteLLM reads these as the parameters of the call."""
    body = {"model": "gpt", "prompt": "hi", "extra_body": {"extra_headers": _HEADERS}}
    assert proxy.post("/v1/videos", body).status >= 400
    assert proxy.taken() == []


def test_a_policy_that_drops_what_is_malformed_sends_none_of_it(proxy: Proxy) -> None:
    """The request is served, with the operator's key."""
    body = {"extra_headers": _HEADERS, "headers": _HEADERS, "a": 1}
    assert proxy.chat("dropping", extra_body=body).status == 200
    received = proxy.one()
    assert b"EVIL" not in received.head + received.body
    assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]


def test_a_fallback_is_of_the_same_request(proxy: Proxy) -> None:
    """The identity headers of the user are sent, whatever the caller says of the call."""
    before = proxy.counts(contract.IDENTITY_HEADERS_TOTAL)
    target = {
        "model": "identified",
        "litellm_call_id": "another",
        "litellm_trace_id": "another",
        "metadata": {"user_api_key_auth": {"team_id": "EVIL"}, "user_api_key_team_id": "EVIL"},
        "litellm_metadata": {"user_api_key_auth": None},
        "model_info": {"id": "another"},
        "temperature": 0.5,
    }
    assert proxy.chat("failing", key=ALICE, fallbacks=[target]).status == 200
    received = proxy.taken()[-1]
    assert received.values("x-tenant-id") == ["red"]
    assert json.loads(received.body)["temperature"] == 0.5
    assert grown(before, proxy.counts(contract.IDENTITY_HEADERS_TOTAL))["x-tenant-id", "identified", "sent"] == 1


def test_a_fallback_with_a_key_that_the_operator_leaves_to_the_caller(proxy: Proxy) -> None:
    """`configurable_clientside_auth_params` counts for the model that the key is sent to."""
    answer = proxy.chat("failing", fallbacks=[{"model": "own-key", "api_key": "the-callers-key"}])
    assert answer.status == 200, answer.body
    assert proxy.taken()[-1].values("authorization") == ["Bearer the-callers-key"]


def test_a_callers_api_version_stays_in_its_parameter(proxy: Proxy) -> None:
    """LiteLLM sends it to Azure in place of the operator's: in the URL, and encoded."""
    assert proxy.chat("azure", api_version="a&b=c#d\r\nX-Tenant: EVIL").status == 200
    received = proxy.one()
    assert received.path.partition("?")[2] == "api-version=a%26b%3Dc%23d%0D%0AX-Tenant%3A+EVIL"
    assert received.values("x-tenant") == []


def test_equal_keys_in_the_body(proxy: Proxy) -> None:
    """LiteLLM reads the last of each, and that one is decided on."""
    text = json.dumps({"model": "gpt", "messages": MESSAGES})[:-1]
    both = text + ', "extra_headers": {"X-A": "1"}, "extra_headers": {"Cookie": "EVIL", "X-B": "1"}}'
    assert proxy.post("/v1/chat/completions", both.encode()).status == 200
    received = proxy.one()
    assert received.values("x-a") == []
    assert received.values("x-b") == ["1"]
    assert b"EVIL" not in received.head
