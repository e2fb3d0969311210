"""Where a rejected request is told so: no endpoint of the host answers as if nothing had happened."""

import json
from typing import Any

import pytest
from websockets.sync.client import connect

from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest
from extra_headers.telemetry import contract
from tests.providers.answers import answer_as_any_provider
from tests.providers.doors import batch_of_messages, file, new_vector_store, turn
from tests.server.stack import Stack
from tests.waiting import wait_until

_DATA = {"second": {"Cookie": "evil"}, "vllm_extra_headers": {"X-Tenant": "blue"}}
_HEADERS = {"X-OGX-Provider-Data": json.dumps(_DATA)}
_TOLD = "header 'Cookie' is blocked (credential"
_PROVIDER = "rejecting-vllm"
_RESPONSE = {"model": f"{_PROVIDER}/test-model", "input": "hi"}


def _post(stack: Stack, path: str, body: object) -> Any:
    return stack.client.post(stack.server.url + path, json=body, headers=_HEADERS)


def _get(stack: Stack, path: str) -> Any:
    return stack.client.get(stack.server.url + path).json()


def _calling_file_search(request: ReceivedRequest) -> Answer:
    """Answer the first turn with a call of the tool."""
    if b"/chat/" not in request.head or b'"role":"tool"' in request.body.replace(b": ", b":"):
        return answer_as_any_provider(request)
    function = {"name": "knowledge_search", "arguments": '{"query": "hi"}'}
    delta = {"role": "assistant", "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}
    choices = [{"index": 0, "delta": delta}, {"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "test-model"}
    lines = [f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n" for choice in choices]
    return Answer(200, "".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")


def _file_search(stack: Stack) -> str:
    """Let another provider answer, which searches a vector store whose embeddings are rejected."""
    stack.upstream.answer = _calling_file_search
    tool = {"type": "file_search", "vector_store_ids": [_store(stack)]}
    response = _post(stack, "/v1/responses", {"model": "vllm/test-model", "input": "hi", "tools": [tool]})
    stack.upstream.answer = answer_as_any_provider
    assert response.status_code == 403
    (chat,) = stack.upstream.take()
    assert chat.values("x-tenant") == ["blue"]
    return str(response.text)


def _store(stack: Stack) -> str:
    return str(json.loads(new_vector_store(stack, _PROVIDER).text)["id"])


def _search(stack: Stack) -> str:
    response = _post(stack, f"/v1/vector_stores/{_store(stack)}/search", {"query": "hi"})
    assert response.status_code == 403
    return str(response.text)


def _response(stack: Stack) -> str:
    response = _post(stack, "/v1/responses", _RESPONSE)
    assert response.status_code == 403
    return str(response.json()["error"]["message"])


def _streamed_response(stack: Stack) -> str:
    response = _post(stack, "/v1/responses", {**_RESPONSE, "stream": True})
    last = json.loads(response.text.strip().rpartition("data: ")[2])
    assert (response.status_code, last["type"], last["code"]) == (200, "error", "403")
    return str(last["message"])


def _websocket(stack: Stack) -> str:
    address = stack.server.url.replace("http", "ws", 1) + "/v1/responses"
    with connect(address, additional_headers=_HEADERS, proxy=None) as socket:
        for _ in range(2):  # the connection stays open
            reply = turn(socket, _PROVIDER, {})
    assert reply.status_code == 403
    return reply.text


def _background_response(stack: Stack) -> str:
    path = f"/v1/responses/{_post(stack, '/v1/responses', {**_RESPONSE, 'background': True}).json()['id']}"
    wait_until(lambda: _get(stack, path)["status"] == "failed")
    return str(_get(stack, path)["error"]["message"])


def _batch(stack: Stack) -> str:
    body = {"model": f"{_PROVIDER}/test-model", "messages": [{"role": "user", "content": "hi"}]}
    line = {"custom_id": "line", "method": "POST", "url": "/v1/chat/completions", "body": body}
    uploaded = stack.client.post(
        stack.server.url + "/v1/files", files={"file": ("b.jsonl", json.dumps(line))}, data={"purpose": "batch"}
    )
    batch = {"input_file_id": uploaded.json()["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    path = f"/v1/batches/{_post(stack, '/v1/batches', batch).json()['id']}"
    wait_until(lambda: _get(stack, path)["status"] == "completed")
    errors = _get(stack, path)["error_file_id"]
    return str(stack.client.get(f"{stack.server.url}/v1/files/{errors}/content").text)


def _batch_of_messages(stack: Stack) -> str:
    return batch_of_messages(stack, _PROVIDER, _HEADERS, {}, number=3).text


def _upload(stack: Stack) -> str:
    response = _post(stack, f"/v1/vector_stores/{_store(stack)}/files", {"file_id": file(stack)})
    assert (response.status_code, response.json()["status"]) == (200, "failed")
    return str(response.json()["last_error"]["message"])


def _file_batch(stack: Stack) -> str:
    batches = f"/v1/vector_stores/{_store(stack)}/file_batches"
    path = f"{batches}/{_post(stack, batches, {'file_ids': [file(stack), file(stack)]}).json()['id']}"
    wait_until(lambda: _get(stack, path)["status"] == "completed")
    assert _get(stack, path)["file_counts"]["failed"] == 2
    return str(_get(stack, f"{path}/files")["data"][0]["last_error"]["message"])


@pytest.mark.parametrize(
    "ask",
    [
        _response,
        _streamed_response,
        _websocket,
        _background_response,
        _batch,
        _batch_of_messages,
        _upload,
        _file_batch,
        _search,
        _file_search,
    ],
    ids=lambda ask: ask.__name__.strip("_"),
)
def test_the_caller_learns_of_a_rejection(stack: Stack, ask: Any) -> None:
    """In the answer or where the host keeps the result; nothing is sent to the provider that rejects."""
    before = stack.series(_PROVIDER)
    assert _TOLD in ask(stack)
    assert stack.upstream.take() == []
    turns = 2 if ask is _websocket else 1
    assert stack.counted(before, contract.REQUESTS_TOTAL, _PROVIDER) == {("rejected", _PROVIDER): turns}
