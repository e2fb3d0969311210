"""`evaluate` by tables: the order of the checks, every reason, every limit, and what a rejected request forwards."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import pytest

from extra_headers.forwarding import DecisionKind, Evaluation, Limits, Outcome, Policy, Reason, evaluate
from extra_headers.forwarding.envelope import decode_object
from extra_headers.forwarding.evaluation import malformed_envelope
from extra_headers.forwarding.matching import _Patterns, name_verdicts
from tests.core.helpers import DEFAULT, DROP, KIND_OF, is_forwarded, reason, reasons


def many(count: int) -> dict[str, object]:
    """Return that many headers, each of which passes alone."""
    return {f"X-{i}": "v" for i in range(count)}


def limited(**limits: int) -> Policy:
    """Return a policy with these limits that drops what is malformed."""
    limits.setdefault("max_value_bytes", min(4096, limits.get("max_total_bytes", 4096)))
    return Policy(limits=Limits(**limits), on_malformed="drop")


def test_a_clean_header_is_forwarded_as_the_caller_spelled_it() -> None:
    """Folding is for comparison only: neither name nor value is changed."""
    evaluation = evaluate({"X_Maas-SUBSCRIPTION": "Free  Tier"}, DEFAULT)
    assert dict(evaluation.forwarded) == {"X_Maas-SUBSCRIPTION": "Free  Tier"}
    assert evaluation.outcome is Outcome.CLEAN
    (decision,) = evaluation.decisions
    assert decision.name == "X_Maas-SUBSCRIPTION"
    assert (decision.decision, decision.reason, decision.rule) == (DecisionKind.FORWARDED, Reason.ALLOWED, None)


def test_no_headers_are_clean() -> None:
    """An empty object has nothing to decide."""
    evaluation = evaluate({}, DEFAULT)
    assert (dict(evaluation.forwarded), evaluation.decisions, evaluation.outcome) == ({}, (), Outcome.CLEAN)


@pytest.mark.parametrize("headers", [{}, {"X-A": "1"}, {"Host": "x"}, [], {"X-A": 1}], ids=repr)
def test_two_evaluations_share_nothing_that_can_change(headers: object) -> None:
    """What one request does to its headers, the next one cannot see."""
    first = evaluate(headers, DEFAULT).forwarded
    expected = dict(first)
    assert isinstance(first, dict)
    first["X-Leak"] = "of another tenant"
    assert dict(evaluate(headers, DEFAULT).forwarded) == expected


@pytest.mark.parametrize("headers", [{"X-A": "1"}, {"Host": "x"}, {"a b": "1"}, {}, [], None], ids=repr)
def test_a_disabled_policy_forwards_nothing_and_decides_nothing(headers: object) -> None:
    """`enabled: false` is the built-in provider, which knows no extra headers: they are ignored, good or bad."""
    disabled = Policy(enabled=False, on_blocked="reject")
    assert evaluate(headers, disabled) == Evaluation({}, ())


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
        assert (decision.decision, decision.reason) == (DecisionKind.MALFORMED, Reason.ENVELOPE)
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


class TestOrderOfChecks:
    """envelope, type, count, name, duplicate, core, operator, override, allowlist, value, total: the earlier wins."""

    def test_envelope_before_type(self) -> None:
        """A list of numbers is one malformed envelope, not headers of the wrong type."""
        assert reasons([1, 2]) == [Reason.ENVELOPE]

    def test_type_before_count(self) -> None:
        """Of too many headers, the one with a number for a value is told what is wrong with it alone."""
        found = reasons(many(32) | {"X-Number": 1})
        assert found == [Reason.TOO_MANY] * 32 + [Reason.TYPE]

    def test_count_before_name(self) -> None:
        """Of too many headers, one with an impossible name is one too many."""
        assert set(reasons(many(32) | {"a b": "v"})) == {Reason.TOO_MANY}

    def test_count_before_a_name_that_is_too_long(self) -> None:
        """The same for a name beyond the limit, which is not shown."""
        found = evaluate(many(32) | {"X" * 129: "v"}, DEFAULT).decisions[-1]
        assert (found.reason, found.name, found.name_length) == (Reason.TOO_MANY, None, 129)

    def test_name_before_duplicate(self) -> None:
        """Twice the same impossible name is no duplicate of a header: there is none."""
        headers = decode_object('{"a b": "1", "a b": "2"}')
        assert reasons(headers) == [Reason.NAME, Reason.NAME]

    def test_too_long_a_name_before_duplicate(self) -> None:
        """Twice the same name beyond the limit is too large, twice."""
        assert reasons({"X" * 129: "1", "x" * 129: "2"}) == [Reason.TOO_LARGE, Reason.TOO_LARGE]

    def test_duplicate_before_core_blocklist(self) -> None:
        """`Host` and `host`: malformed, both."""
        assert reasons({"Host": "1", "host": "2"}) == [Reason.DUPLICATE, Reason.DUPLICATE]

    def test_core_blocklist_before_operator(self) -> None:
        """A core name stays one where the operator's pattern has it too."""
        policy = Policy(block=("x-*",))
        assert reasons({"X-Api-Key": "1", "X-Other": "2"}, policy) == [Reason.CREDENTIAL, Reason.OPERATOR]

    def test_core_blocklist_before_override(self) -> None:
        """Whether or not the client sends `Authorization` today, it is a credential."""
        assert reason("Authorization", outbound={"Authorization"}) is Reason.CREDENTIAL

    def test_operator_before_override(self) -> None:
        """The operator's word comes before what the client happens to carry."""
        assert reason("X-Own", policy=Policy(block=("x-own",)), outbound={"X-Own"}) is Reason.OPERATOR

    def test_operator_before_allowlist(self) -> None:
        """Allowed by a prefix and blocked by an entry: blocked."""
        assert reason("X-A-1", policy=Policy(allow=("x-*",), block=("x-a-*",))) is Reason.OPERATOR

    def test_override_before_allowlist(self) -> None:
        """A header that the client carries is an override, allowed by the list or not."""
        policy = Policy(allow=("x-a",))
        assert reason("X-Own", policy=policy, outbound={"X-Own"}) is Reason.OVERRIDE
        assert reason("X-A", policy=policy, outbound={"X-A"}) is Reason.OVERRIDE

    def test_allowlist_before_value(self) -> None:
        """The value of a header that is not allowed is of no interest."""
        policy = Policy(allow=("x-a",))
        assert reason("X-B", "1\r\n2", policy) is Reason.NOT_ALLOWED
        assert reason("X-B", "1" * 4097, policy) is Reason.NOT_ALLOWED

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("Authorization", Reason.CREDENTIAL), ("X-Op", Reason.OPERATOR), ("X-Own", Reason.OVERRIDE)],
    )
    def test_every_kind_of_block_before_value(self, name: str, expected: Reason) -> None:
        """An override attempt with a broken value is an override attempt."""
        assert reason(name, "1\r\n2", Policy(block=("x-op",)), {"X-Own"}) is expected

    def test_size_of_one_value_before_its_characters(self) -> None:
        """A value both too long and not printable is too long."""
        assert reason("X-A", "\x00" * 4097) is Reason.TOO_LARGE

    def test_value_before_total_size(self) -> None:
        """A bad value is told apart from the headers that are too large together, and does not add to them."""
        policy = limited(max_total_bytes=20)
        headers = {"X-A": "1" * 10, "X-Bad": "\x00", "X-B": "1" * 10}
        assert reasons(headers, policy) == [Reason.TOO_LARGE, Reason.VALUE, Reason.TOO_LARGE]
        assert reasons({"X-A": "1" * 10, "X-Bad": "\x00" * 10}, policy) == [Reason.ALLOWED, Reason.VALUE]

    @pytest.mark.parametrize("name", ["X-A", "Host", "X-Own", "X-Op"])
    def test_type_before_every_judgement_of_the_name(self, name: str) -> None:
        """A header without a string for a value is malformed, whatever it is called."""
        assert reason(name, 1, Policy(block=("x-op",)), {"X-Own"}) is Reason.TYPE

    def test_type_before_name_and_duplicate(self) -> None:
        """Of two equal names, the one with a number is of the wrong type, and the other is still a duplicate."""
        assert reasons({"X-A": 1, "x-a": "2", "a b": 3, "X" * 129: 4}) == [
            Reason.TYPE,
            Reason.DUPLICATE,
            Reason.TYPE,
            Reason.TYPE,
        ]


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
    """Names equal after folding: all of them malformed, since nobody knows which one the provider would take."""

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
        """The verdict on a string that merely equals another is not remembered for it."""
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
        """Inside a value: tab and 0x20 to 0x7E, of all that Unicode and its surrogates offer."""
        policy = limited(max_headers=1024, max_total_bytes=131072)
        passing: set[str] = set()
        for start in range(0, 0x110000, 1024):
            headers = {f"X-{i}": f"a{chr(start + i)}b" for i in range(1024)}
            passing |= {value[1] for value in evaluate(headers, policy).forwarded.values()}
        assert passing == {"\t", *map(chr, range(0x20, 0x7F))}

    def test_every_character_at_the_edges(self) -> None:
        """The same without white space."""
        visible = {*map(chr, range(0x21, 0x7F))}
        ascii_and_latin = [chr(i) for i in range(0x100)]
        assert {c for c in ascii_and_latin if reason("X-A", f"{c}b") is Reason.ALLOWED} == visible
        assert {c for c in ascii_and_latin if reason("X-A", f"a{c}") is Reason.ALLOWED} == visible


