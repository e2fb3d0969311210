"""Headers of the MCP tools of a request to Responses, in every way that a response is created."""

from typing import Any

import pytest

from extra_headers.forwarding.testing.recording_mcp_server import RecordingMcpServer
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from extra_headers.telemetry import contract
from tests.mcp.stack import RESPONSES, McpStack, mcp_tool, renamed_tool, sent
from tests.mcp.ways import WAYS
from tests.server.host import IS_OGX
from tests.waiting import wait_until

_MIXED = {
    "X-Tenant": "blue",
    "Authorization": "Bearer evil",
    "cookie": "evil",
    "X-Internal-Role": "evil",
    "Mcp-Session-Id": "evil",
    "mcp_protocol_version": "evil",
    "Last-Event-ID": "evil",
    "Mcp-Method": "evil",
    "Accept": "evil",
    "Content-Type": "evil",
}
_ONCE = {
    ("forwarded", RESPONSES, "allowed"): 1,
    ("blocked", RESPONSES, "credential"): 2,
    ("blocked", RESPONSES, "operator"): 1,
    ("blocked", RESPONSES, "sdk"): 4,
    ("blocked", RESPONSES, "framing"): 2,
}
_CALLS = ["initialize", "notifications/initialized", "tools/list", "tools/call"]


@pytest.mark.parametrize("way", WAYS)
def test_what_passes_arrives_with_every_call(mcp: McpStack, way: str) -> None:
    """The server gets the header that passes with each of its calls, none that is blocked, and each counts once."""
    before = mcp.stack.series(RESPONSES)
    WAYS[way](mcp, mcp_tool(mcp.mcp.url, _MIXED, authorization="the-callers-token"))
    received = mcp.mcp.take()
    assert sorted(sent(received)) == sorted(_CALLS)
    for request in received:
        assert request.values("x-tenant") == ["blue"]
        assert request.values("authorization") == ["Bearer the-callers-token"]
        assert b"evil" not in request.head
    assert mcp.stack.counted(before, contract.DECISIONS_TOTAL, RESPONSES) == _ONCE
    assert mcp.stack.counted(before, contract.REQUESTS_TOTAL, RESPONSES) == {("filtered", RESPONSES): 1}
    assert not any(request.values("x-tenant") for request in mcp.stack.upstream.take())


def test_a_connector(mcp: McpStack) -> None:
    """The calls of its tool carry the header that passes; those by which the host asks about the server carry none."""
    before = mcp.stack.series(RESPONSES)
    response = mcp.create(mcp_tool(None, _MIXED))
    assert response.status_code == 200, response.text
    received = mcp.mcp.take()
    of_caller = [request for request in received if request.values("x-tenant") == ["blue"]]
    assert sorted(sent(of_caller)) == sorted(_CALLS)
    assert set(sent([request for request in received if request.values("x-tenant") == []])) <= set(_CALLS[:2])
    assert not any(b"evil" in request.head for request in received)
    assert mcp.stack.counted(before, contract.DECISIONS_TOTAL, RESPONSES) == _ONCE


@pytest.mark.skipif(not IS_OGX, reason="llama-stack's Responses have no moderation endpoint")
def test_guardrails(mcp: McpStack) -> None:
    """The host's own calls to a moderation endpoint carry no header of a caller, for an MCP server or a provider."""
    data = {"vllm_extra_headers": {"X-Tenant": "blue"}}
    response = mcp.create(mcp_tool(mcp.mcp.url, {"X-Tool": "blue"}), provider_data=data, guardrails=True)
    assert response.json()["output"][-1]["content"][0]["text"] == "hi", response.text
    received = {request.path: request for request in mcp.stack.upstream.take()}
    assert received["/v1/chat/completions"].values("x-tenant") == ["blue"]
    assert b"blue" not in received["/v1/moderations"].head


_MALFORMED: dict[str, Any] = {
    "a number": {"X-Tenant": 1},
    "null": {"X-Tenant": None},
    "a list": {"X-Tenant": ["evil"]},
    "nested": {"X-Tenant": {"a": "evil"}},
    "CRLF in a value": {"X-Tenant": "a\r\nX-B: evil"},
    "CRLF in a name": {"X-A: 1\r\nX-B": "evil"},
    "not ASCII": {"X-Tenant": "evil\u00e9"},
    "one name twice": {"X-Tenant": "evil", "x_tenant": "evil"},
    "300 headers": {f"X-{number}": "evil" for number in range(300)},
    "a large value": {"X-Tenant": "evil" * 2000},
}


