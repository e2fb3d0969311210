"""Where extra headers come from: provider data, plain request headers, a body; all of them are decided together."""

from extra_headers.forwarding import Policy, Reason, evaluate
from extra_headers.forwarding.policy.provider_data import NOT_AN_OBJECT, RepeatedKeys, merged, taken_from_request

_NAMES = {"x-sub": "X-MaaS-Sub", "x-team": "x-team"}


def _decisions(headers: object | None) -> dict[str | None, Reason]:
    return {decision.name: decision.reason for decision in evaluate(headers, Policy()).decisions}


def test_only_listed_names_are_taken_under_the_name_to_send() -> None:
    """Whatever else a request carries."""
    plain = [("x-sub", "free"), ("x-other", "1"), ("authorization", "Bearer a")]
    assert dict(evaluate(taken_from_request(plain, _NAMES), Policy()).forwarded) == {"X-MaaS-Sub": "free"}
    assert taken_from_request([("x-other", "1")], _NAMES) is None


def test_two_lines_of_one_name_are_duplicates() -> None:
    """Nobody knows which of them a proxy in front acted on."""
    taken = taken_from_request([("x-sub", "free"), ("x-sub", "paid")], _NAMES)
    assert [d.reason for d in evaluate(taken, Policy()).decisions] == [Reason.DUPLICATE, Reason.DUPLICATE]


def test_values_come_as_bytes_of_latin_1() -> None:
    """They are checked like any other value: empty is fine, outside ASCII is malformed."""
    taken = taken_from_request([("x-sub", ""), ("x-team", "caf\xe9")], _NAMES)
    assert _decisions(taken) == {"X-MaaS-Sub": Reason.ALLOWED, "x-team": Reason.VALUE}


def test_sources_are_decided_together() -> None:
    """A name from both is a duplicate in every spelling; the others are decided as ever."""
    plain = taken_from_request([("x-sub", "free"), ("x-team", "blue")], _NAMES)
    headers = merged((), {"x_maas_sub": "paid", "Cookie": "a"}, plain)
    assert _decisions(headers) == {
        "x_maas_sub": Reason.DUPLICATE,
        "Cookie": Reason.CREDENTIAL,
        "X-MaaS-Sub": Reason.DUPLICATE,
        "x-team": Reason.ALLOWED,
    }


def test_one_source_stays_what_it_is() -> None:
    """Equal keys that the decoder kept are kept; without any source there are no headers."""
    repeated = RepeatedKeys([("X-A", "1"), ("X-A", "2")])
    assert merged((), repeated, None) is repeated
    assert merged((), None, None) is None
    both = merged((), repeated, {"X-B": "1"})
    assert isinstance(both, RepeatedKeys)
    assert both.repeated == {"X-A"}


def test_a_source_that_cannot_be_read_spoils_the_others() -> None:
    """Its headers are not known, so none of the request passes."""
    assert merged((), NOT_AN_OBJECT, {"X-A": "1"}) == NOT_AN_OBJECT
    assert _decisions(merged((), [1], {"X-A": "1"})) == {None: Reason.ENVELOPE}