class TestOverride:
    """No caller overrides a header that the outbound request carries without him."""

    @pytest.mark.parametrize("outbound", ["X-Own", "x-own", "X_OWN", "x_Own"])
    @pytest.mark.parametrize("name", ["X-Own", "x-own", "X_OWN", "x_Own"])
    def test_both_sides_are_folded(self, name: str, outbound: str) -> None:
        """However the client or the caller spells it."""
        (decision,) = evaluate({name: "v"}, DEFAULT, {outbound}).decisions
        assert (decision.decision, decision.reason) == (DecisionKind.BLOCKED, Reason.OVERRIDE)
        assert (decision.name, decision.rule) == (name, "x-own")

    @pytest.mark.parametrize("name", ["openai-organization", "user-agent", "x-forwarded-host", "origin"])
    def test_a_lifted_name_is_still_no_override(self, name: str) -> None:
        """`unblock` lifts the core blocklist, not the client's own headers."""
        lifted = Policy(unblock=(name,))
        assert is_forwarded(name, lifted)
        assert reason(name, policy=lifted, outbound={name.upper()}) is Reason.OVERRIDE

    @pytest.mark.parametrize(
        "outbound",
        [{"X-Own"}, frozenset({"X-Own"}), ["X-Own"], ("X-Own", "X-Own"), {"X-Own": "value"}, iter(["X-Own"])],
        ids=lambda outbound: type(outbound).__name__,
    )
    def test_outbound_names_may_come_in_any_iterable(self, outbound: list[str]) -> None:
        """A client's mapping of default headers as well as a set of names."""
        assert reason("x-own", outbound=outbound) is Reason.OVERRIDE

    def test_another_name_is_not_an_override(self) -> None:
        """Only whole names are compared."""
        assert reason("X-Own-Other", outbound={"X-Own"}) is Reason.ALLOWED
        assert reason("X-Ow", outbound={"X-Own"}) is Reason.ALLOWED


