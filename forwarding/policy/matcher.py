"""What one policy says about the field names of a request, before any value is looked at.

Depends on names, policy and outbound names alone, and is therefore remembered: callers repeat their header names. What
is remembered is bounded in entries and in bytes, and holds no value.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from .blocklist import CORE_BLOCKLIST
from .decision import Decision, DecisionKind, Reason
from .field_names import are_strings, is_prefix, is_token, normalize_name, normalize_pattern
from .model import Policy

_REMEMBERED_NAMES = 1024
_REMEMBERED_NAMES_OF_REQUESTS = 4096
_REMEMBERED_POLICIES = 256


class _NameDecision(NamedTuple):
    normalized: str | None
    """The form in which names are compared; None where the name is not a field name within the limit."""
    decision: Decision


@dataclass(slots=True, eq=False)
class NameDecisions:
    """The decisions on the headers of a request, as far as their names alone decide."""

    decisions: tuple[Decision, ...]
    """One for each name. `forwarded` means: unless the value or the total size forbids it."""
    clean: bool
    """Whether all are `forwarded`."""
    length: int
    """Of all names together, in characters; where they are clean, in bytes, too."""
    _latest: tuple["Faults", tuple[Decision, ...]] | None = None

    def with_faults(self, faults: "Faults") -> tuple[Decision, ...]:
        """Return the decisions on headers with these names, some of whose values are at fault.

        For the same faults as the last time it is the same tuple, by which telemetry recognizes it.
        """
        if not faults:
            return self.decisions
        latest = self._latest
        if latest is not None and latest[0] == faults:
            return latest[1]
        changed = list(self.decisions)
        for position, reason in faults:
            changed[position] = changed[position].as_malformed(reason)
        decisions = tuple(changed)
        self._latest = (faults, decisions)
        return decisions


type Faults = tuple[tuple[int, Reason], ...]
"""Positions of the headers whose values are at fault, and why."""


class _Patterns:
    """Normalized patterns, each with what it stands for, in the form that is fast to ask."""

    def __init__(self, patterns: Iterable[tuple[str, Reason]]) -> None:
        entries = list(patterns)
        self._exact = {pattern: reason for pattern, reason in entries if not is_prefix(pattern)}
        prefixes = [(pattern[:-1], reason) for pattern, reason in entries if is_prefix(pattern)]
        self._reasons = dict(prefixes)
        # A name is compared with those prefixes alone that begin as it does.
        self._begin = min((len(prefix) for prefix, _ in prefixes), default=0)
        by_beginning = defaultdict[str, list[str]](list)
        for prefix in sorted(self._reasons, key=len, reverse=True):
            by_beginning[prefix[: self._begin]].append(prefix)
        self._by_beginning = {beginning: tuple(near) for beginning, near in by_beginning.items()}

    def find(self, normalized: str) -> tuple[str, Reason] | None:
        """Return the entry that decides: the exact one, else the longest prefix. Linear in the length of the name."""
        if (reason := self._exact.get(normalized)) is not None:
            return normalized, reason
        near = self._by_beginning.get(normalized[: self._begin], ())
        if normalized.startswith(near):
            prefix = next(prefix for prefix in near if normalized.startswith(prefix))
            return f"{prefix}*", self._reasons[prefix]
        return None


_CORE = _Patterns((rule.pattern, rule.reason) for rule in CORE_BLOCKLIST)


class Matcher:
    """One policy beside one outbound request: decides on names, and remembers the decisions."""

    def __init__(self, policy: Policy, outbound_names: frozenset[str]) -> None:
        self._max_name_bytes = policy.limits.max_name_bytes
        self._max_headers = policy.limits.max_headers
        self._unblocked = frozenset(policy.unblock)
        self._operator = _Patterns((pattern, Reason.OPERATOR) for pattern in policy.block)
        self._identity_names = frozenset(normalize_name(name) for name in policy.set)
        self._outbound = _Patterns((normalize_pattern(name), Reason.OVERRIDE) for name in outbound_names)
        self._allowed = None if policy.allow is None else _Patterns((entry, Reason.ALLOWED) for entry in policy.allow)
        self._by_name: dict[str, _NameDecision] = {}
        self._by_names: dict[tuple[object, ...], NameDecisions] = {}
        self._in_requests = 0
        """Names in the keys of it, but for a few that several threads may have added at the same time."""

    @property
    def sizes(self) -> tuple[int, int]:
        """How many single names are remembered, and how many together with the others of their request."""
        return len(self._by_name), sum(map(len, self._by_names))

    def decide(self, names: tuple[object, ...]) -> NameDecisions:
        """Return what the policy says about the names of one request."""
        if len(names) > self._max_headers:
            return _too_many(names)
        if not are_strings(names):
            return self._decide_all(names)
        found = self._by_names.get(names)
        if found is None:
            found = self._decide_all(names)
            # Names beyond the grammar or a limit are nothing to keep, and seldom come twice.
            if all(d.name is not None for d in found.decisions):
                self._in_requests += len(names)
                if self._in_requests > _REMEMBERED_NAMES_OF_REQUESTS:
                    self._by_names.clear()
                    self._in_requests = len(names)
                self._by_names[names] = found
        return found

    def _decide_all(self, names: tuple[object, ...]) -> NameDecisions:
        founds = [self._decide_one(name) for name in names]
        decisions = [found.decision for found in founds]
        if repeated := _repeated([found.normalized for found in founds]):
            decisions = [
                found.decision.as_malformed(Reason.DUPLICATE) if found.normalized in repeated else found.decision
                for found in founds
            ]
        clean = all(decision.kind is DecisionKind.FORWARDED for decision in decisions)
        return NameDecisions(tuple(decisions), clean, sum(len(name) for name in names if isinstance(name, str)))

    def _decide_one(self, name: object) -> _NameDecision:
        if type(name) is not str:
            return _NameDecision(None, Decision(None, DecisionKind.MALFORMED, Reason.TYPE))
        if len(name) > self._max_name_bytes:
            return _NameDecision(None, Decision(None, DecisionKind.MALFORMED, Reason.TOO_LARGE, None, len(name)))
        if (found := self._by_name.get(name)) is None:
            if len(self._by_name) >= _REMEMBERED_NAMES:
                self._by_name.clear()
            found = self._by_name[name] = self._decide_name(name)
        return found

    def _decide_name(self, name: str) -> _NameDecision:
        if not is_token(name):
            return _NameDecision(None, Decision(None, DecisionKind.MALFORMED, Reason.NAME, None, len(name)))
        normalized = normalize_name(name)
        rule, reason = self._find(normalized)
        kind = DecisionKind.FORWARDED if reason is Reason.ALLOWED else DecisionKind.BLOCKED
        return _NameDecision(normalized, Decision(name, kind, reason, rule, len(name)))

    def _find(self, normalized: str) -> tuple[str | None, Reason]:
        """Apply identity names, core blocklist, operator's block list, override and allow list, in this order."""
        if normalized in self._identity_names:
            return normalized, Reason.OVERRIDE
        if normalized not in self._unblocked and (core := _CORE.find(normalized)):
            return core
        if blocked := self._operator.find(normalized):
            return blocked
        if carried := self._outbound.find(normalized):
            return carried
        if self._allowed is None:
            return None, Reason.ALLOWED
        return self._allowed.find(normalized) or (None, Reason.NOT_ALLOWED)


def _too_many(names: tuple[object, ...]) -> NameDecisions:
    """Return the decisions on more headers than the limit: no name is looked at, and none is shown."""
    lengths = [len(name) if type(name) is str else None for name in names]
    by_length = {
        length: Decision(None, DecisionKind.MALFORMED, Reason.TYPE)
        if length is None
        else Decision(None, DecisionKind.MALFORMED, Reason.TOO_MANY, None, length)
        for length in set(lengths)
    }
    return NameDecisions(tuple([by_length[length] for length in lengths]), clean=False, length=0)


def _repeated(names: Collection[str | None]) -> Collection[str | None]:
    """Return the names that occur more than once; None, of a header without a field name, is no name."""
    if len(set(names)) == len(names):
        return ()
    return {name for name, count in Counter(names).items() if count > 1 and name is not None}


@lru_cache(maxsize=_REMEMBERED_POLICIES)
def matcher(policy: Policy, outbound_names: frozenset[str]) -> Matcher:
    """Return the matcher of `policy`, beside an outbound request that carries `outbound_names`."""
    return Matcher(policy, outbound_names)
