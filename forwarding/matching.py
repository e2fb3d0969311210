"""What one policy says about one field name, before its value is looked at.

Depends on name, policy and outbound names alone, and is therefore remembered: callers repeat their header names. What
is remembered is bounded in entries and in bytes, and holds no value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from extra_headers.forwarding.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.decisions import Decision, DecisionKind, Reason
from extra_headers.forwarding.names import fold, is_prefix, is_token
from extra_headers.forwarding.policy import Policy

_REMEMBERED_NAMES = 1024
_REMEMBERED_POLICIES = 256


@dataclass(frozen=True, slots=True)
class NameVerdict:
    """The decision on a name, as far as the name alone decides."""

    folded: str | None
    """The form in which names are compared; None where the name is not a field name within the limit."""
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


class NameVerdicts(dict[object, NameVerdict]):
    """The verdicts on names under one policy, beside one outbound request: made when asked for, then remembered."""

    def __init__(self, policy: Policy, outbound: frozenset[str]) -> None:
        super().__init__()
        self._max_name_bytes = policy.limits.max_name_bytes
        self._unblocked = frozenset(policy.unblock)
        self._operator = _Patterns((pattern, Reason.OPERATOR) for pattern in policy.block)
        self._server_set = frozenset(fold(name) for name in policy.set)
        self._carried = frozenset(fold(name) for name in outbound)
        self._allowed = None if policy.allow is None else _Patterns((entry, Reason.ALLOWED) for entry in policy.allow)

    def __missing__(self, name: object) -> NameVerdict:
        # `type() is`, not `isinstance`: a subclass of str may be compared as one name and sent as another.
        if type(name) is not str:
            return NameVerdict(None, Decision(None, DecisionKind.MALFORMED, Reason.TYPE))
        if len(name) > self._max_name_bytes:
            return NameVerdict(None, Decision(None, DecisionKind.MALFORMED, Reason.TOO_LARGE, None, len(name)))
        if len(self) >= _REMEMBERED_NAMES:
            self.clear()
        verdict = self[name] = self._judge(name)
        return verdict

    def _judge(self, name: str) -> NameVerdict:
        if not is_token(name):
            return NameVerdict(None, Decision(None, DecisionKind.MALFORMED, Reason.NAME, None, len(name)))
        folded = fold(name)
        rule, reason = self._decide(folded)
        kind = DecisionKind.FORWARDED if reason is Reason.ALLOWED else DecisionKind.BLOCKED
        return NameVerdict(folded, Decision(name, kind, reason, rule, len(name)))

    def _decide(self, folded: str) -> tuple[str | None, Reason]:
        """Apply server-set names, core blocklist, operator's block list, override and allow list, in this order."""
        if folded in self._server_set:
            return folded, Reason.OVERRIDE
        if folded not in self._unblocked and (core := _CORE.find(folded)):
            return core
        if blocked := self._operator.find(folded):
            return blocked
        if folded in self._carried:
            return folded, Reason.OVERRIDE
        if self._allowed is None:
            return None, Reason.ALLOWED
        return self._allowed.find(folded) or (None, Reason.NOT_ALLOWED)


@lru_cache(maxsize=_REMEMBERED_POLICIES)
def name_verdicts(policy: Policy, outbound: frozenset[str]) -> NameVerdicts:
    """Return the verdicts on names under `policy`, beside an outbound request that carries `outbound`."""
    return NameVerdicts(policy, outbound)