class TestLists:
    """The operator's allow, block and unblock."""

    @pytest.mark.parametrize(
        ("allow", "name", "expected"),
        [
            (None, "X-A", Reason.ALLOWED),
            ((), "X-A", Reason.NOT_ALLOWED),
            (("x-a",), "X-A", Reason.ALLOWED),
            (("x-a",), "x_a", Reason.ALLOWED),
            (("X_A",), "x-a", Reason.ALLOWED),
            (("x-a",), "X-AB", Reason.NOT_ALLOWED),
            (("x-a",), "X-", Reason.NOT_ALLOWED),
            (("x-a*",), "X-A", Reason.ALLOWED),
            (("x-a*",), "X_AB", Reason.ALLOWED),
            (("x-a-*",), "X-A", Reason.NOT_ALLOWED),
            (("x-a-*",), "X-A-", Reason.ALLOWED),
            (("x-a-*",), "Y-X-A-1", Reason.NOT_ALLOWED),
            (("x.a",), "X-A", Reason.ALLOWED),
            (("x.a",), "X-B", Reason.NOT_ALLOWED),
            (("x-a*",), "X-A*", Reason.ALLOWED),
            (("x-a",), "X-A*", Reason.NOT_ALLOWED),
            (("x-*",), "X-Api-Key", Reason.CREDENTIAL),
        ],
    )
    def test_allow(self, allow: tuple[str, ...] | None, name: str, expected: Reason) -> None:
        """Given: only these pass, and never a core name. Omitted: everything that is not blocked."""
        assert reason(name, policy=Policy(allow=allow)) is expected

    @pytest.mark.parametrize(
        ("block", "name", "expected"),
        [
            (("x-a",), "X_A", Reason.OPERATOR),
            (("X_A",), "x-a", Reason.OPERATOR),
            (("x-a",), "X-AB", Reason.ALLOWED),
            (("x-a-*",), "X-A-B", Reason.OPERATOR),
            (("x-a-*",), "X_A_B", Reason.OPERATOR),
            (("x-a-*",), "X-A", Reason.ALLOWED),
            (("anthropic-beta",), "Anthropic-Beta", Reason.OPERATOR),
        ],
    )
    def test_block(self, block: tuple[str, ...], name: str, expected: Reason) -> None:
        """Added to the core blocklist."""
        assert reason(name, policy=Policy(block=block)) is expected

    @pytest.mark.parametrize(
        ("unblock", "name", "expected"),
        [
            ("openai-organization", "OpenAI-Organization", Reason.ALLOWED),
            ("openai_organization", "openai-organization", Reason.ALLOWED),
            ("openai-organization", "OPENAI_ORGANIZATION", Reason.ALLOWED),
            ("openai-organization", "openai-project", Reason.ACCOUNT),
            ("x-forwarded-host", "X_Forwarded_Host", Reason.ALLOWED),
            ("x-forwarded-host", "X-Forwarded-For", Reason.CLIENT_IDENTITY),
            ("x-forwarded-host", "X-Forwarded-Hosts", Reason.CLIENT_IDENTITY),
        ],
    )
    def test_unblock(self, unblock: str, name: str, expected: Reason) -> None:
        """Lifts one name and nothing beside it, not even what its own prefix blocks."""
        assert reason(name, policy=Policy(unblock=(unblock,))) is expected

    def test_a_lifted_name_passes_through_the_other_checks(self) -> None:
        """Lifted from the core blocklist means treated like any other name."""
        policy = Policy(allow=("openai-*", "x-a"), unblock=("openai-project",))
        assert reason("openai-project", policy=policy) is Reason.ALLOWED
        assert reason("openai-organization", policy=policy) is Reason.ACCOUNT
        assert reason("openai-project", "\n", policy) is Reason.VALUE
        assert reasons({"openai-project": "1", "OpenAI_Project": "2"}, policy) == [Reason.DUPLICATE] * 2

    @pytest.mark.parametrize(
        ("name", "rule"),
        [
            ("X-Op-Exact", "x-op-exact"),
            ("X-Op-Pre-1", "x-op-pre-*"),
            ("X-Own", "x-own"),
            ("X-Forwarded-For", "x-forwarded-*"),
            ("X-Free", "x-*"),
            ("Y-Other", None),
        ],
    )
    def test_the_decision_names_the_entry_that_decided(self, name: str, rule: str | None) -> None:
        """A word of the operator's or of the core blocklist's, never the caller's: it becomes a label value."""
        policy = Policy(allow=("x-*",), block=("x_op_exact", "x-op-pre-*"))
        assert evaluate({name: "v"}, policy, {"X-Own"}).decisions[0].rule == rule


