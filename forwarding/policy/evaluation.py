"""Decide what happens to each header of one request: the order of the checks, and nothing else.

Pure: no I/O, no clock, no logger, and no exception for any input.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from .decision import Decision, DecisionKind, Evaluation, Reason
from .field_names import are_strings, is_field_value, is_visible
from .matcher import Faults, matcher
from .model import Limits, Policy
from .provider_data import RepeatedKeys, with_every_pair

_FORWARDED, _BLOCKED, _MALFORMED = DecisionKind.FORWARDED, DecisionKind.BLOCKED, DecisionKind.MALFORMED
_ENVELOPE = (Decision(None, _MALFORMED, Reason.ENVELOPE),)


def evaluate(headers: object, policy: Policy, outbound_names: Iterable[str] = frozenset()) -> Evaluation:
    """Decide each of a caller's extra headers; the first check that applies decides.

    The order: envelope, type, count, name, duplicate, identity headers, core blocklist, operator's block
    list, override, allow list, value, total size. The order of the headers has no influence.

    Args:
        headers: the extra headers as decoded from JSON; anything but a mapping is a malformed envelope.
        policy: what the operator allows.
        outbound_names: names that the outbound request carries without the caller; no caller may override one.

    Returns:
        One decision for each header, and the headers to send on: none of them where the policy rejects the request.
        Under a policy that is not enabled, no decision and no headers.

    """
    if not policy.enabled:
        return Evaluation({}, ())
    if not isinstance(headers, dict):
        if not isinstance(headers, Mapping):
            return malformed_envelope(policy)
        headers = with_every_pair(headers)
    given = dict(headers)  # a copy, so that what is decided on is what is sent
    if isinstance(headers, RepeatedKeys):
        names, values = (tuple(pair[part] for pair in headers.pairs) for part in (0, 1))
    else:
        names, values = tuple(given), tuple(given.values())
    by_name = matcher(policy, frozenset(outbound_names)).decide(names)
    if by_name.clean and _all_pass(values, policy.limits, by_name.length):
        return Evaluation(given, by_name.decisions)
    forwarded, faults = _with_values(names, values, by_name.decisions, policy.limits)
    decisions = by_name.with_faults(faults)
    rejected_for = _rejected_for(decisions, policy)
    return Evaluation({} if rejected_for else forwarded, decisions, rejected_for)


def malformed_envelope(policy: Policy) -> Evaluation:
    """Return the evaluation of extra headers that are no JSON object, or stand in provider data that is none."""
    return Evaluation({}, _ENVELOPE, _rejected_for(_ENVELOPE, policy))


def _rejected_for(decisions: Iterable[Decision], policy: Policy) -> DecisionKind | None:
    if policy.on_malformed == "reject" and any(decision.kind is _MALFORMED for decision in decisions):
        return _MALFORMED
    if policy.on_blocked == "reject" and any(decision.kind is _BLOCKED for decision in decisions):
        return _BLOCKED
    return None


def _all_pass(values: tuple[Any, ...], limits: Limits, length_of_names: int) -> bool:
    """Whether all values pass, as seen at a glance: where not, each must be looked at, and may pass yet."""
    if not are_strings(values):
        return False
    together = "".join(values)
    return (
        (len(together) <= limits.max_value_bytes or max(map(len, values)) <= limits.max_value_bytes)
        and length_of_names + len(together) <= limits.max_total_bytes
        and is_visible(together)
    )


def _with_values(
    names: tuple[Any, ...], values: tuple[Any, ...], by_name: tuple[Decision, ...], limits: Limits
) -> tuple[dict[str, str], Faults]:
    """Return the headers that pass, and the faults of values."""
    max_value = limits.max_value_bytes
    forwarded: dict[str, str] = {}
    faults: list[tuple[int, Reason]] = []
    for position, value in enumerate(values):
        if type(value) is not str:
            faults.append((position, Reason.TYPE))
        elif by_name[position].kind is _FORWARDED:
            if len(value) > max_value:
                faults.append((position, Reason.TOO_LARGE))
            elif not is_field_value(value):
                faults.append((position, Reason.VALUE))
            else:
                forwarded[names[position]] = value
    # To join them is faster than to add up their lengths.
    if len("".join(forwarded)) + len("".join(forwarded.values())) > limits.max_total_bytes:
        found = {position for position, _ in faults}
        faults += [
            (position, Reason.TOO_LARGE)
            for position, decision in enumerate(by_name)
            if decision.kind is _FORWARDED and position not in found
        ]
        forwarded = {}
    return forwarded, tuple(faults)
