"""Distinct names by the thousand leave nothing behind; `make soak` does the same with a million."""

from pathlib import Path

import pytest

from tests.load import hostile_names

pytestmark = pytest.mark.usefixtures("start_for_real")


def test_in_one_process() -> None:
    """A hundred thousand names, decided, counted and traced, add no memory worth the name and no series."""
    assert hostile_names.through_recorder(100_000) == []


def test_through_a_server(tmp_path: Path) -> None:
    """Nor do four thousand through a real server."""
    assert hostile_names.through_server(tmp_path, 4_000) == []
