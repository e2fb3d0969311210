"""Large requests: whatever the default limits allow passes, in one read of the server or in many."""

import json
import select
import socket
from pathlib import Path

import pytest

from extra_headers.forwarding.policy.limits import SERVER_BYTES, Limits
from extra_headers.forwarding.testing.processes import free_port, inference_provider
from tests.server.host import HEADER, SERVER, host_run_config
from tests.server.stack import ENDPOINTS, Stack
from tests.waiting import wait_until

_CHAT = ENDPOINTS["chat"]
_LIMITS = Limits()


def _request(provider: str, headers: object, length: int | None = None) -> bytes:
    """Return a request whose head has that length, filled up by an `Authorization`."""
    body = json.dumps({"model": f"{provider}/{_CHAT.model}", **_CHAT.body}).encode()
    lines = (
        f"POST {_CHAT.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nconnection: close\r\n"
        f"content-length: {len(body)}\r\n{HEADER}: {json.dumps({'vllm_extra_headers': headers})}\r\n"
    )
    if length is not None:
        line = "authorization: Bearer \r\n"
        lines += line.replace("\r", "t" * (length - len(lines) - len(line) - 2) + "\r")
    return f"{lines}\r\n".encode() + body


def _status(stack: Stack, request: bytes, segments: int) -> int:
    """Send a request with its head in so many segments, each in a read of its own, and return the status."""
    address = stack.server.url.removeprefix("http://").split(":")
    head = request.index(b"\r\n\r\n") + 4
    step = -(-(head - 1) // max(segments - 1, 1))
    with socket.create_connection((address[0], int(address[1])), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, head - 1 if segments > 1 else 0, step):
            connection.sendall(request[start : min(start + step, head - 1)])
            if _answered_or_read(connection, connection.getsockname()[1]):
                break
        else:
            connection.sendall(request[head - 1 :] if segments > 1 else request)
        return int(connection.makefile("rb").readline().split()[1])


def _answered_or_read(connection: socket.socket, port: int) -> bool:
    """Wait until the peer has read all, and return whether it has answered."""
    answered = False

    def done() -> bool:
        nonlocal answered
        answered = bool(select.select([connection], [], [], 0)[0])
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = [row for row in rows if f":{port:04X}" in (row[1][-5:], row[2][-5:])]
        return answered or all(row[4] == "00000000:00000000" for row in ours)

    wait_until(done)
    return answered


# In quotes and backslashes, of which JSON makes two characters each.
_LARGEST = {
    f"X-{number:03}": '"\\' * (_LIMITS.max_total_bytes // _LIMITS.max_headers // 2 - 3)
    for number in range(_LIMITS.max_headers)
}


@pytest.mark.parametrize("segments", [1, 2, 40])
@pytest.mark.parametrize("length", [None, SERVER_BYTES - 1, SERVER_BYTES])
def test_the_largest_headers_pass(stack: Stack, length: int | None, segments: int) -> None:
    """With room for others beside them: of every size up to what the server always takes."""
    assert sum(len(name) + len(value) for name, value in _LARGEST.items()) > _LIMITS.max_total_bytes - 64
    assert _status(stack, _request("on", _LARGEST, length), segments) == 200
    (request,) = stack.upstream.take()
    assert all(request.values(name) == [value] for name, value in _LARGEST.items())


def test_above_it_depends_on_the_network(stack: Stack) -> None:
    """The same request passes in one read and is refused in many: no limit of a policy can promise it."""
    request = _request("on", _LARGEST, SERVER_BYTES + 1000)
    assert [_status(stack, request, segments) for segments in (1, 2, 40)] == [200, 400, 400]
    assert len(stack.upstream.take()) == 1


def test_limits_that_promise_more_are_told_at_start(tmp_path: Path) -> None:
    """The warning names the provider and what to do."""
    limits = {"max_total_bytes": 8192}
    providers = [
        inference_provider("wide", "http://127.0.0.1:1/v1", {"limits": limits}),
        inference_provider("narrow", "http://127.0.0.1:1/v1", extra_headers=True),
    ]
    with SERVER(host_run_config(providers, tmp_path, free_port()), tmp_path) as server:
        log = " ".join(server.log.split())
    assert "provider 'wide' (remote::vllm): limits: the server refuses some requests with more than 16384" in log
    assert "lower max_total_bytes (6144 fits with max_headers: 32), or install httptools" in log
    assert "'narrow' (remote::vllm): limits" not in log
