"""Laws of the evaluation that hold for any input, and a second, naive reading of the design to compare it with."""

import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extra_headers.forwarding import (
    BlockedHeadersError,
    DecisionKind,
    Evaluation,
    MalformedHeadersError,
    Outcome,
    Policy,
    PolicyError,
    Reason,
    evaluate,
)
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import RepeatedKeys, decode_object
from tests.core.helpers import SUBJECT
from tests.core.oracle import Headers, compared, core_reason, expected_reasons, is_name, is_value, matching
from tests.core.strategies import (
    STEMS,
    as_headers,
    different_names,
    entries,
    header_names,
    header_pairs,
    json_scalars,
    json_values,
    law,
    lifted,
    longer_names,
    outbound_names,
    policies,
    printable,
    respelled,
)


@law
@given(policies(), header_pairs, outbound_names)
def test_every_header_gets_the_decision_that_the_design_gives(
    policy: Policy, pairs: Headers, outbound: frozenset[str]
) -> None:
    """Exactly one decision for each header, in the caller's order, equal keys each, as a naive reader would decide."""
    decisions = evaluate(as_headers(pairs), policy, outbound).decisions
    assert [d.reason for d in decisions] == expected_reasons(pairs, policy, outbound)
    assert [d.kind for d in decisions] == [d.reason.kind for d in decisions]


@law
@given(policies(), header_pairs, outbound_names)
def test_nothing_dangerous_is_forwarded(policy: Policy, pairs: Headers, outbound: frozenset[str]) -> None:
    """Grammar, blocklists, the client's own headers, uniqueness and limits hold for whatever goes out."""
    forwarded = dict(evaluate(as_headers(pairs), policy, outbound).forwarded)
    assert set(forwarded.items()) <= {(n, v) for n, v in pairs if isinstance(v, str)}
    for name, value in forwarded.items():
        assert type(name) is type(value) is str
        assert is_name(name, policy)
        assert is_value(value)
        assert core_reason(name) is None or matching(policy.unblock, name)
        assert not matching(policy.block, name)
        assert policy.allow is None or matching(policy.allow, name)
        assert compared(name) not in map(compared, outbound)
        assert len(value) <= policy.limits.max_value_bytes
    assert len({compared(name) for name in forwarded}) == len(forwarded) <= policy.limits.max_headers
    assert sum(len(n) + len(v) for n, v in forwarded.items()) <= policy.limits.max_total_bytes


@law
@given(policies(), different_names, outbound_names, st.randoms(use_true_random=False))
def test_the_order_of_headers_does_not_matter(
    policy: Policy, pairs: Headers, outbound: frozenset[str], random: Any
) -> None:
    """Each header gets the same decision, and the same headers are forwarded, in whatever order they come."""
    shuffled = random.sample(pairs, len(pairs))
    one, other = evaluate(dict(pairs), policy, outbound), evaluate(dict(shuffled), policy, outbound)
    decided = dict(zip(dict(pairs), one.decisions, strict=True))
    assert decided == dict(zip(dict(shuffled), other.decisions, strict=True))
    assert one.forwarded == other.forwarded
    assert (one.outcome, one.rejected_for) == (other.outcome, other.rejected_for)


@law
@given(policies(), header_pairs, outbound_names)
def test_the_outcome_follows_from_the_decisions(policy: Policy, pairs: Headers, outbound: frozenset[str]) -> None:
    """Rejected: nothing is forwarded. Otherwise every header that passes is."""
    evaluation = evaluate(as_headers(pairs), policy, outbound)
    kinds = {d.kind for d in evaluation.decisions}
    rejects_malformed = DecisionKind.MALFORMED in kinds and policy.on_malformed == "reject"
    rejects_blocked = DecisionKind.BLOCKED in kinds and policy.on_blocked == "reject"
    passing = [d.name for d in evaluation.decisions if d.kind is DecisionKind.FORWARDED]
    if rejects_malformed or rejects_blocked:
        assert evaluation.outcome is Outcome.REJECTED
        assert dict(evaluation.forwarded) == {}
        error = MalformedHeadersError if rejects_malformed else BlockedHeadersError
        with pytest.raises(error, match="nothing was sent"):
            evaluation.raise_for_rejection()
    else:
        assert evaluation.outcome is (Outcome.CLEAN if kinds <= {DecisionKind.FORWARDED} else Outcome.FILTERED)
        assert list(evaluation.forwarded) == passing
        evaluation.raise_for_rejection()


@law
@given(policies(), json_values | st.dictionaries(st.one_of(st.text(), st.integers(), st.none()), json_values))
@example(Policy(), RepeatedKeys([]))
@example(Policy(), {float("nan"): "v"})
def test_no_object_makes_it_raise(policy: Policy, headers: object) -> None:
    """Anything that JSON can hold, and keys that it cannot, ends in decisions."""
    evaluation = evaluate(headers, policy)
    assert isinstance(evaluation, Evaluation)
    assert len(evaluation.decisions) == (len(headers) if isinstance(headers, dict) else 1)


