"""Every endpoint that leads to a provider, over raw sockets; and the table that the documentation has of them."""

import pytest

from tests.litellm.endpoints import ENDPOINTS, Endpoint, Observed, observe
from tests.litellm.matrix import in_page, table
from tests.litellm.proxy import Proxy


@pytest.fixture(scope="module")
def observed(shared: Proxy) -> dict[str, Observed]:
    """Return what each endpoint did; that nothing of an attacker arrived is asserted on the way."""
    return {endpoint.name: observe(shared, endpoint) for endpoint in ENDPOINTS}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_endpoint(observed: dict[str, Observed], endpoint: Endpoint) -> None:
    """A request is served, decided once where anything can be forwarded, and rejected where a header is malformed."""
    seen = observed[endpoint.name]
    forwards = seen.from_body or seen.plain
    assert seen.status == 200
    assert seen.calls == 1
    assert seen.counted == (1 if forwards else 0)
    if seen.refused is not None:
        assert seen.refused == forwards


def test_the_documentation_has_what_was_observed(observed: dict[str, Observed]) -> None:
    """`make docs-litellm` writes the table."""
    assert in_page() == table(observed)
