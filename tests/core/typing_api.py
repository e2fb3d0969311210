"""Uses of the public API, for the type checker only: nothing here runs."""

from collections.abc import Mapping
from typing import Any, assert_type

from extra_headers.forwarding import (
    BlockedHeadersError,
    Decision,
    DecisionKind,
    Evaluation,
    Limits,
    MalformedHeadersError,
    Outcome,
    Policy,
    PolicyError,
    Reason,
    RejectedError,
    evaluate,
)

# A policy from a run config, or written out.
setting: dict[str, Any] = {"allow": ["x-maas-*"], "limits": {"max_headers": 8}}
from_a_mapping = Policy(**setting)
everything = Policy(
    enabled=True,
    field="vllm_extra_headers",
    allow=("x-maas-*",),
    block=("x-maas-internal-*",),
    unblock=(),
    on_blocked="drop",
    on_malformed="reject",
    limits=Limits(max_headers=32, max_name_bytes=128, max_value_bytes=4096, max_total_bytes=6144),
)
assert_type(everything.allow, tuple[str, ...] | None)
assert_type(everything.limits.max_headers, int)
assert_type(everything.digest, str)
assert_type(everything.with_changes(on_blocked="reject"), Policy)

# What cannot be meant is an error before anything runs.
Policy(on_blocked="warn")  # type: ignore[arg-type]
Policy(alow=())  # type: ignore[call-arg]
everything.block = ()  # type: ignore[misc]
everything.limits.max_headers = 1  # type: ignore[misc]

# Headers are any decoded JSON; outbound names any iterable, a client's mapping of headers included.
assert_type(evaluate({"X-A": "1"}, everything), Evaluation)
evaluate(None, everything)
evaluate(["X-A"], everything, frozenset({"Authorization"}))
evaluate({}, everything, {"Authorization": "Bearer x"})
evaluate({}, everything, outbound_names=(name for name in ["Authorization"]))
evaluate({}, None)  # type: ignore[arg-type]
evaluate({}, everything, 1)  # type: ignore[arg-type]


def explain(evaluation: Evaluation) -> Mapping[str, str]:
    """Read all that an evaluation has to say."""
    for decision in evaluation.decisions:
        assert_type(decision, Decision)
        assert_type(decision.name, str | None)
        assert_type(decision.kind, DecisionKind)
        assert_type(decision.reason, Reason)
        assert_type(decision.rule, str | None)
        assert_type(decision.name_length, int)
    assert_type(evaluation.outcome, Outcome)
    assert_type(evaluation.rejected_for, DecisionKind | None)
    evaluation.forwarded["X-A"] = "1"  # type: ignore[index]
    return evaluation.forwarded


def reject(evaluation: Evaluation) -> None:
    """Raise for a service: both errors have one base."""
    evaluation.raise_for_rejection("vllm")
    evaluation.raise_for_rejection()


blocked_error: type[RejectedError] = BlockedHeadersError
malformed_error: type[RejectedError] = MalformedHeadersError
policy_error: type[ValueError] = PolicyError
