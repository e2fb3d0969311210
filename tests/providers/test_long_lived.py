"""Work that outlives the request that started it, while others are served: each keeps the headers of its own caller."""

import json
import threading
from typing import Any

from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest
from tests.providers.answers import answer_as_any_provider
from tests.providers.doors import file, new_vector_store
from tests.server.stack import Stack
from tests.waiting import wait_until

_CALLERS = ("blue", "green", None)


def _headers(tenant: str | None) -> dict[str, str]:
    data = {"vllm_extra_headers": {"X-Tenant": tenant}}
    return {} if tenant is None else {"X-OGX-Provider-Data": json.dumps(data)}


def _post(stack: Stack, path: str, body: object, tenant: str | None) -> Any:
    response = stack.client.post(stack.server.url + path, json=body, headers=_headers(tenant))
    assert response.status_code == 200, response.text
    return response.json()


def test_batches_of_messages_and_files(stack: Stack) -> None:
    """Of three callers at once: the calls wait at the provider until all requests are over."""
    opened = threading.Event()

    def answer_when_open(request: ReceivedRequest) -> Answer:
        opened.wait(30)
        return answer_as_any_provider(request)

    stores = [json.loads(new_vector_store(stack, "vllm").text)["id"] for _ in _CALLERS]
    files = [[file(stack), file(stack)] for _ in _CALLERS]
    stack.upstream.take()
    stack.upstream.answer = answer_when_open
    paths = []
    for tenant, store, ids in zip(_CALLERS, stores, files, strict=True):
        message = [{"role": "user", "content": f"message of {tenant}"}]
        params = {"model": "vllm/test-model", "max_tokens": 5, "messages": message}
        requests = [{"custom_id": f"m{number}", "params": params} for number in range(2)]
        batch = _post(stack, "/v1/messages/batches", {"requests": requests}, tenant)
        paths.append((f"/v1/messages/batches/{batch['id']}", "processing_status"))
        file_batches = f"/v1/vector_stores/{store}/file_batches"
        paths.append((f"{file_batches}/{_post(stack, file_batches, {'file_ids': ids}, tenant)['id']}", "status"))
    opened.set()
    stack.upstream.answer = answer_as_any_provider
    wait_until(lambda: all(_get(stack, path)[field] in ("ended", "completed") for path, field in paths))
    received = stack.upstream.take()
    for tenant in _CALLERS:
        own = [r for r in received if f"message of {tenant}".encode() in r.body]
        assert [r.values("x-tenant") for r in own] == [[] if tenant is None else [tenant]] * 2
    embedded = [r.values("x-tenant") for r in received if r.path.endswith("/embeddings")]
    assert sorted(embedded) == [[], [], ["blue"], ["blue"], ["green"], ["green"]]


def _get(stack: Stack, path: str) -> Any:
    return stack.client.get(stack.server.url + path).json()


def test_a_conversation_of_several_callers(stack: Stack) -> None:
    """Each turn has the headers of its own caller, stored or not, in the background or not."""
    conversation = _post(stack, "/v1/conversations", {}, "red")["id"]
    stack.upstream.take()
    for tenant in ("blue", None, "green", None):
        body = {"model": "vllm/test-model", "input": "turn", "conversation": conversation}
        _post(stack, "/v1/responses", body, tenant)
        received = [r for r in stack.upstream.take() if b"turn" in r.body]
        assert [r.values("x-tenant") for r in received] == [[] if tenant is None else [tenant]]