@pytest.mark.parametrize("streamed", [False, True])
def test_malformed_headers_are_refused(mcp: McpStack, streamed: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """The caller gets status 400 before a stream begins; nothing is sent to a server or a model, and no value shows."""
    for kind, headers in _MALFORMED.items():
        before = mcp.stack.series(RESPONSES)
        response = mcp.create(mcp_tool(mcp.mcp.url, headers), stream=streamed)
        assert (response.status_code, mcp.mcp.take(), mcp.stack.upstream.take()) == (400, [], []), kind
        assert "nothing was sent to an MCP server" in response.text, kind
        assert "evil" not in response.text, kind
        requests = mcp.stack.counted(before, contract.REQUESTS_TOTAL, RESPONSES)
        assert requests == {("rejected", RESPONSES): 1}, kind


@pytest.mark.parametrize("headers", [["evil"], "evil", 1])
def test_headers_of_another_type_are_refused_by_the_host(mcp: McpStack, headers: object) -> None:
    """The model of a request takes nothing but an object for `headers`; neither answer nor log shows the input."""
    response = mcp.create(mcp_tool(mcp.mcp.url, headers))
    assert (response.status_code, mcp.mcp.take()) == (400, [])
    assert "evil" not in response.text + mcp.stack.server.log


@pytest.mark.parametrize("headers", [None, {}])
def test_without_headers_nothing_is_decided(mcp: McpStack, headers: object) -> None:
    """A tool without headers is called as without the add-on, and nothing counts."""
    before = mcp.stack.series(RESPONSES)
    assert mcp.create(mcp_tool(mcp.mcp.url, headers)).status_code == 200
    assert sorted(sent(mcp.mcp.take())) == sorted(_CALLS)
    assert mcp.stack.counted(before, contract.REQUESTS_TOTAL, RESPONSES) == {}


def test_headers_of_one_server_reach_no_other(mcp: McpStack) -> None:
    """Two servers in one request: each gets its own headers, each counts, and each has its span and its record."""
    mcp.collector.clear()
    before = mcp.stack.series(RESPONSES)
    with RecordingMcpServer() as other:
        other.answer = renamed_tool(other.answer)
        tools = [
            mcp_tool(mcp.mcp.url, {"X-Tenant": "blue", "Cookie": "evil"}),
            mcp_tool(other.url, {"X-Tenant": "green", "X-Other": "1"}, server_label="other"),
        ]
        response = mcp.create(*tools)
        assert response.status_code == 200, response.text
        assert _tenants(mcp.mcp.take()) == {"blue"}
        received = other.take()
    assert _tenants(received) == {"green"}
    assert sorted(sent(received)) == sorted(_CALLS)
    assert mcp.stack.counted(before, contract.REQUESTS_TOTAL, RESPONSES) == {
        ("clean", RESPONSES): 1,
        ("filtered", RESPONSES): 1,
    }
    servers = {f"127.0.0.1:{mcp.mcp.port}": "filtered", f"127.0.0.1:{other.port}": "clean"}
    assert wait_until(lambda: _outcomes_by_server(mcp, "extra_headers") == servers)
    if IS_OGX:  # llama-stack folds the lines of its log
        record = next(line for line in mcp.stack.server.log.splitlines() if f'"127.0.0.1:{mcp.mcp.port}"' in line)
        assert '"extra_headers.mcp.server"' in record.replace("\\", "")


def _outcomes_by_server(mcp: McpStack, scope: str) -> dict[str, str]:
    return {
        span.attributes[contract.ATTR_MCP_SERVER]: span.attributes[contract.ATTR_OUTCOME]
        for span in mcp.collector.spans
        if span.scope == scope and contract.ATTR_MCP_SERVER in span.attributes
    }


def test_one_refused_server_refuses_the_request(mcp: McpStack) -> None:
    """Only the refused headers count: nothing was sent to the other server either, so nothing was forwarded."""
    before = mcp.stack.series(RESPONSES)
    tools = [mcp_tool(mcp.mcp.url, {"X-Tenant": "blue"}), mcp_tool(mcp.mcp.url, {"X-Tenant": 1}, server_label="other")]
    assert mcp.create(*tools).status_code == 400
    assert mcp.mcp.take() == []
    decisions = mcp.stack.counted(before, contract.DECISIONS_TOTAL, RESPONSES)
    assert decisions == {("malformed", RESPONSES, "type"): 1}


def test_two_tools_with_one_url(mcp: McpStack) -> None:
    """Each is decided for itself, and each session carries the headers of one of them."""
    before = mcp.stack.series(RESPONSES)
    tools = [mcp_tool(mcp.mcp.url, {"X-Tenant": tenant}, server_label=tenant) for tenant in ("blue", "green")]
    mcp.create(*tools)  # the host refuses two tools of one name, once it has listed them
    received = mcp.mcp.take()
    assert _tenants(received) == {"blue", "green"}
    assert all(len(request.values("x-tenant")) == 1 for request in received)
    decisions = mcp.stack.counted(before, contract.DECISIONS_TOTAL, RESPONSES)
    assert decisions == {("forwarded", RESPONSES, "allowed"): 2}


def test_a_continued_response_has_its_own_headers(mcp: McpStack) -> None:
    """Another caller who continues a response calls the server with headers of the new request, or with none."""
    first = mcp.create(mcp_tool(mcp.mcp.url, {"X-Tenant": "blue"})).json()
    mcp.mcp.take()
    for headers, expected in (({"X-Tenant": "green"}, {"green"}), (None, set[str]())):
        continued = mcp.create(mcp_tool(mcp.mcp.url, headers), previous_response_id=first["id"])
        assert continued.status_code == 200, continued.text
        received = mcp.mcp.take()
        assert "tools/call" in sent(received)
        assert _tenants(received) == expected


def test_the_provider_data_has_no_headers_for_tools_of_a_request(mcp: McpStack) -> None:
    """`mcp_headers` in the provider data are for the tool runtime: they reach no server that a request names."""
    data = {"mcp_headers": {mcp.mcp.url: {"X-Tenant": "blue"}}, "vllm_extra_headers": {"X-Tenant": "red"}}
    assert mcp.create(mcp_tool(mcp.mcp.url), provider_data=data).status_code == 200
    assert _tenants(mcp.mcp.take()) == set()
    assert _tenants(mcp.stack.upstream.take()) == {"red"}


def _tenants(requests: list[ReceivedRequest]) -> set[str]:
    return {value for request in requests for value in request.values("x-tenant")}
