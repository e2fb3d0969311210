"""The code blocks that start a server; `test_blocks.py` has all others."""

from pathlib import Path

import pytest

from extra_headers.forwarding.testing.processes import OgxServer
from tests.docs.pages import Block
from tests.docs.test_blocks import STARTING_A_SERVER, check


@pytest.mark.parametrize("block", STARTING_A_SERVER, ids=str)
def test_block(block: Block, tmp_path: Path) -> None:
    """What a reader would copy works."""
    assert OgxServer.__name__ in block.text
    check(block, tmp_path)


def test_there_is_one() -> None:
    """The page on tests shows how to start a server."""
    assert {block.page for block in STARTING_A_SERVER} == {"docs/testing.md"}
