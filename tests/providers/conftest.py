"""One server for all tests of this folder: it holds a provider of every type."""

from collections.abc import Iterator

import pytest

from tests.providers.matrix import running_every_type
from tests.server.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a running server with a provider of every type."""
    with running_every_type(tmp_path_factory.mktemp("providers")) as running:
        yield running


@pytest.fixture(autouse=True)
def _forget_earlier_requests(request: pytest.FixtureRequest) -> None:
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").upstream.take()
