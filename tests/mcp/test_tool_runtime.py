"""`mcp_headers` in the provider data, for the servers of an operator's tool groups; and policies that reject."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from extra_headers.forwarding.testing.loopback import LoopbackServer, Posted
from extra_headers.telemetry import contract
from tests.mcp.stack import TOOLS, WEB_SEARCH, McpStack, mcp_tool, running_with_mcp, sent
from tests.server.host import IS_OGX

_POLICY = {
    "from_request": {"x-subscription": "x-maas-subscription"},
    "set": {"x-gateway": "shared", "x-user": "${user.id}"},
    "on_blocked": "reject",
    "block": ["x-internal-*"],
}
_groups = count()


@pytest.fixture(scope="module")
def mcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpStack]:
    """Return a server of which both providers reject requests with blocked headers."""
    directory = tmp_path_factory.mktemp("rejecting")
    policies = ({"on_blocked": "reject"}, _POLICY)
    with (
        LoopbackServer(_authenticate) as authenticator,
        running_with_mcp(directory, *policies, tool_groups=40, authenticator=f"{authenticator.url}/") as stack,
    ):
        stack.stack.client.headers["Authorization"] = "Bearer alice"
        yield stack


def _authenticate(request: Posted) -> tuple[int, bytes]:
    """Take a token for the name of its user."""
    return 200, json.dumps({"principal": json.loads(request.body)["api_key"], "attributes": {}}).encode()


def _listed(mcp: McpStack, headers: object, plain: dict[str, str] | None = None, *, url: str | None = None) -> Any:
    data = {"mcp_headers": {mcp.mcp.url if url is None else url: headers}}
    return mcp.list_tools(next(_groups), json.dumps(data), plain)


def test_the_headers_for_a_server_arrive(mcp: McpStack) -> None:
    """Headers under the server's URL, plain headers that the policy takes up, and those that the server sets."""
    names = ("x-tenant", "x-maas-subscription", "x-gateway", "x-user")
    for user in ("alice", "bob"):
        before = mcp.stack.series(TOOLS)
        plain = {"X-Subscription": "free", "Authorization": f"Bearer {user}"}
        response = _listed(mcp, {"X-Tenant": "blue"}, plain)
        assert response.status_code == 200, response.text
        received = mcp.mcp.take()
        assert sorted(sent(received)) == ["initialize", "notifications/initialized", "tools/list"]
        for request in received:
            assert [request.values(name) for name in names] == [["blue"], ["free"], ["shared"], [user]]
        assert mcp.stack.counted(before, contract.DECISIONS_TOTAL, TOOLS) == {("forwarded", TOOLS, "allowed"): 2}
        assert mcp.stack.counted(before, contract.REQUESTS_TOTAL, TOOLS) == {("clean", TOOLS): 1}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/mcp", "http://localhost/mcp", "{url}/other", "http://[", "", "{url}@127.0.0.1:1/mcp"]
)
def test_headers_for_another_server_do_not_arrive(mcp: McpStack, url: str) -> None:
    """They are for whatever the caller named, so this server gets none of them, and they are not refused here."""
    before = mcp.stack.series(TOOLS)
    assert _listed(mcp, {"X-Tenant": "blue", "Cookie": "evil"}, url=url.format(url=mcp.mcp.url)).status_code == 200
    received = mcp.mcp.take()
    assert received
    assert not any(request.values("x-tenant") or request.values("cookie") for request in received)
    assert mcp.stack.counted(before, contract.DECISIONS_TOTAL, TOOLS) == {}


_REFUSED: dict[str, tuple[object, int]] = {
    "a credential": ({"Authorization": "evil"}, 403),
    "a header of the protocol": ({"Mcp-Session-Id": "evil"}, 403),
    "a header of a later protocol": ({"mcp_param_x": "evil"}, 403),
    "a header of the operator's list": ({"X-Internal-A": "evil"}, 403),
    "a header that the server sets": ({"X_Gateway": "evil"}, 403),
    "another user": ({"X_User": "evil"}, 403),
    "a number": ({"X-Tenant": 1}, 400),
    "a list": (["evil"], 400),
    "a string": ("evil", 400),
    "CRLF": ({"X-Tenant": "evil\r\nX: 1"}, 400),
    "300 headers": ({f"X-{number}": "evil" for number in range(300)}, 400),
}


@pytest.mark.parametrize("kind", _REFUSED)
def test_what_is_refused(mcp: McpStack, kind: str) -> None:
    """The caller gets the status code of the refusal; the server gets nothing, and no value shows."""
    headers, status = _REFUSED[kind]
    response = _listed(mcp, headers)
    assert (response.status_code, mcp.mcp.take()) == (status, []), response.text
    assert "nothing was sent to an MCP server" in response.text
    assert "evil" not in response.text + mcp.stack.server.log


@pytest.mark.parametrize(
    "text", ['{"mcp_headers": ["evil"]}', '{"mcp_headers": {}, "mcp_headers": {}}', '{"mcp_headers']
)
def test_provider_data_that_cannot_be_read_is_refused(mcp: McpStack, text: str) -> None:
    """Nobody can tell for which server such headers are."""
    response = mcp.list_tools(next(_groups), text)
    assert (response.status_code, mcp.mcp.take()) == (400, []), response.text
    assert "evil" not in response.text


def test_a_tool_that_a_response_calls(mcp: McpStack) -> None:
    """A response asks the tool runtime for `web_search`: one request, decided and counted once, or refused as one."""
    assert mcp.list_tools(next(_groups)).status_code == 200
    mcp.mcp.take()
    before = mcp.stack.series(TOOLS)
    search = {"type": WEB_SEARCH}
    data = {"mcp_headers": {mcp.mcp.url: {"X-Tenant": "blue"}}}
    response = mcp.create(search, provider_data=data)
    assert response.status_code == 200, response.text
    received = mcp.mcp.take()
    assert "tools/call" in sent(received)
    assert all(request.values("x-tenant") == ["blue"] for request in received)
    assert mcp.stack.counted(before, contract.REQUESTS_TOTAL, TOOLS) == {("clean", TOOLS): 1}

    data = {"mcp_headers": {mcp.mcp.url: {"X-Tenant": "blue", "Cookie": "evil"}}}
    response = mcp.create(search, provider_data=data)
    assert mcp.mcp.take() == []
    # llama-stack takes every error for a failure of the tool, which it reports in the response.
    assert response.status_code == (403 if IS_OGX else 200), response.text
    assert IS_OGX or '"status":"failed"' in response.text


def test_a_response_with_blocked_headers_is_refused(mcp: McpStack) -> None:
    """Responses refuse with 403 where the policy says so, streamed or not."""
    for streamed in (False, True):
        response = mcp.create(mcp_tool(mcp.mcp.url, {"X-A": "1", "Mcp-Session-Id": "evil"}), stream=streamed)
        assert (response.status_code, mcp.mcp.take()) == (403, []), response.text
        assert "'Mcp-Session-Id' is blocked (sdk" in response.text
