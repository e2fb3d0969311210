"""What is decided about a name: overrides, the operator's lists, and the memory of earlier decisions."""

from itertools import permutations

import pytest

from extra_headers.forwarding import DecisionKind, Limits, Policy, Reason, evaluate
from extra_headers.forwarding.policy.matcher import matcher
from tests.core.helpers import DEFAULT, is_forwarded, reason, reasons


class TestOverride:
    """No caller overrides a header that the outbound request carries without him."""

    @pytest.mark.parametrize("outbound", ["X-Own", "x-own", "X_OWN", "x_Own"])
    @pytest.mark.parametrize("name", ["X-Own", "x-own", "X_OWN", "x_Own"])
    def test_both_sides_are_folded(self, name: str, outbound: str) -> None:
        """However the client or the caller spells it."""
        (decision,) = evaluate({name: "v"}, DEFAULT, {outbound}).decisions
        assert (decision.kind, decision.reason) == (DecisionKind.BLOCKED, Reason.OVERRIDE)
        assert (decision.name, decision.rule) == (name, "x-own")

    @pytest.mark.parametrize("name", ["openai-organization", "user-agent", "x-forwarded-host", "origin"])
    def test_a_lifted_name_is_still_no_override(self, name: str) -> None:
        """`unblock` lifts the core blocklist, not the client's own headers."""
        lifted = Policy(unblock=(name,))
        assert is_forwarded(name, lifted)
        assert reason(name, policy=lifted, outbound_names={name.upper()}) is Reason.OVERRIDE

    @pytest.mark.parametrize(
        "outbound",
        [{"X-Own"}, frozenset({"X-Own"}), ["X-Own"], ("X-Own", "X-Own"), {"X-Own": "value"}, iter(["X-Own"])],
        ids=lambda outbound: type(outbound).__name__,
    )
    def test_outbound_names_may_come_in_any_iterable(self, outbound: list[str]) -> None:
        """A client's mapping of default headers as well as a set of names."""
        assert reason("x-own", outbound_names=outbound) is Reason.OVERRIDE

    def test_another_name_is_not_an_override(self) -> None:
        """Only whole names are compared."""
        assert reason("X-Own-Other", outbound_names={"X-Own"}) is Reason.ALLOWED
        assert reason("X-Ow", outbound_names={"X-Own"}) is Reason.ALLOWED


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


class TestMemoryOfNames:
    """Decisions on names are remembered; nobody can see, change or exhaust what is remembered for another."""

    def test_policies_and_outbound_names_do_not_share_decisions(self) -> None:
        """The same name under different policies, twice over in a different order."""
        expected = {
            Policy(): Reason.ALLOWED,
            Policy(block=("x-a",)): Reason.OPERATOR,
            Policy(allow=("x-b",)): Reason.NOT_ALLOWED,
            Policy(allow=("x-*",)): Reason.ALLOWED,
        }
        for policy, found in [*expected.items(), *reversed(expected.items())]:
            assert reason("X-A", policy=policy) is found
            assert reason("X-A", policy=policy, outbound_names={"x_a"}).kind is DecisionKind.BLOCKED
            assert reason("X-A", policy=policy, outbound_names={"x_b"}) is found

    def test_equal_policies_decide_alike(self) -> None:
        """Equality is by content: two providers with the same settings are one policy."""
        assert Policy(block=("X_A",)) == Policy(block=("x-a",))
        assert reason("X-A", policy=Policy(block=("X_A",))) is reason("X-A", policy=Policy(block=("x-a",)))

    def test_spellings_do_not_share_decisions(self) -> None:
        """A decision names the header as this caller spelled it, not as an earlier one did."""
        for name in ("X-Spelled", "x-spelled", "X_SPELLED"):
            assert [d.name for d in evaluate({name: "1"}, DEFAULT).decisions] == [name]

    def test_a_request_with_the_same_names_of_another_type_is_another_one(self) -> None:
        """What equals a remembered name may be sent as something else: a subclass of str, or 1 for True."""

        class Disguised(str):
            __slots__ = ()

        policy = Policy(block=("x-of-another-type",), on_malformed="drop")
        for _ in range(2):
            assert evaluate({"X-A": "1", "X-B": "2"}, policy).forwarded == {"X-A": "1", "X-B": "2"}
            assert evaluate({Disguised("X-A"): "1", "X-B": "2"}, policy).forwarded == {"X-B": "2"}
            assert evaluate({"X-A": Disguised("1"), "X-B": "2"}, policy).forwarded == {"X-B": "2"}
            assert evaluate({True: "1", "X-B": "2"}, policy).forwarded == {"X-B": "2"}

    def test_the_names_of_a_request_are_remembered_in_their_order(self) -> None:
        """Each decision stays with its header when another caller sends the same names in another order."""
        for names in permutations(("X-A", "Authorization", "X_Forwarded_For")):
            decisions = evaluate(dict.fromkeys(names, "1"), DEFAULT).decisions
            assert [decision.name for decision in decisions] == list(names)

    def test_is_bounded_in_names_and_in_the_length_of_a_name(self) -> None:
        """Hostile names, as many and as long as callers like, fill a fixed room."""
        policy = Policy(block=("x-bounded",), limits=Limits(max_headers=64))
        remembered = matcher(policy, frozenset())
        evaluate({"x" * length: "1" for length in range(129, 180)}, policy)
        evaluate(dict.fromkeys(range(50), "1"), policy)
        assert remembered.sizes == (0, 0)
        evaluate({f"X-{i}": "1" for i in range(65)}, policy)
        evaluate({"X-A": "1", "X B": "1"}, policy)
        assert remembered.sizes == (2, 0)
        sizes = []
        for i in range(5000):
            evaluate({f"X-{i}": "1"}, policy)
            sizes.append(remembered.sizes)
        assert tuple(map(max, zip(*sizes, strict=True))) == (1024, 4096)

    def test_is_bounded_in_policies(self) -> None:
        """So is the number of outbound calls, should they ever differ from request to request."""
        for i in range(300):
            assert reason(f"X-{i}", outbound_names={f"X-{i}"}) is Reason.OVERRIDE
        assert matcher.cache_info().currsize == matcher.cache_info().maxsize == 256

    def test_holds_no_value(self) -> None:
        """Only names are asked about, so only names are kept."""
        policy = Policy(block=("x-holds-no-value",))
        evaluate({"X-A": "first"}, policy)
        remembered = matcher(policy, frozenset()).decide(("X-A",))
        evaluate({"X-A": "second"}, policy)
        assert matcher(policy, frozenset()).decide(("X-A",)) is remembered
        assert "first" not in repr(remembered)
