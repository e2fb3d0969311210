"""The server that the tests of this folder share is forked, unless they shall start it for real."""

import pytest

from tests.forked import ForkedProcess
from tests.server.stack import Stack


def test_the_shared_server(stack: Stack, pytestconfig: pytest.Config) -> None:
    """No library reads a variable at its import that differs between servers: their starts would silently cost more."""
    assert isinstance(stack.server._process, ForkedProcess) != pytestconfig.option.start_for_real