def test_of_several_entries_the_exact_one_decides_then_the_longest_prefix() -> None:
    """In whatever order they are written, so that an entry can be added to a list without moving others."""
    entries = [("x-*", Reason.SDK), ("x-a", Reason.ROUTING), ("x-a-*", Reason.GATEWAY), ("x-a-b-*", Reason.BROWSER)]
    for ordered in (entries, entries[::-1], entries[2:] + entries[:2]):
        patterns = _Patterns(ordered)
        assert patterns.find("x-a") == ("x-a", Reason.ROUTING)
        assert patterns.find("x-a-") == ("x-a-*", Reason.GATEWAY)
        assert patterns.find("x-a-b-c") == ("x-a-b-*", Reason.BROWSER)
        assert patterns.find("x-b") == ("x-*", Reason.SDK)
        assert patterns.find("y") is None


BLOCKED_AND_MALFORMED = {"X-Good": "1", "Authorization": "2", "X-Bad": "\n"}
BLOCKED_ONLY = {"X-Good": "1", "Authorization": "2"}
MALFORMED_ONLY = {"X-Good": "1", "X-Bad": "\n"}


class TestDropOrReject:
    """`on_blocked` and `on_malformed`, each in both settings."""

    @pytest.mark.parametrize(
        ("on_blocked", "on_malformed", "headers", "rejected_for"),
        [
            ("drop", "drop", BLOCKED_ONLY, None),
            ("drop", "drop", MALFORMED_ONLY, None),
            ("drop", "drop", BLOCKED_AND_MALFORMED, None),
            ("drop", "reject", BLOCKED_ONLY, None),
            ("drop", "reject", MALFORMED_ONLY, DecisionKind.MALFORMED),
            ("drop", "reject", BLOCKED_AND_MALFORMED, DecisionKind.MALFORMED),
            ("reject", "drop", BLOCKED_ONLY, DecisionKind.BLOCKED),
            ("reject", "drop", MALFORMED_ONLY, None),
            ("reject", "drop", BLOCKED_AND_MALFORMED, DecisionKind.BLOCKED),
            ("reject", "reject", BLOCKED_ONLY, DecisionKind.BLOCKED),
            ("reject", "reject", MALFORMED_ONLY, DecisionKind.MALFORMED),
            ("reject", "reject", BLOCKED_AND_MALFORMED, DecisionKind.MALFORMED),
        ],
    )
    def test_what_is_rejected_and_why(
        self, on_blocked: str, on_malformed: str, headers: object, rejected_for: DecisionKind | None
    ) -> None:
        """Rejected: nothing is forwarded. Dropped: the rest is. The decisions are the same either way."""
        policy = Policy.model_validate({"on_blocked": on_blocked, "on_malformed": on_malformed})
        evaluation = evaluate(headers, policy)
        assert evaluation.rejected_for is rejected_for
        assert evaluation.outcome is (Outcome.FILTERED if rejected_for is None else Outcome.REJECTED)
        assert dict(evaluation.forwarded) == ({"X-Good": "1"} if rejected_for is None else {})
        assert evaluation.decisions == evaluate(headers, DROP).decisions

    @pytest.mark.parametrize("on_blocked", ["drop", "reject"])
    @pytest.mark.parametrize("on_malformed", ["drop", "reject"])
    def test_clean_headers_are_never_rejected(self, on_blocked: str, on_malformed: str) -> None:
        """There is nothing to reject them for."""
        policy = Policy.model_validate({"on_blocked": on_blocked, "on_malformed": on_malformed})
        evaluation = evaluate({"X-A": "1", "X-B": ""}, policy)
        assert (dict(evaluation.forwarded), evaluation.outcome) == ({"X-A": "1", "X-B": ""}, Outcome.CLEAN)

    def test_every_kind_of_block_is_a_block(self) -> None:
        """Operator's entries, overrides and names off the allow list reject as core names do."""
        policy = Policy(allow=("x-*",), block=("x-op",), on_blocked="reject")
        for name in ("Host", "X-Op", "X-Own", "Y-Other"):
            assert evaluate({name: "1"}, policy, {"X-Own"}).rejected_for is DecisionKind.BLOCKED

    def test_dropping_everything_is_not_rejecting(self) -> None:
        """The request goes on without extra headers."""
        evaluation = evaluate({"Host": "1"}, DEFAULT)
        assert (dict(evaluation.forwarded), evaluation.outcome) == ({}, Outcome.FILTERED)


