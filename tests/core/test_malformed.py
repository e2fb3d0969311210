"""What is malformed: envelopes, types, duplicates, values, and what is beyond a limit."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import batched
from types import MappingProxyType

import httpx
import httpx2
import pytest
from multidict import MultiDict
from starlette.datastructures import Headers

from extra_headers.forwarding import DecisionKind, Outcome, Reason, evaluate
from extra_headers.forwarding.policy.evaluation import malformed_envelope
from tests.core.helpers import DEFAULT, DROP, characters, limited, many, reason, reasons


def _as_starlette(pairs: list[tuple[str, str]]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode()) for name, value in pairs])


MALFORMED_ENVELOPES: list[object] = [
    None,
    True,
    False,
    0,
    1.5,
    float("nan"),
    "",
    "X-A: 1",
    '{"X-A": "1"}',
    b'{"X-A": "1"}',
    [],
    ["X-A"],
    [["X-A", "1"]],
    [("X-A", "1")],
    ({"X-A": "1"},),
    {"X-A"},
    object(),
    iter([("X-A", "1")]),
    {"X-A": "1"}.items(),
]


@pytest.mark.parametrize("headers", MALFORMED_ENVELOPES, ids=lambda headers: type(headers).__name__)
class TestMalformedEnvelope:
    """Whatever is no mapping, a list of pairs included."""

    def test_is_one_malformed_header_without_a_name(self, headers: object) -> None:
        """One decision, though nobody can say how many headers were meant."""
        (decision,) = evaluate(headers, DROP).decisions
        assert (decision.kind, decision.reason) == (DecisionKind.MALFORMED, Reason.ENVELOPE)
        assert (decision.name, decision.rule, decision.name_length) == (None, None, 0)

    def test_is_rejected_or_dropped_as_the_policy_says(self, headers: object) -> None:
        """Rejected by default; nothing is forwarded either way."""
        rejected, dropped = evaluate(headers, DEFAULT), evaluate(headers, DROP)
        assert (dict(rejected.forwarded), rejected.outcome) == ({}, Outcome.REJECTED)
        assert (dict(dropped.forwarded), dropped.outcome) == ({}, Outcome.FILTERED)
        assert rejected == malformed_envelope(DEFAULT)
        assert dropped == malformed_envelope(DROP)


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType])
def test_any_mapping_is_an_envelope(kind: Callable[[Mapping[str, object]], object]) -> None:
    """The public function takes what a Python caller has."""
    assert reasons(kind({"X-A": "1", "Host": "x"})) == [Reason.ALLOWED, Reason.FRAMING]


@pytest.mark.parametrize("kind", [httpx.Headers, httpx2.Headers, MultiDict, _as_starlette])
def test_headers_of_an_http_library_keep_equal_names(kind: Callable[[list[tuple[str, str]]], object]) -> None:
    """Neither the first nor the last of two lines is the right one, and both joined are what nobody sent."""
    headers = kind([("x-a", "1"), ("x-b", "2"), ("x-a", "3")])
    assert sorted(reasons(headers)) == [Reason.ALLOWED, Reason.DUPLICATE, Reason.DUPLICATE]


class TestLimits:
    """What counts towards the limits; the attack corpus has each at its edge."""

    @pytest.mark.parametrize(
        ("length", "expected"), [(13, Reason.ALLOWED), (14, Reason.ALLOWED), (15, Reason.TOO_LARGE)]
    )
    def test_max_total_bytes(self, length: int, expected: Reason) -> None:
        """Names and values of all forwarded headers together; beyond it none is forwarded."""
        evaluation = evaluate({"X-A": "1" * length, "X-B": ""}, limited(max_total_bytes=20))
        assert [d.reason for d in evaluation.decisions] == [expected] * 2
        assert len(evaluation.forwarded) == (2 if expected is Reason.ALLOWED else 0)

    def test_max_total_bytes_counts_only_what_would_be_forwarded(self) -> None:
        """Blocked and malformed headers take no room."""
        headers = {"Authorization": "1" * 20, "X-A": "1" * 17, "X-B": "1 "}
        found = reasons(headers, limited(max_total_bytes=20))
        assert found == [Reason.CREDENTIAL, Reason.ALLOWED, Reason.VALUE]

    def test_max_total_bytes_leaves_blocked_decisions_as_they_are(self) -> None:
        """Only the headers that would have been forwarded become too large."""
        headers = {"Authorization": "1", "X-A": "1" * 11, "X-B": "1" * 11}
        found = reasons(headers, limited(max_total_bytes=20))
        assert found == [Reason.CREDENTIAL, Reason.TOO_LARGE, Reason.TOO_LARGE]

    def test_the_largest_limits_hold(self) -> None:
        """A policy at the top of every range does what it says."""
        policy = limited(max_headers=1024, max_name_bytes=1024, max_value_bytes=65536, max_total_bytes=131072)
        assert reasons(many(1024), policy) == [Reason.ALLOWED] * 1024
        assert reason("x" * 1024, "1" * 65536, policy) is Reason.ALLOWED
        assert set(reasons({"X-A": "1" * 65536, "X-B": "1" * 65535}, policy)) == {Reason.TOO_LARGE}


class TestDuplicates:
    """Names equal after normalizing: all of them malformed, since nobody knows which one the provider would take."""

    def test_hiding_a_blocked_name_behind_a_duplicate_rejects_the_request(self) -> None:
        """The default policy rejects it: nothing of either is sent."""
        evaluation = evaluate({"Authorization": "1", "authorization": "2", "X-A": "3"}, DEFAULT)
        assert evaluation.rejected_for is DecisionKind.MALFORMED
        assert dict(evaluation.forwarded) == {}


class _Shout(str):
    """A string that lies about what it holds: the name that is compared is not the name that would be sent."""

    __slots__ = ()

    def lower(self) -> str:
        return "x-harmless"

    def isascii(self) -> bool:
        return True

    def isprintable(self) -> bool:
        return True

    def __len__(self) -> int:
        return 1


class _Tier(StrEnum):
    FREE = "free"


class TestType:
    """A value is a JSON string; a name is one by JSON's own grammar."""

    @pytest.mark.parametrize(
        "value",
        [None, True, False, 0, 1, -1.5, float("nan"), float("inf"), 10**5000, [], ["v"], {}, {"v": "v"}, b"v"],
        ids=lambda value: type(value).__name__,
    )
    def test_any_other_value_is_malformed(self, value: object) -> None:
        """Nothing is turned into a string on the caller's behalf."""
        (decision,) = evaluate({"X-A": value}, DROP).decisions
        assert (decision.reason, decision.name, decision.name_length) == (Reason.TYPE, "X-A", 3)

    @pytest.mark.parametrize("name", [None, True, 1, 1.5, b"X-A", ("X-A",), frozenset()], ids=repr)
    def test_a_name_that_is_no_string_is_malformed(self, name: object) -> None:
        """A Python caller can write it, JSON cannot."""
        (decision,) = evaluate({name: "v"}, DROP).decisions
        assert (decision.reason, decision.name, decision.name_length) == (Reason.TYPE, None, 0)

    def test_a_string_that_overrides_its_methods_is_no_string(self) -> None:
        """Else a name could be compared as one thing and sent as another, or a line break call itself printable."""
        assert reason(_Shout("authorization")) is Reason.TYPE
        assert reason("X-A", _Shout("1\r\nAuthorization: Bearer evil")) is Reason.TYPE
        assert reason("X-A", _Tier.FREE) is Reason.TYPE
        assert reason("X-A", _Tier.FREE.value) is Reason.ALLOWED

    def test_a_lying_string_leaves_no_trace_in_the_memory_of_names(self) -> None:
        """The decision on a string that merely equals another is not remembered for it."""
        assert reason(_Shout("x-after")) is Reason.TYPE
        assert reason("x-after") is Reason.ALLOWED


