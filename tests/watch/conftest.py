"""The server that the tests watch."""

import pytest

from extra_headers.forwarding import Policy
from tests.watch.endpoint import Server


@pytest.fixture
def server() -> Server:
    """Return a server that has seen one override attempt."""
    server = Server(vllm=Policy(), other=Policy(allow=("x-tenant",)))
    server.receive("vllm", {"Authorization": "the-secret", "X-Team": "blue"})
    return server
