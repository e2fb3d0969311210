"""What a rejected request says: enough to act on, never a value, never a name that is not a field name."""

import pytest

from extra_headers.forwarding import (
    BlockedHeadersError,
    DecisionKind,
    Evaluation,
    MalformedHeadersError,
    Outcome,
    Policy,
    Reason,
    evaluate,
)
from extra_headers.forwarding.policy.decision import (
    CORE_REASONS,
    EXPLANATIONS,
    REASONS,
    MissingIdentityError,
    RejectedError,
)
from tests.core.helpers import DEFAULT

REJECT_BLOCKED = Policy(on_blocked="reject")
SECRET = "value-of-a-secret-0123456789"


def message(headers: object, policy: Policy, provider: str | None = None) -> str:
    """Return the message of the error that rejects the headers."""
    evaluation = evaluate(headers, policy)
    with pytest.raises((BlockedHeadersError, MalformedHeadersError)) as caught:
        evaluation.raise_for_rejection(provider)
    assert caught.value.args == (str(caught.value),)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


class TestErrorClass:
    """Which error, so that a host answers with the right status."""

    @pytest.mark.parametrize("error", [BlockedHeadersError, MalformedHeadersError, MissingIdentityError])
    def test_code_that_handles_other_errors_does_not_take_it_for_its_own(self, error: type[RejectedError]) -> None:
        """SDKs retry an `OSError` as a failed connection, and servers answer a `ValueError` as they please."""
        assert issubclass(error, RejectedError)
        assert not issubclass(error, OSError | ValueError)

    def test_blocked(self) -> None:
        """Answered with 403."""
        assert BlockedHeadersError.status_code == 403
        with pytest.raises(BlockedHeadersError):
            evaluate({"Host": "x"}, REJECT_BLOCKED).raise_for_rejection()

    def test_malformed(self) -> None:
        """Answered with 400."""
        assert MalformedHeadersError.status_code == 400
        with pytest.raises(MalformedHeadersError):
            evaluate({"X-A": 1}, DEFAULT).raise_for_rejection()

    def test_malformed_comes_first(self) -> None:
        """A request with both is first of all not understood."""
        with pytest.raises(MalformedHeadersError):
            evaluate({"Host": "x", "X-A": 1}, REJECT_BLOCKED).raise_for_rejection()

    @pytest.mark.parametrize(
        "headers", [{}, {"X-A": "1"}, {"Host": "x"}, {"X-A": "1", "Cookie": "x"}], ids=["none", "clean", "all", "some"]
    )
    def test_nothing_is_raised_where_the_request_goes_on(self, headers: object) -> None:
        """Dropping is not an error."""
        evaluate(headers, DEFAULT).raise_for_rejection("vllm")


