"""What one policy says about one field name, before its value is looked at.

A pure function of name, policy and outbound names, and therefore remembered: callers repeat their header names. What is
remembered is bounded in entries and, because longer names never get here, in bytes.
"""

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import NamedTuple

from extra_headers.forwarding.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.decisions import Decision, DecisionKind, Reason
from extra_headers.forwarding.names import fold, is_prefix, is_token
from extra_headers.forwarding.policy import Policy

_REMEMBERED_NAMES = 1024
_REMEMBERED_POLICIES = 256


class NameVerdict(NamedTuple):
    """The decision on a name, as far as the name alone decides."""

    folded: str | None
    """The form in which names are compared; None where the name is not a field name."""
    decision: Decision
    """`forwarded` means: unless the value or the total size forbids it."""


class _Patterns:
    """Folded patterns, each with what it stands for, in the form that is fast to ask."""

    def __init__(self, patterns: Iterable[tuple[str, Reason]]) -> None:
        entries = list(patterns)
        self._exact = {pattern: reason for pattern, reason in entries if not is_prefix(pattern)}
        prefixes = [(pattern[:-1], reason) for pattern, reason in entries if is_prefix(pattern)]
        self._prefixes = sorted(prefixes, key=lambda prefix: -len(prefix[0]))
        self._any_prefix = tuple(prefix for prefix, _ in prefixes)

    def find(self, folded: str) -> tuple[str, Reason] | None:
        """Return the entry that decides: the exact one, else the longest prefix. Linear in the length of the name."""
        if (reason := self._exact.get(folded)) is not None:
            return folded, reason
        if folded.startswith(self._any_prefix):
            return next((f"{p}*", reason) for p, reason in self._prefixes if folded.startswith(p))
        return None


_CORE = _Patterns((rule.pattern, rule.reason) for rule in CORE_BLOCKLIST)


@lru_cache(maxsize=_REMEMBERED_POLICIES)
def name_judge(policy: Policy, outbound: frozenset[str]) -> Callable[[str], NameVerdict]:
    """Return the function that judges names under `policy`, beside an outbound request that carries `outbound`.

    The names it is asked about must not be longer than `policy.limits.max_name_bytes`.
    """
    unblocked = frozenset(policy.unblock)
    operator = _Patterns((pattern, Reason.OPERATOR) for pattern in policy.block)
    carried = frozenset(fold(name) for name in outbound)
    allowed = None if policy.allow is None else _Patterns((pattern, Reason.ALLOWED) for pattern in policy.allow)

    def judge(name: str) -> NameVerdict:
        if not is_token(name):
            return NameVerdict(None, _malformed_name(name))
        folded = fold(name)
        kind, (rule, reason) = DecisionKind.BLOCKED, _decide(folded, unblocked, operator, carried, allowed)
        if reason is Reason.ALLOWED:
            kind = DecisionKind.FORWARDED
        return NameVerdict(folded, Decision(name, kind, reason, rule, len(name)))

    return lru_cache(maxsize=_REMEMBERED_NAMES)(judge)


def _decide(
    folded: str,
    unblocked: Collection[str],
    operator: _Patterns,
    carried: Collection[str],
    allowed: _Patterns | None,
) -> tuple[str | None, Reason]:
    """Apply core blocklist, operator's block list, override and allow list, in this order."""
    if folded not in unblocked and (core := _CORE.find(folded)):
        return core
    if blocked := operator.find(folded):
        return blocked
    if folded in carried:
        return folded, Reason.OVERRIDE
    if allowed is None:
        return None, Reason.ALLOWED
    return allowed.find(folded) or (None, Reason.NOT_ALLOWED)


def _malformed_name(name: str) -> Decision:
    return Decision(None, DecisionKind.MALFORMED, Reason.NAME, None, len(name))
