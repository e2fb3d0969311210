"""The attack corpus at another door: as headers of an MCP tool."""

import json

from tests.attacks.corpus import CASES, caller_headers
from tests.mcp.stack import McpStack, mcp_tool

_EACH = 4
_SAMPLE = [case for case in CASES if not case.policy and not case.outbound][::_EACH]


def test_what_reaches_a_server(mcp: McpStack) -> None:
    """The server gets what the corpus says is forwarded; a rejected request sends nothing; no value shows anywhere."""
    assert len(_SAMPLE) > 50
    played = 0
    for case in _SAMPLE:
        headers = caller_headers(case.provider_data)
        if type(headers) is not dict or "Infinity" in json.dumps(headers):
            continue  # equal keys, no object, a number without end: the body of a request has none of these
        played += 1
        response = mcp.create(mcp_tool(mcp.mcp.url, headers))
        received = mcp.mcp.take()
        assert response.status_code == (200 if case.rejected_for is None else 400), case
        assert bool(received) == (case.rejected_for is None), case
        for request in received:
            sent = {name: value for name, value in request.fields if value == "evil" or name in case.forwarded()}
            assert sent == case.forwarded(), case
        assert "evil" not in response.text, case
    assert played > _EACH * 10
    assert "evil" not in mcp.stack.server.log