class TestMessage:
    """What it says."""

    def test_names_the_provider_the_header_and_the_reason(self) -> None:
        """And that nothing was sent, so that the caller may send the request again."""
        assert message({"X_Forwarded-FOR": SECRET}, REJECT_BLOCKED, "vllm") == (
            "extra headers for provider 'vllm' rejected, nothing was sent to the provider: header 'X_Forwarded-FOR' is "
            "blocked (client_identity: only trusted proxies may state who the client is)"
        )

    def test_does_without_a_provider(self) -> None:
        """For plain clients, which have none."""
        assert message({"X-A": "\n"}, DEFAULT) == (
            "extra headers rejected, nothing was sent to the provider: header 'X-A' is malformed (value: a header "
            "value must be printable ASCII without leading or trailing white space)"
        )

    @pytest.mark.parametrize("headers", [None, [], SECRET, [SECRET], 1])
    def test_of_an_envelope_says_what_it_must_be(self, headers: object) -> None:
        """There is no header to name."""
        text = message(headers, DEFAULT)
        assert text.endswith(
            "the extra headers are malformed (envelope: the extra headers must be a JSON object of header names and "
            "values)"
        )
        assert SECRET not in text

    @pytest.mark.parametrize(
        "name", ["", "a b", "X-A\r\nX-B", "X\x1b[2J", "Host\u2028", "\u212aeep-alive", "\ud800"], ids=ascii
    )
    def test_does_not_repeat_a_name_that_is_none(self, name: str) -> None:
        """It may hold a line break, an escape or a secret; its length is enough to find it."""
        text = message({f"{name} {SECRET}": "v"}, DEFAULT)
        assert SECRET not in text
        assert f"a header with a name of {len(name) + 29} characters is malformed (name: " in text
        assert text.isascii()
        assert text.isprintable()

    def test_does_not_repeat_a_name_beyond_the_limit(self) -> None:
        """Its length only, so that an error stays short."""
        text = message({"X" * 5000: "v"}, DEFAULT)
        assert "a header with a name of 5000 characters is malformed (too_large: " in text
        assert len(text) < 300

    @pytest.mark.parametrize(
        "headers",
        [
            {"X-A": SECRET + "\n"},
            {"X-A": [SECRET]},
            {"X-A": {SECRET: SECRET}},
            {"X-A": SECRET * 1000},
            {"X-A": SECRET, "x-a": SECRET},
            {"X-A": "\n", "X-B": SECRET, "Authorization": SECRET},
        ],
        ids=["value", "a list", "an object", "too large", "duplicate", "beside"],
    )
    def test_never_repeats_a_value(self, headers: object) -> None:
        """Neither of the header at fault nor of one beside it."""
        assert SECRET not in message(headers, DEFAULT)

    def test_lists_only_what_the_request_is_rejected_for(self) -> None:
        """Not what would merely have been dropped."""
        text = message({"X-A": "\n", "Host": "x", "X-Good": "v", "X-B": 1}, DEFAULT)
        assert "'X-A' is malformed (value" in text
        assert "'X-B' is malformed (type" in text
        assert "Host" not in text
        assert "X-Good" not in text

    def test_too_many_headers_are_named_once(self) -> None:
        """What is wrong with all of them is said once, and none of the names is repeated."""
        error = evaluate({f"X-{i}": "v" for i in range(4500)}, Policy()).rejection("vllm")
        assert str(error).endswith(": the extra headers are malformed (too_many: more headers than limits.max_headers)")

    @pytest.mark.parametrize(("count", "more"), [(1, ""), (8, ""), (9, "; and 1 more"), (32, "; and 24 more")])
    def test_lists_the_first_eight(self, count: int, more: str) -> None:
        """In the caller's order; of the rest, how many."""
        text = message({f"X-{i}": 1 for i in range(count)}, DEFAULT)
        assert [f"'X-{i}'" in text for i in range(count)] == [i < 8 for i in range(count)]
        assert text.count(" is malformed (type: ") == min(count, 8)
        assert ("; and " + text.rpartition("; and ")[2] if "; and " in text else "") == more

    def test_of_a_hostile_crowd_stays_short(self) -> None:
        """However many headers a caller sends."""
        assert len(message({f"X-{i}": "v" for i in range(10_000)}, DEFAULT)) < 1500


class TestVocabulary:
    """Decisions and reasons, which become label values."""

    def test_every_reason_belongs_to_one_decision(self) -> None:
        """The closed set, as the design has it."""
        assert {kind.value: [reason.value for reason in reasons] for kind, reasons in REASONS.items()} == {
            "forwarded": ["allowed"],
            "blocked": [*CORE_REASONS, "operator", "override", "not_allowed"],
            "malformed": ["envelope", "type", "name", "value", "duplicate", "too_many", "too_large"],
        }
        assert all(reason in REASONS[reason.kind] for reason in Reason)
        assert sum(map(len, REASONS.values())) == len(Reason)

    def test_every_reason_is_explained(self) -> None:
        """In one phrase without a full stop."""
        assert set(EXPLANATIONS) == set(Reason)
        assert all(text and not text.endswith(".") for text in EXPLANATIONS.values())

    def test_outcomes(self) -> None:
        """As the design counts requests."""
        assert [outcome.value for outcome in Outcome] == ["clean", "filtered", "rejected"]


class TestRedaction:
    """No value in anything that a log line may show by accident."""

    @pytest.mark.parametrize("policy", [DEFAULT, REJECT_BLOCKED], ids=["drop", "reject"])
    def test_an_evaluation_shows_no_value(self, policy: Policy) -> None:
        """Not even that of a header that is forwarded: an evaluation in a log line or traceback is safe."""
        evaluation = evaluate({"X-A": SECRET, "Authorization": SECRET}, policy)
        assert SECRET not in repr(evaluation)
        assert SECRET not in str(evaluation)
        assert "X-A" in repr(evaluation)

    def test_evaluations_are_compared_with_their_values(self) -> None:
        """Hiding them in the text does not make two evaluations equal."""
        assert evaluate({"X-A": "1"}, DEFAULT) == evaluate({"X-A": "1"}, DEFAULT)
        assert evaluate({"X-A": "1"}, DEFAULT) != evaluate({"X-A": "2"}, DEFAULT)

    def test_an_evaluation_cannot_be_changed(self) -> None:
        """Nor can a decision."""
        evaluation = evaluate({"X-A": "1"}, DEFAULT)
        with pytest.raises(AttributeError):
            evaluation.rejected_for = DecisionKind.BLOCKED  # type: ignore[misc]
        with pytest.raises(AttributeError):
            evaluation.decisions[0].name = "X-B"  # type: ignore[misc]
        assert isinstance(evaluation, Evaluation)