@law
@given(st.text() | st.text('{}[]":,\\u0123 "XA-nulltrue', max_size=40) | st.binary().map(lambda b: b.decode("latin-1")))
@example('{"a":1,"a":1}')
def test_no_text_makes_the_decoder_raise(text: str) -> None:
    """An object or None."""
    decoded = decode_object(text)
    assert decoded is None or isinstance(decoded, dict)


MARKER = "s3cret-marker-7f3a9c"
marked = st.one_of(
    st.just(MARKER),
    st.builds("{}{}{}".format, printable, st.just(MARKER), st.text(max_size=4)),
    st.builds("{}{}".format, st.text(max_size=4), st.just(MARKER)),
    st.just([MARKER]),
    st.just({MARKER: MARKER}),
    st.just(MARKER.encode()),
    st.just(MARKER * 9),
)
roomy = st.sampled_from(
    [
        Policy(),
        Policy(on_blocked="reject"),
        Policy(on_malformed="drop"),
        Policy(on_blocked="reject", on_malformed="drop"),
        Policy(allow=("x-*",), block=("x-a",)),
    ]
)


@law
@given(roomy, st.lists(st.tuples(header_names, marked), max_size=8), outbound_names)
@example(Policy(), [("X-A", MARKER)], frozenset())
def test_no_value_shows(policy: Policy, pairs: Headers, outbound: frozenset[str]) -> None:
    """No value stands in a decision, an evaluation's text or an error, whether its header passes or not."""
    evaluation = evaluate(as_headers(pairs), policy, outbound)
    shown = [repr(evaluation), str(evaluation), repr(evaluation.decisions)]
    try:
        evaluation.raise_for_rejection("vllm")
    except (BlockedHeadersError, MalformedHeadersError) as error:
        shown += traceback.format_exception(error)
        shown += [repr(error), repr(error.__dict__)]
    assert not any(MARKER in text for text in shown)


@law
@given(st.lists(st.tuples(st.text(max_size=12), st.just("v")), max_size=8))
def test_no_name_shows_that_is_no_token(pairs: Headers) -> None:
    """What is shown of names is printable ASCII: no line break, no escape, no look-alike reaches a log."""
    evaluation = evaluate(as_headers(pairs), Policy(on_blocked="reject"))
    assert all(d.name is None or is_name(d.name, Policy()) for d in evaluation.decisions)
    shown = [repr(evaluation)]
    try:
        evaluation.raise_for_rejection()
    except (BlockedHeadersError, MalformedHeadersError) as error:
        shown.append(str(error))
    assert all(text.isascii() and text.isprintable() for text in shown)


yaml_keys = st.one_of(st.sampled_from([*Policy.model_fields, "max_headers"]), st.text(), st.integers(), st.booleans())
yaml_values = st.recursive(
    json_scalars | entries | lifted,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(yaml_keys, inner, max_size=4),
    max_leaves=8,
)


@law
@given(yaml_values | st.dictionaries(yaml_keys, yaml_values, max_size=4))
def test_a_setting_is_a_policy_or_a_policy_error(setting: object) -> None:
    """Whatever stands in the run config, the server starts or the operator gets the message meant for him."""
    try:
        policy = parse_policy(setting, SUBJECT)
    except PolicyError as error:
        assert str(error).startswith(f"extra_headers of {SUBJECT}")  # noqa: PT017 - both may be
    else:
        assert parse_policy(policy.model_dump(exclude_none=True), "the same again") == policy


@law
@given(st.lists(respelled(["openai-project", "via", *STEMS]) | longer_names, max_size=2))
@example(["openai-organization"])
def test_no_setting_lifts_framing_credentials_or_gateway_control(unblock: list[str]) -> None:
    """Every name that a policy manages to lift is one whose reason may be lifted."""
    try:
        policy = parse_policy({"unblock": unblock}, "a generated provider")
    except PolicyError:
        return
    assert {core_reason(name) for name in policy.unblock}.isdisjoint(
        {None, Reason.FRAMING, Reason.CREDENTIAL, Reason.GATEWAY}
    )


pattern_stems = st.text("xy-", min_size=1, max_size=3)
small_patterns = st.lists(st.builds("{}{}".format, pattern_stems, st.sampled_from(["", "*"])), max_size=3)


@law
@given(small_patterns, small_patterns)
def test_an_entry_is_refused_exactly_when_it_changes_nothing(allow: list[str], block: list[str]) -> None:
    """Each accepted allow entry lets some name through, each accepted block entry blocks one that no other entry does.

    And a list is refused only for an entry of which that is not true.
    """

    def names_of(pattern: str) -> set[str]:
        stem = pattern.removesuffix("*")
        return {stem} | ({stem + more for more in ("!", "x!", "y!", "-!", "xx!", "xy!")} if stem != pattern else set())

    def is_needed(entry: str, others: list[str]) -> bool:
        return any(not matching(others, name) for name in names_of(entry))

    def others(listed: list[str], i: int) -> list[str]:
        return listed[:i] + listed[i + 1 :]

    useful = all(is_needed(entry, others(listed, i)) for listed in (allow, block) for i, entry in enumerate(listed))
    useful = useful and all(is_needed(entry, block) for entry in allow)
    try:
        parse_policy({"allow": allow, "block": block}, "a generated provider")
        accepted = True
    except PolicyError:
        accepted = False
    assert accepted == useful
