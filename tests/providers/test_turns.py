"""Work of the server that goes on beyond one call: turns of a response, background responses, batches."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from extra_headers.forwarding.testing.recording_mcp_server import RecordingMcpServer
from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest
from extra_headers.telemetry import contract
from tests.providers.answers import answer_as_any_provider
from tests.server.stack import Stack
from tests.waiting import wait_until


def _data(tenant: str) -> dict[str, str]:
    return {"X-OGX-Provider-Data": json.dumps({"vllm_extra_headers": {"X-Tenant": tenant, "Cookie": "evil"}})}


def _tenants(requests: list[ReceivedRequest]) -> list[list[str]]:
    return [request.values("x-tenant") for request in requests if request.method == "POST"]


def _create(stack: Stack, tenant: str | None, **body: Any) -> dict[str, Any]:
    response = stack.client.post(
        stack.server.url + "/v1/responses",
        json={"model": "vllm/test-model", "input": "hi", **body},
        headers={} if tenant is None else _data(tenant),
    )
    assert response.status_code == 200, response.text
    created: dict[str, Any] = response.json()
    return created


@pytest.fixture
def gate(stack: Stack) -> Iterator[threading.Event]:
    """Return what opens the upstream, which answers nothing until then."""
    opened = threading.Event()

    def answer_when_open(request: ReceivedRequest) -> Answer:
        opened.wait(30)
        return answer_as_any_provider(request)

    stack.upstream.answer = answer_when_open
    yield opened
    opened.set()
    stack.upstream.answer = answer_as_any_provider


def _calling_a_tool(request: ReceivedRequest) -> Answer:
    """Answer the first turn with a call of the tool, the second with text."""
    if b'"role":"tool"' in request.body.replace(b": ", b":"):
        return answer_as_any_provider(request)
    call = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    choices = [
        {"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "tool_calls"},
    ]
    chunk = {"id": "demo-1", "object": "chat.completion.chunk", "created": 0, "model": "test-model"}
    lines = [f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n" for choice in choices]
    return Answer(200, "".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")


def test_every_turn_carries_the_headers_and_tools_do_not(stack: Stack) -> None:
    """A response that calls a tool makes two calls to the provider: both with the headers, counted once."""
    before = stack.series("vllm")
    stack.upstream.answer = _calling_a_tool
    with RecordingMcpServer() as tools:
        tool = {"type": "mcp", "server_label": "tools", "server_url": tools.url, "require_approval": "never"}
        response = _create(stack, "blue", tools=[tool])
        stack.upstream.answer = answer_as_any_provider

        assert [item["type"] for item in response["output"]] == ["mcp_list_tools", "mcp_call", "message"]
        assert not any(request.values("x-tenant") for request in tools.received)
    received = stack.upstream.take()
    assert _tenants(received) == [["blue"], ["blue"]]
    assert all(b"evil" not in request.head for request in received)
    assert stack.counted(before, contract.DECISIONS_TOTAL, "vllm") == {
        ("forwarded", "vllm", "allowed"): 1,
        ("blocked", "vllm", "credential"): 1,
    }
    assert stack.counted(before, contract.REQUESTS_TOTAL, "vllm") == {("filtered", "vllm"): 1}


def test_a_later_response_carries_its_own_callers_headers(stack: Stack) -> None:
    """A conversation goes on with `previous_response_id`; the headers are those of each request, not of its start."""
    first = _create(stack, "blue")
    second = _create(stack, "green", previous_response_id=first["id"])
    _create(stack, None, previous_response_id=second["id"])

    assert _tenants(stack.upstream.take()) == [["blue"], ["green"], []]


def test_a_background_response_carries_its_creators_headers(stack: Stack, gate: threading.Event) -> None:
    """The host runs it in its creator's context, while that request is over and others are served."""
    created = [_create(stack, tenant, background=True) for tenant in ("blue", "green")]
    plain = _create(stack, None, background=True)
    gate.set()
    for response in (*created, plain):
        _wait_until_completed(stack, f"/v1/responses/{response['id']}")

    assert sorted(_tenants(stack.upstream.take())) == [[], ["blue"], ["green"]]


def _wait_until_completed(stack: Stack, path: str) -> None:
    wait_until(lambda: stack.client.get(stack.server.url + path).json()["status"] == "completed")


def test_a_batch_carries_its_creators_headers(stack: Stack, gate: threading.Event) -> None:
    """So does a batch: every line of it, whatever the requests carry that are served meanwhile."""
    lines = [
        {
            "custom_id": f"line-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "vllm/test-model", "messages": [{"role": "user", "content": f"line {number}"}]},
        }
        for number in range(3)
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    url = stack.server.url
    uploaded = stack.client.post(url + "/v1/files", files={"file": ("batch.jsonl", text)}, data={"purpose": "batch"})
    batch = {
        "input_file_id": uploaded.json()["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    created = stack.client.post(url + "/v1/batches", json=batch, headers=_data("blue"))
    assert created.status_code == 200, created.text
    gate.set()
    stack.send("vllm", {"X-Tenant": "green"})
    _wait_until_completed(stack, f"/v1/batches/{created.json()['id']}")

    received = stack.upstream.take()
    assert _tenants([request for request in received if b"line" in request.body]) == [["blue"]] * 3
    assert _tenants([request for request in received if b"line" not in request.body]) == [["green"]]


def test_nothing_outlives_its_request(stack: Stack) -> None:
    """After all of that, a request without extra headers carries none, whichever worker or connection serves it."""
    for tenant in ("blue", "green"):
        _create(stack, tenant)
    for _ in range(5):
        _create(stack, None)

    assert _tenants(stack.upstream.take())[2:] == [[]] * 5
