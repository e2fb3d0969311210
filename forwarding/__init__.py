"""Per-provider extra HTTP headers with blocking: every header is forwarded, blocked or malformed.

The pure core, for any host: a `Policy`, `evaluate`, and the `Evaluation` with one `Decision` for each header. An OGX
server loads the add-on itself, through `module: extra_headers.forwarding` in its run config.
"""

from extra_headers.forwarding.decisions import (
    BlockedHeadersError,
    Decision,
    DecisionKind,
    Evaluation,
    MalformedHeadersError,
    Outcome,
    Reason,
)
from extra_headers.forwarding.evaluation import evaluate
from extra_headers.forwarding.policy import Limits, Policy, PolicyError

__all__ = [
    "BlockedHeadersError",
    "Decision",
    "DecisionKind",
    "Evaluation",
    "Limits",
    "MalformedHeadersError",
    "Outcome",
    "Policy",
    "PolicyError",
    "Reason",
    "evaluate",
]
