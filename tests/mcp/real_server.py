"""A real MCP server of the `mcp` package, which notes the headers of every request that reaches it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import uvicorn

from tests.server.host import IS_OGX
from tests.waiting import wait_until

TOOL, RESULT = "add_up", "42 and counting"


@dataclass
class RealServer:
    """The running server."""

    port: int
    path: str
    received: list[dict[str, str]] = field(default_factory=list)
    """The header fields of each request, by name."""

    @property
    def url(self) -> str:
        """The URL to configure."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    def tenants_by(self, name: str) -> dict[str, set[str | None]]:
        """Return the tenants of the requests with each value of a header."""
        found: dict[str, set[str | None]] = {}
        for headers in self.received:
            if name in headers:
                found.setdefault(headers[name], set()).add(headers.get("x-tenant"))
        return found


@contextmanager
def real_server(*, sse: bool = False) -> Iterator[RealServer]:
    """Run the server, over streamable HTTP with sessions or over server-sent events, in a thread."""
    made = (
        import_module("mcp.server.mcpserver").MCPServer("real")
        if IS_OGX
        else import_module("mcp.server.fastmcp").FastMCP("real")
    )
    made.tool(name=TOOL)(lambda: RESULT)
    app = made.sse_app() if sse else made.streamable_http_app()
    running = RealServer(0, "/sse" if sse else "/mcp")

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            running.received.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await app(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(recording, "127.0.0.1", 0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    running.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(20)
