"""Per-provider extra HTTP headers with blocking: every header is forwarded, blocked or malformed.

The pure core, for any host: a `Policy`, `evaluate`, and the `Evaluation` with one `Decision` for each header. An OGX
server loads the add-on itself, through `module: extra_headers.forwarding` in its run config. A service without such a
server has `ExtraHeaders` for its own openai and httpx clients, and `ProviderDataMiddleware` for what its callers send.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clients.extra_headers import ExtraHeaders
    from .clients.middleware import ProviderDataMiddleware
    from .policy.decision import (
        BlockedHeadersError,
        Decision,
        DecisionKind,
        Evaluation,
        MalformedHeadersError,
        Outcome,
        Reason,
        RejectedError,
    )
    from .policy.evaluation import evaluate
    from .policy.model import Limits, Policy, PolicyError
else:
    # Loaded when asked for: the core does without openai and OpenTelemetry, and the command line without pydantic.
    # Hidden from type checkers, which would take a module with `__getattr__` to have every name.
    _MODULES = {
        "BlockedHeadersError": "policy.decision",
        "Decision": "policy.decision",
        "DecisionKind": "policy.decision",
        "Evaluation": "policy.decision",
        "ExtraHeaders": "clients.extra_headers",
        "Limits": "policy.model",
        "MalformedHeadersError": "policy.decision",
        "Outcome": "policy.decision",
        "Policy": "policy.model",
        "PolicyError": "policy.model",
        "ProviderDataMiddleware": "clients.middleware",
        "Reason": "policy.decision",
        "RejectedError": "policy.decision",
        "evaluate": "policy.evaluation",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "BlockedHeadersError",
    "Decision",
    "DecisionKind",
    "Evaluation",
    "ExtraHeaders",
    "Limits",
    "MalformedHeadersError",
    "Outcome",
    "Policy",
    "PolicyError",
    "ProviderDataMiddleware",
    "Reason",
    "RejectedError",
    "evaluate",
]
