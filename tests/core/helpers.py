"""What the tests of the core share: policies that come up again and again, and short ways to ask for decisions."""

from collections.abc import Iterable

import pytest

from extra_headers.forwarding import DecisionKind, Limits, Policy, PolicyError, Reason, evaluate
from extra_headers.forwarding.policy.model import parse_policy

DEFAULT = Policy()
DROP = Policy(on_malformed="drop")
"""Drops what is malformed, so that a test can see what is forwarded beside it."""

SUBJECT = "provider 'vllm' (remote::vllm)"
"""Whose setting it is, as messages about a policy say it."""


def reasons(headers: object, policy: Policy = DEFAULT, outbound_names: Iterable[str] = ()) -> list[Reason]:
    """Return the reason of each decision, in order, having checked that each decision is of its reason's kind."""
    decisions = evaluate(headers, policy, outbound_names).decisions
    assert all(d.kind is d.reason.kind for d in decisions)
    return [d.reason for d in decisions]


def reason(name: object, value: object = "v", policy: Policy = DEFAULT, outbound_names: Iterable[str] = ()) -> Reason:
    """Return the reason of the decision on a single header."""
    (found,) = reasons({name: value}, policy, outbound_names)
    return found


def many(count: int) -> dict[str, object]:
    """Return that many headers, each of which passes alone."""
    return {f"X-{i}": "v" for i in range(count)}


def characters() -> list[str]:
    """Return every character of the basic plane, surrogates included, and a sample of the others."""
    return [chr(i) for i in (*range(0x10000), *range(0x10000, 0x110000, 97))]


def limited(**limits: int) -> Policy:
    """Return a policy with these limits that drops what is malformed."""
    limits.setdefault("max_value_bytes", min(4096, limits.get("max_total_bytes", 4096)))
    return Policy(limits=Limits(**limits), on_malformed="drop")


def complaint(setting: object) -> str:
    """Return what the operator is told about a setting that is unusable."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(setting, SUBJECT)
    # The library's own error shows its input; nothing of it may be chained.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def spellings(normalized: str) -> list[str]:
    """Return ways in which one field name can be written: case, and others for `-`, all, some and none."""
    underscored = normalized.replace("-", "_")
    every_other = "".join(c.upper() if i % 2 else c for i, c in enumerate(normalized))
    first_underscored = normalized.replace("-", "_", 1)
    last_underscored = "_".join(normalized.rsplit("-", 1))
    others = [normalized.replace("-", other) for other in ".!"]
    forms = [normalized, underscored, every_other, first_underscored, last_underscored, *others]
    return sorted({spelling for form in forms for spelling in (form, form.upper(), form.title(), form.swapcase())})


def is_forwarded(name: str, policy: Policy = DEFAULT, outbound_names: Iterable[str] = ()) -> bool:
    """Whether a header of this name, with a harmless value, is forwarded."""
    evaluation = evaluate({name: "v"}, policy, outbound_names)
    (decision,) = evaluation.decisions
    assert (decision.kind is DecisionKind.FORWARDED) == (dict(evaluation.forwarded) == {name: "v"})
    return decision.kind is DecisionKind.FORWARDED
