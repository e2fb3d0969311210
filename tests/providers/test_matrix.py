"""Every cell of docs/providers.md: a caller's headers on every endpoint of every provider type."""

from pathlib import Path

import pytest

from tests.mcp.table import section_of
from tests.providers.catalogue import CASES
from tests.providers.matrix import cells, parse, render
from tests.server.stack import Stack
from tests.server.test_in_process import provider_specs

_PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
_TABLE = parse(_PAGE)


@pytest.mark.parametrize("adapter_type", CASES)
def test_every_endpoint_of_a_type_is_as_documented(stack: Stack, adapter_type: str) -> None:
    """Forwarded once, blocked absent, credential intact, counted once, malformed refused: or not served at all."""
    assert cells(stack, adapter_type) == _TABLE[adapter_type]


def test_no_type_of_the_host_is_missing() -> None:
    """A type that a newer host adds fails here until it is looked at, and one that is gone until it is removed."""
    specs = [spec for spec in provider_specs() if spec.api.value == "inference"]
    assert {spec.adapter_type for spec in specs} == set(CASES)


def test_the_page_is_what_is_generated() -> None:
    """Nobody edited the page by hand."""
    assert render(_TABLE, section_of(_PAGE)) == _PAGE
