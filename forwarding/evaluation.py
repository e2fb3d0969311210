"""Decide what happens to each header of one request: the order of the checks, and nothing else.

Pure: no I/O, no clock, no logger, and no exception for any input.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from extra_headers.forwarding.decisions import Decision, DecisionKind, Evaluation, Reason
from extra_headers.forwarding.envelope import RepeatedKeys
from extra_headers.forwarding.matching import name_verdicts
from extra_headers.forwarding.names import is_field_value
from extra_headers.forwarding.policy import Policy

_FORWARDED, _BLOCKED, _MALFORMED = DecisionKind.FORWARDED, DecisionKind.BLOCKED, DecisionKind.MALFORMED


def evaluate(headers: object, policy: Policy, outbound: Iterable[str] = frozenset()) -> Evaluation:
    """Decide each of a caller's extra headers; the first check that applies decides.

    The order: envelope, type, count, name, duplicate, headers that the server sets, core blocklist, operator's block
    list, override, allow list, value, total size. The order of the headers has no influence.

    Args:
        headers: the extra headers as decoded from JSON; anything but a mapping is a malformed envelope.
        policy: what the operator allows.
        outbound: names that the outbound request carries without the caller; no caller may override one.

    Returns:
        One decision for each header, and the headers to send on: none of them where the policy rejects the request.
        Under a policy that is not enabled, no decision and no headers.

    """
    if not policy.enabled:
        return Evaluation({}, ())
    if not isinstance(headers, (dict, Mapping)):  # dict first: an abstract class is slow to ask
        return malformed_envelope(policy)
    items = headers.pairs if isinstance(headers, RepeatedKeys) else headers.items()
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
    items: Collection[tuple[object, object]], policy: Policy, outbound: frozenset[str]
) -> tuple[dict[str, str], list[Decision]]:
    """Return the headers that pass, and the decision on each."""
    limits = policy.limits
    max_value = limits.max_value_bytes
    by_name = name_verdicts(policy, outbound)
    judged = [(name, value, by_name[name]) for name, value in items]
    repeated = _repeated([verdict.folded for _, _, verdict in judged])
    too_many = len(items) > limits.max_headers
    forwarded: dict[str, str] = {}
    decisions: list[Decision] = []
    total = 0
    for name, value, verdict in judged:
        decision = verdict.decision
        fault: Reason | None = None
        if type(name) is not str or type(value) is not str:
            fault = Reason.TYPE
        elif too_many:
            fault = Reason.TOO_MANY
        elif repeated and verdict.folded in repeated:
            fault = Reason.DUPLICATE
        elif decision.decision is _FORWARDED:
            if len(value) > max_value:
                fault = Reason.TOO_LARGE
            elif not is_field_value(value):
                fault = Reason.VALUE
            else:
                forwarded[name] = value
                total += len(name) + len(value)
        decisions.append(_malformed(decision, fault) if fault else decision)
    if total > limits.max_total_bytes:
        return {}, [_malformed(d, Reason.TOO_LARGE) if d.decision is _FORWARDED else d for d in decisions]
    return forwarded, decisions


def _repeated(names: Collection[str | None]) -> Collection[str | None]:
    """Return the names that occur more than once; None, of a header without a field name, is no name."""
    if len(set(names)) == len(names):
        return ()
    return {name for name, count in Counter(names).items() if count > 1 and name is not None}


def _malformed(decision: Decision, reason: Reason) -> Decision:
    return Decision(decision.name, _MALFORMED, reason, None, decision.name_length)
