"""Endpoints that are more than one request and its answer: WebSocket, batches of Messages, uploads to vector stores."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from websockets.sync.client import connect

from tests.server.stack import Stack
from tests.waiting import wait_until

_MESSAGES = [{"role": "user", "content": "hi"}]
_DIMENSIONS = 2


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of it: how the request for it was answered, and all that the caller could read afterwards."""

    status_code: int
    text: str
    failed: bool


type Headers = Mapping[str, str]
type Door = Callable[[Stack, str, Headers, Mapping[str, Any]], Reply]
"""Takes a provider's id, the request's headers and more fields for its body."""


def turn_of_websocket(stack: Stack, provider: str, headers: Headers, more: Mapping[str, Any]) -> Reply:
    """Send one `response.create` over `/v1/responses`."""
    address = stack.server.url.replace("http", "ws", 1) + "/v1/responses"
    with connect(address, additional_headers=headers, proxy=None) as socket:
        return turn(socket, provider, more)


def turn(socket: Any, provider: str, more: Mapping[str, Any]) -> Reply:
    """Send one `response.create` over an open WebSocket."""
    socket.send(json.dumps({"type": "response.create", "model": f"{provider}/test-model", "input": "hi", **more}))
    frames: list[str] = []
    while True:
        frames.append(socket.recv(timeout=60))
        frame = json.loads(frames[-1])
        if frame["type"] in ("response.completed", "response.failed", "error"):
            return Reply(frame.get("status", 200), "\n".join(frames), frame["type"] != "response.completed")


def compacted(stack: Stack, provider: str, headers: Headers, more: Mapping[str, Any]) -> Reply:
    """Compact a conversation."""
    body = {"model": f"{provider}/test-model", "input": [{"type": "message", **_MESSAGES[0]}], **more}
    response = stack.client.post(stack.server.url + "/v1/responses/compact", json=body, headers=headers)
    return Reply(response.status_code, response.text, response.status_code >= 400)


def batch_of_messages(stack: Stack, provider: str, headers: Headers, more: Mapping[str, Any], number: int = 1) -> Reply:
    """Create a batch and wait for its end."""
    params = {"model": f"{provider}/test-model", "messages": _MESSAGES, "max_tokens": 5, **more}
    body = {"requests": [{"custom_id": f"m-{number}", "params": params} for number in range(number)]}
    url = stack.server.url + "/v1/messages/batches"
    created = stack.client.post(url, json=body, headers=headers)
    if created.status_code >= 400:
        return Reply(created.status_code, created.text, failed=True)
    batch = f"{url}/{created.json()['id']}"
    wait_until(lambda: stack.client.get(batch).json()["processing_status"] == "ended")
    results = stack.client.get(f"{batch}/results").text
    return Reply(created.status_code, results, '"errored"' in results)


def upload_to_vector_store(stack: Stack, provider: str, headers: Headers, more: Mapping[str, Any]) -> Reply:
    """Upload a file to a vector store, which has it embedded."""
    store = new_vector_store(stack, provider)
    if store.failed:
        return store
    url = f"{stack.server.url}/v1/vector_stores/{json.loads(store.text)['id']}/files"
    response = stack.client.post(url, json={"file_id": file(stack), **more}, headers=headers)
    return Reply(response.status_code, response.text, response.json().get("status") != "completed")


def new_vector_store(stack: Stack, provider: str) -> Reply:
    """Make a vector store whose embeddings a provider makes."""
    body = {"name": "s", "embedding_model": f"{provider}/test-embedding", "embedding_dimension": _DIMENSIONS}
    created = stack.client.post(stack.server.url + "/v1/vector_stores", json=body)
    return Reply(created.status_code, created.text, created.status_code >= 400)


def file(stack: Stack) -> str:
    """Return the id of a new file."""
    uploaded = stack.client.post(
        stack.server.url + "/v1/files", files={"file": ("a.txt", "text")}, data={"purpose": "assistants"}
    )
    assert uploaded.status_code == 200, uploaded.text
    return str(uploaded.json()["id"])


DOORS: Mapping[str, Door] = {
    "responses_websocket": turn_of_websocket,
    "compact": compacted,
    "messages_batch": batch_of_messages,
    "vector_store": upload_to_vector_store,
}
