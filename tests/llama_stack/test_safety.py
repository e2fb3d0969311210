"""Llama Guard, which asks a model of a provider: the call is the caller's, and carries the caller's headers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest, answer_as_provider
from extra_headers.telemetry import contract
from tests.llama_stack.traced import Traced
from tests.server.host import HEADER
from tests.server.stack import PROVIDER_KEY

_MIXED = {"X-MAAS-SUBSCRIPTION": "free-tier", "Authorization": "Bearer evil"}
_COUNTED_ONCE = {("forwarded", "on", "allowed"): 1, ("blocked", "on", "credential"): 1}


def _finds_all_safe(request: ReceivedRequest) -> Answer:
    """Return the provider's usual answer, in the words of Llama Guard."""
    usual = answer_as_provider(request)
    return replace(usual, body=usual.body.replace(b'"hi"', b'"safe"'))


@pytest.fixture(autouse=True)
def _guard_model(traced: Traced) -> Iterator[None]:
    usual, traced.stack.upstream.answer = traced.stack.upstream.answer, _finds_all_safe
    yield
    traced.stack.upstream.answer = usual


def _post(traced: Traced, path: str, **body: Any) -> httpx.Response:
    headers = {HEADER: json.dumps({"vllm_extra_headers": _MIXED})}
    return traced.stack.client.post(f"{traced.stack.server.url}/v1/{path}", json=body, headers=headers)


def _run_shield(traced: Traced, shield: str) -> httpx.Response:
    return _post(traced, "safety/run-shield", shield_id=shield, messages=[{"role": "user", "content": "hi"}])


def _received(traced: Traced) -> list[tuple[str, list[str], list[str]]]:
    return [
        (call.path, call.values("x-maas-subscription"), call.values("authorization"))
        for call in traced.stack.upstream.take()
    ]


_CALL = ("/v1/chat/completions", ["free-tier"], [f"Bearer {PROVIDER_KEY}"])


def test_a_shield(traced: Traced) -> None:
    """The guard's call to the model carries the header that passes, and the provider's own key."""
    before = traced.stack.series()
    answered = _run_shield(traced, "guard-on")

    assert answered.status_code == 200, answered.text
    assert _received(traced) == [_CALL]
    assert traced.stack.counted(before, contract.DECISIONS_TOTAL) == _COUNTED_ONCE


def test_a_moderation(traced: Traced) -> None:
    """So does the call of OpenAI's endpoint for it."""
    before = traced.stack.series()
    answered = _post(traced, "moderations", model="on/test-model", input="hi")

    assert answered.status_code == 200, answered.text
    assert _received(traced) == [_CALL]
    assert traced.stack.counted(before, contract.DECISIONS_TOTAL) == _COUNTED_ONCE


def test_a_guardrail_of_responses(traced: Traced) -> None:
    """The guard's calls and the answer's own are one request of the caller, and counted once."""
    before = traced.stack.series()
    answered = _post(traced, "responses", model="on/test-model", input="hi", guardrails=["guard-on"])

    assert answered.status_code == 200, answered.text
    received = _received(traced)
    assert len(received) > 1
    assert set(map(str, received)) == {str(_CALL)}
    assert traced.stack.counted(before, contract.DECISIONS_TOTAL) == _COUNTED_ONCE


def test_a_rejected_request(traced: Traced) -> None:
    """Nothing is sent for the guard where the policy of its model's provider rejects the request."""
    answered = _run_shield(traced, "guard-reject_both")

    assert answered.status_code == 403, answered.text
    assert "header 'Authorization' is blocked (credential" in answered.text
    assert "evil" not in answered.text
    assert _received(traced) == []
