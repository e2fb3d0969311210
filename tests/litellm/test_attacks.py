"""The attack corpus in the body of a chat request, over a raw socket through a real proxy."""

import json
from collections import Counter
from dataclasses import dataclass

import pytest

from extra_headers.forwarding import DecisionKind, evaluate
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from extra_headers.telemetry import contract
from tests.attacks.corpus import CASES, FIELD, Case
from tests.litellm.configuration import CORPUS, PROVIDER_KEY
from tests.litellm.proxy import MESSAGES, Answered, Counts, Proxy, grown

_STATUS = {None: 200, DecisionKind.MALFORMED: 400, DecisionKind.BLOCKED: 403}
_SECRET = "evil"
_PREFIX = f'{{"{FIELD}": '
# Those about the JSON around OGX's field, and about the size of one header line, have nothing to say here.
_TEXTS = {
    case.name: case.provider_data.removeprefix(_PREFIX)[:-1]
    for case in CASES
    if case.provider_data.startswith(_PREFIX) and case.provider_data.count(FIELD) == 1 and not case.refused_by_server
}


@dataclass(frozen=True, slots=True)
class Played:
    """A case that was sent."""

    case: Case
    forwarded: dict[str, str]
    decisions: Counter[tuple[str, str]]
    rejected_for: DecisionKind | None
    answer: Answered
    received: list[ReceivedRequest]


@pytest.fixture(scope="module")
def played(shared: Proxy) -> tuple[list[Played], dict[str, ReceivedRequest], Counts, str]:
    """Send every case to the model with its policy."""
    plain: dict[str, ReceivedRequest] = {}
    shared.taken()
    for model in CORPUS:
        assert shared.chat(model).status == 200
        plain[model] = shared.one()
    before, logged = shared.counts(contract.DECISIONS_TOTAL), len(shared.server.log)
    sent = [_play(shared, model, case) for model, cases in CORPUS.items() for case in cases if case.name in _TEXTS]
    return sent, plain, grown(before, shared.counts(contract.DECISIONS_TOTAL)), shared.server.log[logged:]


def _play(proxy: Proxy, model: str, case: Case) -> Played:
    text = _TEXTS[case.name]
    body = json.dumps({"model": model, "messages": MESSAGES})[:-1] + f', "extra_headers": {text}}}'
    answer = proxy.post("/v1/chat/completions", body.encode())
    received = proxy.taken()
    try:
        headers = json.loads(text)  # of two equal names, LiteLLM takes the last
        json.dumps(headers, ensure_ascii=False).encode()  # it refuses half of a surrogate pair
    except (ValueError, RecursionError):
        return Played(case, {}, Counter(), DecisionKind.MALFORMED, answer, received)
    if headers is None or headers == {}:
        return Played(case, {}, Counter(), None, answer, received)
    decided = evaluate(headers, case.parsed_policy, case.outbound)
    decisions = Counter((d.kind.value, d.reason.value) for d in decided.decisions)
    if decided.rejected_for is not None:
        decisions = Counter({key: n for key, n in decisions.items() if key[0] != "forwarded"})
    return Played(case, dict(decided.forwarded), decisions, decided.rejected_for, answer, received)


def test_the_provider_receives_what_is_forwarded_and_nothing_else(
    played: tuple[list[Played], dict[str, ReceivedRequest], Counts, str],
) -> None:
    """The request is, to the byte, the one without extra headers, plus the lines of those that are forwarded."""
    sent, plain, _, _ = played
    assert len(sent) > 150
    models = {case.name: model for model, cases in CORPUS.items() for case in cases}
    for each in sent:
        assert each.answer.status == _STATUS[each.rejected_for], (each.case, each.answer)
        if each.rejected_for is not None:
            assert each.received == [], each.case
            continue
        (received,) = each.received
        added = [f"{name.lower()}: {value}".encode() for name, value in each.forwarded.items()]
        expected = plain[models[each.case.name]]
        assert Counter(received.head.split(b"\r\n")) == Counter([*expected.head.split(b"\r\n"), *added]), each.case
        assert received.body == expected.body
        assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]


def test_the_corpus_says_the_same(played: tuple[list[Played], dict[str, ReceivedRequest], Counts, str]) -> None:
    """But for equal names in the JSON, of which LiteLLM takes the last one."""
    differing = [
        each.case.name
        for each in played[0]
        if each.rejected_for != each.case.rejected_for
        and "equal" not in each.case.name
        and "duplicate" not in str(each.case.expected)
    ]
    assert differing == []


def test_every_decision_was_counted(played: tuple[list[Played], dict[str, ReceivedRequest], Counts, str]) -> None:
    """The counters are the sum of the cases' decisions, to the last one."""
    sent, _, counted, _ = played
    expected: Counter[tuple[str, ...]] = Counter()
    models = {case.name: model for model, cases in CORPUS.items() for case in cases}
    for each in sent:
        for (kind, reason), number in each.decisions.items():
            expected[kind, models[each.case.name], reason] += number
    assert dict(expected) == counted


def test_no_value_shows(played: tuple[list[Played], dict[str, ReceivedRequest], Counts, str]) -> None:
    """Neither the answers nor the proxy's log hold a value or a malformed name."""
    sent, _, _, log = played
    assert all(_SECRET.encode() not in each.answer.body for each in sent)
    assert _SECRET not in log
