"""The ways in which a response is created, each until it is complete."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from websockets.sync.client import connect

from tests.mcp.stack import McpStack
from tests.server.host import IS_OGX
from tests.waiting import wait_until


def _plain(mcp: McpStack, tool: dict[str, Any]) -> None:
    response = mcp.create(tool)
    assert response.status_code == 200, response.text
    assert [item["type"] for item in response.json()["output"]] == ["mcp_list_tools", "mcp_call", "message"]


def _streamed(mcp: McpStack, tool: dict[str, Any]) -> None:
    response = mcp.create(tool, stream=True)
    assert "response.mcp_call.completed" in response.text, response.text


def _in_the_background(mcp: McpStack, tool: dict[str, Any]) -> None:
    created = mcp.create(tool, background=True).json()
    url = f"{mcp.stack.server.url}/v1/responses/{created['id']}"
    wait_until(lambda: mcp.stack.client.get(url).json()["status"] == "completed")


def _in_a_turn(mcp: McpStack, tool: dict[str, Any]) -> None:
    with connect(mcp.stack.server.url.replace("http", "ws", 1) + "/v1/responses") as socket:
        body = {"type": "response.create", "model": "on/test-model", "input": "hi", "tools": [tool]}
        socket.send(json.dumps(body))
        while json.loads(socket.recv(timeout=60))["type"] != "response.completed":
            pass


_EVERYWHERE: dict[str, Callable[[McpStack, dict[str, Any]], None]] = {
    "plain": _plain,
    "streamed": _streamed,
    "in the background": _in_the_background,
}
WAYS: Mapping[str, Callable[[McpStack, dict[str, Any]], None]] = {
    **_EVERYWHERE,
    **({"turn of a WebSocket": _in_a_turn} if IS_OGX else {}),
}
