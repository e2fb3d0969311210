"""No caller ever sees another's headers: one after the other, two at once, forty at once."""

import asyncio
import contextlib
import http.client
import json
import random
from collections import Counter

import httpx

from extra_headers.telemetry import contract
from tests.server.host import HEADER, IS_OGX
from tests.server.stack import ENDPOINTS, LIMITS, Stack

# llama-stack writes each chat to SQLite in a task of its own, and prints a traceback for seconds where one is locked.
_REQUESTS = 400 if IS_OGX else 100
_WITH_HEADERS = _REQUESTS * 3 // 4


async def _send(client: httpx.AsyncClient, stack: Stack, endpoint: str, headers: dict[str, str], mark: str) -> int:
    target = ENDPOINTS[endpoint]
    body = {"model": f"on/{target.model}", **target.body, "user": mark}
    provider_data = {HEADER: json.dumps({"vllm_extra_headers": headers})} if headers else {}
    response = await client.post(stack.server.url + target.path, json=body, headers=provider_data)
    return response.status_code


def test_one_after_the_other(stack: Stack) -> None:
    """A request without extra headers carries none of the request before it."""
    stack.send("on", {"X-Tenant": "a"})
    stack.send_without_provider_data("on")
    stack.send("on", {"X-Other": "b"})

    first, second, third = stack.upstream.take()
    assert first.values("x-tenant") == ["a"]
    assert second.values("x-tenant") == []
    assert third.values("x-tenant") == []
    assert third.values("x-other") == ["b"]


def test_a_connection_whose_reads_were_paused(stack: Stack) -> None:
    """A body that is larger than the server's buffer leaves nothing of its request to the next one on its connection.

    The server pauses reading, and what resumes it is the request: all that is read later runs in its context
    (python/cpython issue 140947).
    """
    large = json.dumps({"model": "on/test-model", "messages": [{"role": "user", "content": "x" * 2**20}]})
    small = json.dumps({"model": "on/test-model", "messages": [{"role": "user", "content": "hi"}]})
    before = stack.series()
    with contextlib.closing(
        http.client.HTTPConnection(httpx.URL(stack.server.url).netloc.decode(), timeout=60)
    ) as connection:
        sent = []
        for body, headers in ((large, {"X-Tenant": "a"}), (small, {}), (large, {"X-Tenant": "b"}), (small, {})):
            provider_data = {HEADER: json.dumps({"vllm_extra_headers": headers})} if headers else {}
            connection.request(
                "POST", "/v1/chat/completions", body, {"content-type": "application/json", **provider_data}
            )
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            assert connection.sock is not None, "the server closed the connection"
            sent.append([headers["X-Tenant"]] if headers else [])

    assert [received.values("x-tenant") for received in stack.upstream.take()] == sent
    assert stack.counted(before, contract.REQUESTS_TOTAL) == {("clean", "on"): 2}


async def test_two_at_once(stack: Stack) -> None:
    """Two concurrent callers with different headers each get exactly their own."""
    async with httpx.AsyncClient(timeout=60, limits=LIMITS) as client:
        for _ in range(10):
            marks = ("alpha", "beta")
            statuses = await asyncio.gather(
                *(_send(client, stack, "chat", {"X-Tenant": mark, f"X-{mark}": "1"}, mark) for mark in marks)
            )
            assert statuses == [200, 200]
            received = {json.loads(r.body)["user"]: r for r in stack.upstream.take()}
            assert {mark: r.values("x-tenant") for mark, r in received.items()} == {m: [m] for m in marks}
            assert received["alpha"].values("x-beta") == received["beta"].values("x-alpha") == []


async def test_forty_at_once(stack: Stack) -> None:
    """Of many concurrent requests by mixed callers, each carries its own values, exactly once, or none at all."""
    before = stack.series()
    shuffled = random.Random(5217)  # noqa: S311 - a fixed shuffle
    endpoints = ["chat", "chat_stream", "completion", "embeddings"]
    callers = [(f"caller-{i}", {"X-Tenant": f"tenant-{i}", "X-Shared": f"shared-{i}"}) for i in range(_WITH_HEADERS)]
    callers += [(f"caller-{i}", {}) for i in range(_WITH_HEADERS, _REQUESTS)]
    shuffled.shuffle(callers)

    async with httpx.AsyncClient(timeout=120, limits=LIMITS) as client:
        statuses = await asyncio.gather(
            *(
                _send(client, stack, endpoints[i % len(endpoints)], headers, mark)
                for i, (mark, headers) in enumerate(callers)
            )
        )

    assert Counter(statuses) == {200: _REQUESTS}
    received = stack.upstream.take()
    assert len(received) == _REQUESTS
    seen = {json.loads(r.body)["user"]: (r.values("x-tenant"), r.values("x-shared")) for r in received}
    expected = {
        mark: ([headers["X-Tenant"]], [headers["X-Shared"]]) if headers else ([], []) for mark, headers in callers
    }
    assert seen == expected
    assert stack.counted(before, contract.REQUESTS_TOTAL) == {("clean", "on"): _WITH_HEADERS}
