"""A real MCP server with one tool, in a thread, that notes the names of the HTTP headers it receives."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from mcp.server import MCPServer

from extra_headers.forwarding.testing.processes import free_port
from tests.telemetry.servers import wait_until


@dataclass(frozen=True, slots=True)
class ToolServer:
    """A running MCP server."""

    url: str
    header_names: set[str]
    """Of all requests so far, in lower case."""


@contextmanager
def tool_server() -> Iterator[ToolServer]:
    """Run an MCP server with the tool `look_up`."""
    names: set[str] = set()
    mcp = MCPServer("tools")

    @mcp.tool()
    def look_up() -> str:
        """Look something up."""
        return "found"

    app = mcp.streamable_http_app(stateless_http=True, json_response=True)

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        names.update(name.decode("ascii").lower() for name, _ in scope.get("headers", ()))
        await app(scope, receive, send)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(noting, host="127.0.0.1", port=port, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, name="tools", daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield ToolServer(f"http://127.0.0.1:{port}/mcp", names)
    finally:
        server.should_exit = True
        thread.join()
