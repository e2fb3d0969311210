"""Every cell of the table of MCP servers in docs/providers.md."""

from pathlib import Path

from tests.mcp.table import running_for_the_table, section, section_of
from tests.server.host import IS_OGX

_PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()


def test_every_cell_is_as_documented(tmp_path: Path) -> None:
    """The header that passes is on each call of a session, and no blocked one is."""
    # The page describes OGX; llama-stack has no WebSocket.
    expected = [line for line in section_of(_PAGE).splitlines() if IS_OGX or "WebSocket" not in line]
    with running_for_the_table(tmp_path) as stack:
        assert section(stack).splitlines() == expected
