"""A stub of an MCP server that records every request byte for byte.

It speaks the streamable HTTP transport without sessions or server-sent events, and offers one tool. It answers the
methods of a host that lists and calls tools, and no others.
"""

import json
from typing import Any

from .recording_provider import Answer, ReceivedRequest, RecordingProvider

TOOL = "look_up"
RESULT = "found"
"""The text that a call of the tool returns."""
_PROTOCOL_VERSION = "2025-06-18"
_METHOD_NOT_FOUND = -32601


class RecordingMcpServer(RecordingProvider):
    """The MCP server, in a thread, while the `with` block runs.

    Read the recorded requests with `received` or `take()`.

    Args:
        port: to listen on; 0 for any free one.

    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port, answer_as_mcp_server)

    @property
    def url(self) -> str:
        """The URL to configure for the MCP server."""
        return f"http://127.0.0.1:{self.port}/mcp"


def answer_as_mcp_server(request: ReceivedRequest) -> Answer:
    """Answer one JSON-RPC message."""
    if request.method != "POST":
        return Answer(405, b"")  # no stream from the server, and no session that could be deleted
    message: dict[str, Any] = json.loads(request.body)
    if "id" not in message:
        return Answer(202, b"")  # a notification
    outcome = _outcome(message["method"], message.get("params", {}))
    return Answer(200, json.dumps({"jsonrpc": "2.0", "id": message["id"], **outcome}).encode())


def _outcome(method: str, params: dict[str, Any]) -> dict[str, object]:
    match method:
        case "initialize":
            return {
                "result": {
                    "protocolVersion": params.get("protocolVersion", _PROTOCOL_VERSION),
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "recording-mcp-server", "version": "0"},
                }
            }
        case "tools/list":
            tool = {"name": TOOL, "description": "Look something up.", "inputSchema": {"type": "object"}}
            return {"result": {"tools": [tool]}}
        case "tools/call":
            return {"result": {"content": [{"type": "text", "text": RESULT}], "isError": False}}
        case "ping":
            return {"result": {}}
        case _:
            return {"error": {"code": _METHOD_NOT_FOUND, "message": f"unknown method {method}"}}
