"""What the add-on adds to a call, beside what the call carries anyway."""

import pytest

from extra_headers.forwarding.enforcement import OutboundHeaders

ADDED = OutboundHeaders({"X-Note": "n"}, {"X-Tenant-Id": "blue", "user-agent": "ours"})


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (None, {"X-Note": "n", "X-Tenant-Id": "blue", "user-agent": "ours"}),
        ({"x_tenant_id": "green", "A": "1"}, {"X-Note": "n", "A": "1", "X-Tenant-Id": "blue", "user-agent": "ours"}),
        ({"x_note": "own"}, {"x_note": "own", "X-Tenant-Id": "blue", "user-agent": "ours"}),
        ({"X-Note": "own"}, {"X-Note": "own", "X-Tenant-Id": "blue", "user-agent": "ours"}),
    ],
)
def test_a_calls_own_give_way_to_the_servers_only(own: dict[str, str] | None, expected: dict[str, str]) -> None:
    """In any spelling; a caller's header never replaces one of the call's own."""
    assert ADDED.merged_with(own) == expected


def test_a_client_that_merges_by_exact_name_gets_its_own_spelling() -> None:
    """One that has a header in two spellings gets both replaced."""
    spelled = ADDED.matching_spelling_of(["User-Agent", "X-Tenant-Id", "x_tenant_id", "Accept"])
    assert spelled.merged_with() == {"X-Note": "n", "X-Tenant-Id": "blue", "x_tenant_id": "blue", "User-Agent": "ours"}
    only_callers = OutboundHeaders({"X-Note": "n"})
    assert only_callers.matching_spelling_of(["x-note"]) is only_callers


def test_shows_no_value() -> None:
    """Not even where somebody prints it."""
    assert "blue" not in repr(ADDED)
