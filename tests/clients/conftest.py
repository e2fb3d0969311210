"""Every kind of client, and extra headers under a name that no other test counts under."""

import itertools
from collections.abc import Callable

import pytest

from extra_headers.forwarding import ExtraHeaders, Policy
from tests.clients.kinds import KINDS, Kind

_NUMBERS = itertools.count(1)

type Make = Callable[[Policy], ExtraHeaders]


@pytest.fixture
def make() -> Make:
    """Return what makes extra headers for a provider of its own."""
    return lambda policy: ExtraHeaders(f"clients-{next(_NUMBERS)}", policy=policy)


@pytest.fixture
def extra_headers(make: Make) -> ExtraHeaders:
    """Return extra headers with all defaults, for a provider of its own."""
    return make(Policy())


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each kind of client in turn."""
    found: Kind = request.param
    return found
