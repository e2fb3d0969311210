"""Sessions with a real server of the `mcp` package: what one caller opened serves no other."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from extra_headers.forwarding.testing.recording_mcp_server import RecordingMcpServer
from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest
from extra_headers.telemetry import contract
from tests.mcp.real_server import RESULT, real_server
from tests.mcp.stack import RESPONSES, McpStack, mcp_tool


@pytest.mark.parametrize("sse", [False, True])
def test_a_tool_call_of_a_real_server(mcp: McpStack, sse: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """The tool's answer reaches the response, and every request of the session carries the header that passes."""
    with real_server(sse=sse) as server:
        tool = mcp_tool(server.url, {"X-Tenant": "blue", "mcp-session-id": "evil", "Cookie": "evil"}, authorization="t")
        output = mcp.create(tool).json()["output"]
        received = list(server.received)
    assert [item["type"] for item in output] == ["mcp_list_tools", "mcp_call", "message"]
    assert output[1]["output"] == RESULT
    # A server without streamable HTTP refuses the host's first try, whose requests carry the headers, too.
    assert len(received) >= 4
    for headers in received:
        assert (headers["x-tenant"], headers["authorization"]) == ("blue", "Bearer t")
        assert "evil" not in str(headers)


def test_no_session_serves_two_callers(mcp: McpStack) -> None:
    """Of many callers at once, each session of the server has seen one, and none of those without headers a tenant."""
    tenants = [f"tenant-{number}" if number % 4 else None for number in range(16)]
    before = mcp.stack.series(RESPONSES)
    with real_server() as server, ThreadPoolExecutor(8) as callers:

        def call(tenant: str | None) -> int:
            return mcp.create(mcp_tool(server.url, tenant and {"X-Tenant": tenant})).status_code

        assert set(callers.map(call, tenants)) == {200}
        by_session = server.tenants_by("mcp-session-id")
    assert all(len(seen) == 1 for seen in by_session.values())
    assert len(by_session) == len(tenants)
    assert sorted(str(tenant) for seen in by_session.values() for tenant in seen) == sorted(map(str, tenants))
    decisions = mcp.stack.counted(before, contract.DECISIONS_TOTAL, RESPONSES)
    assert decisions == {("forwarded", RESPONSES, "allowed"): 12}


def test_no_cookie_of_one_caller_is_sent_for_another(mcp: McpStack) -> None:
    """A cookie that a server sets lives as long as the session of one request."""
    with RecordingMcpServer() as server:
        answer = server.answer

        def answer_with_cookie(request: ReceivedRequest) -> Answer:
            given = answer(request)
            (tenant,) = request.values("x-tenant")
            return Answer(
                given.status, given.body, given.content_type, fields=(("Set-Cookie", f"who={tenant}; Path=/"),)
            )

        server.answer = answer_with_cookie
        # By name: clients store no cookie of an address.
        url = server.url.replace("127.0.0.1", "localhost")
        for tenant in ("blue", "green"):
            assert mcp.create(mcp_tool(url, {"X-Tenant": tenant})).status_code == 200
        received = server.take()
    cookies = {
        (tenant, cookie) for one in received for tenant in one.values("x-tenant") for cookie in one.values("cookie")
    }
    assert cookies <= {("blue", "who=blue"), ("green", "who=green")}


def _answer_always(answer: Answer, _: ReceivedRequest) -> Answer:
    return answer


def test_no_header_follows_a_redirect_to_another_origin(mcp: McpStack) -> None:
    """A server that redirects elsewhere gets the headers; nothing arrives elsewhere."""
    with RecordingMcpServer() as server, RecordingMcpServer() as elsewhere:
        for status in (301, 302, 307, 308):
            answer = Answer(status, b"", fields=(("Location", elsewhere.url),))
            server.answer = partial(_answer_always, answer)
            mcp.create(mcp_tool(server.url, {"X-Tenant": "blue"}, authorization="t"))
        assert server.take()
        assert elsewhere.take() == []
