"""Values of headers for MCP servers are secrets of their own, and come out at the server alone."""

import json

from websockets.sync.client import connect

from extra_headers.forwarding.testing.processes import free_port
from tests.mcp.stack import McpStack, mcp_tool
from tests.server.host import IS_OGX
from tests.telemetry.test_canary import Secrets
from tests.waiting import wait_until


def test_no_value_comes_out_anywhere_else(mcp: McpStack) -> None:
    """Neither requests that pass, nor refused ones, nor failing servers show one; spans capture every header."""
    new = Secrets()
    down = f"http://127.0.0.1:{free_port()}/mcp"
    mcp.mcp.take()
    answers = []
    passing = []
    for url in (mcp.mcp.url, down):
        passing = [{"X-Tenant": new.new(), "X-Other": new.new()}, {"X-Tenant": new.new(), "Cookie": new.new()}]
        for headers in (
            *passing,
            {"X-Tenant": new.new() + "\n"},
            {"X-Tenant": [new.new()]},
            {"X-Tenant": {"a": new.new()}},
            {f"{new.new()} a": "v"},
            [new.new()],
            new.new(),
        ):
            answers.append(mcp.create(mcp_tool(url, headers, authorization=new.new())).text)
            answers.append(mcp.create(mcp_tool(url, headers), stream=True).text)
    broken = mcp_tool(down, {"X-Tenant": new.new()})
    del broken["server_label"]
    answers.append(mcp.create(broken).text)
    if IS_OGX:
        with connect(mcp.stack.server.url.replace("http", "ws", 1) + "/v1/responses") as socket:
            for tool in (broken, mcp_tool(down, [new.new()]), mcp_tool(down, {"X-Tenant": new.new()})):
                body = {"type": "response.create", "model": "on/test-model", "input": "hi", "tools": [tool]}
                socket.send(json.dumps(body))
                assert socket.recv(timeout=60)  # may repeat to the caller what the host's own model refuses
    assert any(request.values("x-tenant") for request in mcp.mcp.take())
    exported = mcp.collector.payloads["/v1/traces"]
    wait_until(lambda: any(b"extra_headers.mcp.server" in payload for payload in exported))
    places = {
        "log": mcp.stack.server.log.encode(),
        "metrics": mcp.stack.client.get(mcp.stack.metrics_url).content,
        "spans": b"".join(mcp.collector.payloads["/v1/traces"]),
        "answers": "".join(answers).encode(),
        "model": b"".join(request.head + request.body for request in mcp.stack.upstream.take()),
    }
    assert all(places.values())
    assert new.found_in(places) == {}
