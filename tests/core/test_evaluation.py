"""`evaluate`: what it returns, the order of its checks, and what a rejected request forwards."""

import pytest

from extra_headers.forwarding import DecisionKind, Evaluation, Outcome, Policy, Reason, evaluate
from extra_headers.forwarding.policy.provider_data import decode_object
from tests.core.helpers import DEFAULT, DROP, limited, many, reason, reasons


def test_a_clean_header_is_forwarded_as_the_caller_spelled_it() -> None:
    """Normalizing is for comparison only: neither name nor value is changed."""
    evaluation = evaluate({"X_Maas-SUBSCRIPTION": "Free  Tier"}, DEFAULT)
    assert dict(evaluation.forwarded) == {"X_Maas-SUBSCRIPTION": "Free  Tier"}
    assert evaluation.outcome is Outcome.CLEAN
    (decision,) = evaluation.decisions
    assert decision.name == "X_Maas-SUBSCRIPTION"
    assert (decision.kind, decision.reason, decision.rule) == (DecisionKind.FORWARDED, Reason.ALLOWED, None)


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
        assert reason("Authorization", outbound_names={"Authorization"}) is Reason.CREDENTIAL

    def test_operator_before_override(self) -> None:
        """The operator's word comes before what the client happens to carry."""
        assert reason("X-Own", policy=Policy(block=("x-own",)), outbound_names={"X-Own"}) is Reason.OPERATOR

    def test_operator_before_allowlist(self) -> None:
        """Allowed by a prefix and blocked by an entry: blocked."""
        assert reason("X-A-1", policy=Policy(allow=("x-*",), block=("x-a-*",))) is Reason.OPERATOR

    def test_override_before_allowlist(self) -> None:
        """A header that the client carries is an override, allowed by the list or not."""
        policy = Policy(allow=("x-a",))
        assert reason("X-Own", policy=policy, outbound_names={"X-Own"}) is Reason.OVERRIDE
        assert reason("X-A", policy=policy, outbound_names={"X-A"}) is Reason.OVERRIDE

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
    def test_type_before_every_decision_on_the_name(self, name: str) -> None:
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
