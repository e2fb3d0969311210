"""The table of MCP servers in docs/providers.md: each cell is looked at in the bytes that reach a server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mcp.stack import WEB_SEARCH, McpStack, mcp_tool, running_with_mcp
from tests.mcp.ways import WAYS

_MIXED = {"X-Tenant": "blue", "Authorization": "evil", "Mcp-Session-Id": "evil"}
HEADING = "## MCP servers"
_INTRODUCTION = f"""\
{HEADING}

The same for [headers for MCP servers](mcp.md). `yes`: each call of the session has the header that passes, and no
blocked one.

| provider | where callers send the headers | call | |
|---|---|---|---|
"""


@contextmanager
def running_for_the_table(directory: Path) -> Iterator[McpStack]:
    """Run a server for all rows."""
    with running_with_mcp(directory, True, True, tool_groups=1) as stack:
        yield stack


def section(mcp: McpStack) -> str:
    """Return the section with its table, once everything that it promises was seen."""
    rows = [*_responses(mcp), *_tool_runtime(mcp)]
    return _INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _responses(mcp: McpStack) -> Iterator[tuple[str, ...]]:
    for way, create in WAYS.items():
        create(mcp, mcp_tool(mcp.mcp.url, _MIXED))
        yield "`responses: inline::builtin`", "`tools[].headers` of the body", way, _cell(mcp)


def _tool_runtime(mcp: McpStack) -> Iterator[tuple[str, ...]]:
    data = {"mcp_headers": {mcp.mcp.url: _MIXED}}
    beginning = ("`tool_runtime: remote::model-context-protocol`", "`mcp_headers` of the provider data")
    assert mcp.list_tools(0, json.dumps(data)).status_code == 200
    yield *beginning, "list the tools of a group", _cell(mcp)
    assert mcp.create({"type": WEB_SEARCH}, provider_data=data).status_code == 200
    yield *beginning, "call a tool", _cell(mcp)


def _cell(mcp: McpStack) -> str:
    received = mcp.mcp.take()
    assert received
    for request in received:
        assert request.values("x-tenant") == ["blue"]
        assert b"evil" not in request.head
    return "yes"


def section_of(page: str) -> str:
    """Return the section of a page."""
    return HEADING + page.partition(HEADING)[2]