GOOD_VALUES = {
    "empty": "",
    "one character": "v",
    "every printable character": "!" + "".join(map(chr, range(0x20, 0x7F))),
    "a space inside": "a b",
    "many spaces inside": "a     b",
    "a tab inside": "a\tb",
    "tabs and spaces inside": "a \t \t b",
    "a comma-separated list": "a, b, c",
    "a quoted string": '"a \\" b"',
    "what looks like a header": "Authorization: Bearer x",
    "what looks like an escape": "a%0d%0ab \\r\\n",
    "JSON": '{"a": [1, 2]}',
}


class TestValue:
    """RFC 9110 section 5.5 without obs-text: printable ASCII, tab inside, nothing at the edges."""

    @pytest.mark.parametrize("value", GOOD_VALUES.values(), ids=GOOD_VALUES)
    def test_a_good_value_is_forwarded_as_it_is(self, value: str) -> None:
        """Character for character."""
        assert dict(evaluate({"X-A": value}, DEFAULT).forwarded) == {"X-A": value}

    def test_every_character(self) -> None:
        """Inside a value: only tab and 0x20 to 0x7E."""
        policy = limited(max_headers=1024, max_total_bytes=131072)
        passing: set[str] = set()
        for batch in batched(characters(), 1024):
            headers = {f"X-{i}": f"a{character}b" for i, character in enumerate(batch)}
            passing |= {value[1] for value in evaluate(headers, policy).forwarded.values()}
        assert passing == {"\t", *map(chr, range(0x20, 0x7F))}

    def test_every_character_at_the_edges(self) -> None:
        """The same without white space."""
        visible = {*map(chr, range(0x21, 0x7F))}
        ascii_and_latin = [chr(i) for i in range(0x100)]
        assert {c for c in ascii_and_latin if reason("X-A", f"{c}b") is Reason.ALLOWED} == visible
        assert {c for c in ascii_and_latin if reason("X-A", f"a{c}") is Reason.ALLOWED} == visible
