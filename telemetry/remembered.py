"""What is derived from the decisions on a request, remembered for the next request with the same decisions.

Bounded for the whole process, whatever callers send, and contains no value of a header.
"""

import threading
from collections.abc import Callable
from typing import Any

from extra_headers.forwarding.policy.decision import Decision, DecisionKind, Evaluation

_MAX_BYTES = 2 << 20
_BYTES_OF_A_HEADER = 256
"""Of a decision and what is derived from it, without the characters of the name; rounded up."""

type _Key = tuple[Callable[[Evaluation], Any], int, DecisionKind | None, bool]

# `evaluate` returns the same tuple of decisions for the same names, so the identity of the tuple is enough: nothing is
# compared, and no caller can choose what collides. An entry keeps its tuple alive, and with it the identity.
_derived: dict[_Key, tuple[tuple[Decision, ...], Any]] = {}
_bytes = 0
_lock = threading.Lock()  # or threads lose each other's additions to the sum, and with them the bound


def remembered[T](derive: Callable[[Evaluation], T], evaluation: Evaluation) -> T:
    """Return `derive(evaluation)`, which must depend on nothing but the decisions and whether the request is sent."""
    global _bytes  # noqa: PLW0603 - of the process
    decisions = evaluation.decisions
    key = (derive, id(decisions), evaluation.rejected_for, evaluation.withheld)
    if (found := _derived.get(key)) is not None:
        result: T = found[1]
        return result
    result = derive(evaluation)
    # Decisions on names beyond the grammar or a limit are not remembered by the policy, either.
    if all(decision.name is not None for decision in decisions):
        size = sum(_BYTES_OF_A_HEADER + decision.name_length for decision in decisions)
        with _lock:
            _bytes += size
            if _bytes > _MAX_BYTES:
                _derived.clear()
                _bytes = size
            _derived[key] = (decisions, result)
    return result
