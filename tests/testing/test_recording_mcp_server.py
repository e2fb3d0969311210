"""The recording MCP server, used by the MCP SDK's own client, which only the worker that runs this loads."""

import json

import httpx2

from extra_headers.forwarding.testing.recording_mcp_server import RESULT, TOOL, RecordingMcpServer


async def test_serves_the_newest_client() -> None:
    """A client that prefers a newer protocol falls back to one that the server speaks."""
    from mcp import Client  # noqa: PLC0415

    with RecordingMcpServer() as server:
        async with Client(server.url) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == [TOOL]


async def test_records_each_request_byte_for_byte() -> None:
    """A header of the client arrives with every message, as it was sent."""
    from mcp import ClientSession  # noqa: PLC0415
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    with RecordingMcpServer() as server:
        async with (
            httpx2.AsyncClient(headers={"X-Tenant": "blue"}) as http,
            streamable_http_client(server.url, http_client=http) as (reading, writing),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            (content,) = (await session.call_tool(TOOL, {})).content
        received = server.take()

    assert content.type == "text"
    assert content.text == RESULT
    assert {request.method for request in received} == {"POST"}
    methods = [json.loads(request.body)["method"] for request in received]
    assert methods[:2] == ["initialize", "notifications/initialized"]
    assert "tools/call" in methods
    assert all(b"\r\nX-Tenant: blue\r\n" in request.head for request in received)
    assert server.received == []
