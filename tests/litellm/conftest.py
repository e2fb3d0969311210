"""One proxy for all tests that need no settings of their own. Collected only where LiteLLM is installed."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.litellm.configuration import SHARED_MODELS
from tests.litellm.proxy import Proxy, running

# `make test-litellm` fails where nothing is collected.
collect_ignore_glob = [] if find_spec("litellm") else ["test_*.py"]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Start the proxy."""
    with running(tmp_path_factory.mktemp("proxy"), SHARED_MODELS) as proxy:
        yield proxy


@pytest.fixture
def proxy(shared: Proxy) -> Proxy:
    """Return the proxy, whose provider has received nothing yet."""
    shared.taken()
    return shared