class TestMemoryOfNames:
    """Verdicts on names are remembered; nobody can see, change or exhaust what is remembered for another."""

    def test_policies_and_outbound_names_do_not_share_verdicts(self) -> None:
        """The same name under different policies, twice over in a different order."""
        expected = {
            Policy(): Reason.ALLOWED,
            Policy(block=("x-a",)): Reason.OPERATOR,
            Policy(allow=("x-b",)): Reason.NOT_ALLOWED,
            Policy(allow=("x-*",)): Reason.ALLOWED,
        }
        for policy, found in [*expected.items(), *reversed(expected.items())]:
            assert reason("X-A", policy=policy) is found
            assert KIND_OF[reason("X-A", policy=policy, outbound={"x_a"})] is DecisionKind.BLOCKED
            assert reason("X-A", policy=policy, outbound={"x_b"}) is found

    def test_equal_policies_decide_alike(self) -> None:
        """Equality is by content: two providers with the same settings are one policy."""
        assert Policy(block=("X_A",)) == Policy(block=("x-a",))
        assert reason("X-A", policy=Policy(block=("X_A",))) is reason("X-A", policy=Policy(block=("x-a",)))

    def test_spellings_do_not_share_verdicts(self) -> None:
        """A decision names the header as this caller spelled it, not as an earlier one did."""
        for name in ("X-Spelled", "x-spelled", "X_SPELLED"):
            assert [d.name for d in evaluate({name: "1"}, DEFAULT).decisions] == [name]

    def test_is_bounded_in_names_and_in_the_length_of_a_name(self) -> None:
        """Hostile names, as many and as long as callers like, fill a fixed room."""
        policy = Policy(block=("x-bounded",))
        remembered = name_verdicts(policy, frozenset())
        evaluate({"x" * length: "1" for length in range(129, 200)}, policy)
        evaluate(dict.fromkeys(range(100), "1"), policy)
        assert len(remembered) == 0
        sizes = []
        for i in range(1500):
            evaluate({f"X-{i}": "1"}, policy)
            sizes.append(len(remembered))
        assert max(sizes) == 1024

    def test_is_bounded_in_policies(self) -> None:
        """So is the number of outbound calls, should they ever differ from request to request."""
        for i in range(300):
            assert reason(f"X-{i}", outbound={f"X-{i}"}) is Reason.OVERRIDE
        assert name_verdicts.cache_info().currsize == name_verdicts.cache_info().maxsize == 256

    def test_holds_no_value(self) -> None:
        """Only names are asked about, so only names are kept."""
        policy = Policy(block=("x-holds-no-value",))
        evaluate({"X-A": "first"}, policy)
        first = name_verdicts(policy, frozenset())["X-A"]
        evaluate({"X-A": "second"}, policy)
        assert name_verdicts(policy, frozenset())["X-A"] is first
        assert "first" not in repr(first)
