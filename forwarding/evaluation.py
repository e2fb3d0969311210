"""Decide what happens to each header of one request: the order of the checks, and nothing else.

Pure: no I/O, no clock, no logger, and no exception for any input.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from extra_headers.forwarding.decisions import Decision, DecisionKind, Evaluation, Reason
from extra_headers.forwarding.envelope import RepeatedKeys
from extra_headers.forwarding.matching import NameVerdict, name_judge
from extra_headers.forwarding.policy import Policy

_FORWARDED, _BLOCKED, _MALFORMED = DecisionKind.FORWARDED, DecisionKind.BLOCKED, DecisionKind.MALFORMED
_EMPTY = Evaluation({}, ())


def evaluate(headers: object, policy: Policy, outbound: Iterable[str] = frozenset()) -> Evaluation:
    """Decide each of a caller's extra headers; the first check that applies decides.

    The order: envelope, type, count, name, duplicate, core blocklist, operator's block list, override, allow list,
    value, total size. The order of the headers has no influence.

    Args:
        headers: the extra headers as decoded from JSON; anything but a mapping is a malformed envelope.
        policy: what the operator allows.
        outbound: names that the outbound request carries without the caller; no caller may override one.

    Returns:
        One decision for each header, and the headers to send on: none of them where the policy rejects the request.

    """
    if not isinstance(headers, dict | Mapping):  # dict first: an abstract class is slow to ask
        return malformed_envelope(policy)
    items = list(headers.pairs if isinstance(headers, RepeatedKeys) else headers.items())
    if not items:
        return _EMPTY
    forwarded, decisions = _decide_each(items, policy, frozenset(outbound))
    if len(forwarded) == len(decisions):
        return Evaluation(forwarded, tuple(decisions))
    rejected_for = _rejected_for(decisions, policy)
    return Evaluation({} if rejected_for else forwarded, tuple(decisions), rejected_for)


def malformed_envelope(policy: Policy) -> Evaluation:
    """Return the evaluation of extra headers that are no JSON object, or stand in provider data that is none."""
    decision = Decision(None, _MALFORMED, Reason.ENVELOPE)
    return Evaluation({}, (decision,), _rejected_for((decision,), policy))


def _rejected_for(decisions: Sequence[Decision], policy: Policy) -> DecisionKind | None:
    if policy.on_malformed == "reject" and any(d.decision is _MALFORMED for d in decisions):
        return _MALFORMED
    if policy.on_blocked == "reject" and any(d.decision is _BLOCKED for d in decisions):
        return _BLOCKED
    return None


def _decide_each(
    items: Sequence[tuple[object, object]], policy: Policy, outbound: frozenset[str]
) -> tuple[dict[str, str], list[Decision]]:
    """Return the headers that pass, and the decision on each."""
    limits = policy.limits
    max_name, max_value = limits.max_name_bytes, limits.max_value_bytes
    judge = name_judge(policy, outbound)
    verdicts = [
        judge(name) if isinstance(name, str) and len(name) <= max_name else _unjudged(name) for name, _ in items
    ]
    repeated = _repeated([folded for folded, _ in verdicts if folded is not None])
    too_many = len(items) > limits.max_headers
    forwarded: dict[str, str] = {}
    decisions: list[Decision] = []
    total = 0
    for (_, value), (folded, decision) in zip(items, verdicts, strict=True):
        fault: Reason | None = None
        if not isinstance(value, str) or decision.reason is Reason.TYPE:
            fault = Reason.TYPE
        elif too_many:
            fault = Reason.TOO_MANY
        elif folded in repeated:
            fault = Reason.DUPLICATE
        elif decision.decision is _FORWARDED and decision.name is not None:
            if len(value) > max_value:
                fault = Reason.TOO_LARGE
            elif not _is_field_value(value):
                fault = Reason.VALUE
            else:
                forwarded[decision.name] = value
                total += decision.name_length + len(value)
        decisions.append(_malformed(decision, fault) if fault else decision)
    if total > limits.max_total_bytes:
        return {}, [_malformed(d, Reason.TOO_LARGE) if d.decision is _FORWARDED else d for d in decisions]
    return forwarded, decisions


def _repeated(names: Sequence[str]) -> Collection[str]:
    if len(set(names)) == len(names):
        return ()
    return {name for name, count in Counter(names).items() if count > 1}


def _unjudged(name: object) -> NameVerdict:
    """Return the verdict on a name that is no string or too long, and must not fill the memory of names."""
    if not isinstance(name, str):
        return NameVerdict(None, Decision(None, _MALFORMED, Reason.TYPE))
    return NameVerdict(None, Decision(None, _MALFORMED, Reason.TOO_LARGE, None, len(name)))


def _malformed(decision: Decision, reason: Reason) -> Decision:
    return Decision(decision.name, _MALFORMED, reason, None, decision.name_length)


def _is_field_value(value: str) -> bool:
    """Whether a value may be sent: RFC 9110 section 5.5 without obs-text, so that one character is one byte."""
    if not value.isascii():
        return False
    # For ASCII, printable means 0x20 to 0x7E. White space at the edges is not part of a field value.
    return (value.isprintable() or value.replace("\t", " ").isprintable()) and value.strip(" \t") == value
