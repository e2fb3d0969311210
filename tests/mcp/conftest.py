"""One server for the files of this folder: callers' headers for MCP servers are filtered, malformed ones rejected."""

from collections.abc import Iterator

import pytest

from tests.mcp.stack import McpStack, running_with_mcp


@pytest.fixture(scope="session")
def mcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpStack]:
    """Return the running server."""
    with running_with_mcp(tmp_path_factory.mktemp("mcp"), {"block": ["x-internal-*"]}, True) as stack:
        yield stack


@pytest.fixture(autouse=True)
def _forget_earlier_requests(request: pytest.FixtureRequest) -> None:
    if "mcp" in request.fixturenames:
        stack: McpStack = request.getfixturevalue("mcp")
        stack.mcp.take()
        stack.stack.upstream.take()
