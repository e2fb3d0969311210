"""What counts as one request: however many calls, tasks, lines or copies of the host's context it leads to."""

import json
from typing import Any

import pytest
from websockets.sync.client import connect

from extra_headers.forwarding.testing.recording_mcp_server import RecordingMcpServer
from extra_headers.telemetry import contract
from tests.providers.answers import answer_as_any_provider
from tests.providers.test_turns import _calling_a_tool, _create, _data, _wait_until_completed
from tests.server.stack import Stack
from tests.waiting import wait_until

_MESSAGES = [{"role": "user", "content": "hi"}]
_ONCE = {("forwarded", "vllm", "allowed"): 1, ("blocked", "vllm", "credential"): 1}


def _counted(stack: Stack, before: Any) -> dict[tuple[str, ...], float]:
    return stack.counted(before, contract.DECISIONS_TOTAL, "vllm")


def _carried(stack: Stack) -> list[list[str]]:
    return [request.values("x-tenant") for request in stack.upstream.take() if request.method == "POST"]


def test_a_response_whose_context_the_host_copies(stack: Stack) -> None:
    """With a key for the provider by its id, the host makes a copy of the provider data at each call."""
    before = stack.series("vllm")
    stack.upstream.answer = _calling_a_tool
    data = {"vllm_extra_headers": {"X-Tenant": "blue", "Cookie": "evil"}, "vllm_api_key": "the-callers-own-key"}
    with RecordingMcpServer() as tools:
        tool = {"type": "mcp", "server_label": "tools", "server_url": tools.url, "require_approval": "never"}
        response = stack.client.post(
            stack.server.url + "/v1/responses",
            json={"model": "vllm/test-model", "input": "hi", "tools": [tool]},
            headers={"X-OGX-Provider-Data": json.dumps(data)},
        )
    stack.upstream.answer = answer_as_any_provider
    assert response.status_code == 200, response.text
    received = stack.upstream.take()
    assert [request.values("x-tenant") for request in received] == [["blue"], ["blue"]]
    assert {request.values("authorization")[0] for request in received} == {"Bearer the-callers-own-key"}
    assert _counted(stack, before) == _ONCE


@pytest.mark.parametrize("number", [3, 50])
def test_a_batch(stack: Stack, number: int) -> None:
    """Its lines run in tasks of their own, with the headers of its creator: one request."""
    before = stack.series("vllm")
    body = {"model": "vllm/test-model", "messages": _MESSAGES}
    lines = [
        json.dumps({"custom_id": f"line-{i}", "method": "POST", "url": "/v1/chat/completions", "body": body})
        for i in range(number)
    ]
    url = stack.server.url
    uploaded = stack.client.post(
        url + "/v1/files", files={"file": ("batch.jsonl", "\n".join(lines))}, data={"purpose": "batch"}
    )
    batch = {"input_file_id": uploaded.json()["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    created = stack.client.post(url + "/v1/batches", json=batch, headers=_data("blue"))
    _wait_until_completed(stack, f"/v1/batches/{created.json()['id']}")
    assert _carried(stack) == [["blue"]] * number
    assert _counted(stack, before) == _ONCE


def test_each_turn_of_a_websocket(stack: Stack) -> None:
    """One handshake, many turns: each is a request of its own, with the headers of the handshake."""
    before = stack.series("vllm")
    address = stack.server.url.replace("http", "ws", 1) + "/v1/responses"
    with connect(address, additional_headers=_data("blue")) as socket:
        for _ in range(3):
            socket.send(json.dumps({"type": "response.create", "model": "vllm/test-model", "input": "hi"}))
            while json.loads(socket.recv(timeout=60))["type"] != "response.completed":
                pass
    assert _carried(stack) == [["blue"]] * 3
    assert _counted(stack, before) == dict.fromkeys(_ONCE, 3)


def test_a_compacted_conversation(stack: Stack) -> None:
    """`/v1/responses/compact` calls the provider like a chat."""
    first = _create(stack, None)
    stack.upstream.take()
    before = stack.series("vllm")
    response = stack.client.post(
        stack.server.url + "/v1/responses/compact",
        json={"model": "vllm/test-model", "previous_response_id": first["id"]},
        headers=_data("blue"),
    )
    assert response.status_code == 200, response.text
    assert _carried(stack) == [["blue"]]
    assert _counted(stack, before) == _ONCE


def test_a_batch_of_messages(stack: Stack) -> None:
    """`/v1/messages/batches` runs in the background, with its creator's headers: one request."""
    before = stack.series("vllm")
    params = {"model": "vllm/test-model", "messages": _MESSAGES, "max_tokens": 5}
    requests = [{"custom_id": f"m-{number}", "params": params} for number in range(4)]
    url = stack.server.url + "/v1/messages/batches"
    created = stack.client.post(url, json={"requests": requests}, headers=_data("blue"))
    assert created.status_code == 200, created.text
    _wait_until_ended(stack, f"/v1/messages/batches/{created.json()['id']}")
    assert _carried(stack) == [["blue"]] * 4
    assert _counted(stack, before) == _ONCE


def _wait_until_ended(stack: Stack, path: str) -> None:
    wait_until(lambda: stack.client.get(stack.server.url + path).json()["processing_status"] == "ended")
