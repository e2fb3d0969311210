"""The Responses API, in which the server calls a provider's chat: at once, streamed and in the background."""

import json
from typing import Any

import httpx
import pytest

from extra_headers.telemetry import contract
from tests.llama_stack.traced import Traced
from tests.server.host import HEADER
from tests.server.stack import PROVIDER_KEY
from tests.waiting import wait_until

_MIXED = {"X-MAAS-SUBSCRIPTION": "free-tier", "Authorization": "Bearer evil", "x-api-key": "evil"}


def _respond(traced: Traced, provider: str, headers: dict[str, str] | None, **body: Any) -> httpx.Response:
    provider_data = {HEADER: json.dumps({"vllm_extra_headers": headers})} if headers else {}
    return traced.stack.client.post(
        f"{traced.stack.server.url}/v1/responses",
        json={"model": f"{provider}/test-model", "input": "hi", **body},
        headers=provider_data,
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_forwards_and_counts_once(traced: Traced, streamed: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """The call of the server carries the caller's header, the provider's own key and nothing that is blocked."""
    before = traced.stack.series()
    response = _respond(traced, "on", _MIXED, stream=streamed)

    assert response.status_code == 200, response.text
    (received,) = traced.stack.upstream.take()
    assert received.path == "/v1/chat/completions"
    assert received.values("x-maas-subscription") == ["free-tier"]
    assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]
    assert received.values("x-api-key") == []
    assert traced.stack.counted(before, contract.DECISIONS_TOTAL) == {
        ("forwarded", "on", "allowed"): 1,
        ("blocked", "on", "credential"): 2,
    }
    assert traced.stack.counted(before, contract.REQUESTS_TOTAL) == {("filtered", "on"): 1}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_rejected_one_sends_nothing(traced: Traced, streamed: bool) -> None:  # noqa: FBT001 - likewise
    """The answer tells the caller why, without a value; its status is the host's for any error of a provider."""
    before = traced.stack.series()
    response = _respond(traced, "reject_both", _MIXED, stream=streamed)

    assert response.status_code == (200 if streamed else 500)
    assert ("response.failed" in response.text) is streamed
    assert "nothing was sent to the provider: header 'Authorization' is blocked (credential" in response.text
    assert "evil" not in response.text
    assert traced.stack.upstream.take() == []
    assert traced.stack.counted(before, contract.REQUESTS_TOTAL) == {("rejected", "reject_both"): 1}


def test_background_responses_carry_their_own(traced: Traced) -> None:
    """The worker that makes the calls later was started by an earlier request, whose headers it does not carry."""
    marks: list[str | None] = ["alpha", "beta", None, "gamma"]
    for mark in marks:
        headers = {"X-Tenant": mark} if mark else None
        response = _respond(traced, "on", headers, background=True, input=f"from {mark}")
        assert response.status_code == 200, response.text

    wait_until(lambda: len(traced.stack.upstream.received) == len(marks))
    received = {
        json.loads(r.body)["messages"][0]["content"]: r.values("x-tenant") for r in traced.stack.upstream.take()
    }
    assert received == {f"from {mark}": [mark] if mark else [] for mark in marks}
