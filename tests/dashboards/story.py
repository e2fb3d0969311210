"""Five minutes of made-up traffic on two replicas: ordinary callers, then an attack, then a broken client release."""

import random
import time
from collections.abc import Callable, Iterator

from tests.dashboards.stack import Exporter

type Setting = dict[str, object]

_VLLM: Setting = {
    "allow": ["x-maas-*", "x-request-id"],
    "block": ["x-maas-internal"],
    "shadow": {"allow": ["x-maas-*"], "on_blocked": "reject"},
}
_AZURE: Setting = {
    "on_malformed": "drop",
    "block": ["x-internal-*"],
    "set": {"x-user": "${user.id}", "x-team": "${user.attributes.teams[0]}"},
    "on_missing": "omit",
}
_OPENAI: Setting = {"on_blocked": "reject"}

REPLICAS: tuple[dict[str, Setting], ...] = (
    {"vllm": _VLLM, "azure": _AZURE, "openai": _OPENAI},
    # The second replica was forgotten in the last update.
    {"vllm": {**_VLLM, "on_blocked": "reject"}, "azure": _AZURE, "openai": _OPENAI},
)

_ORDINARY = [
    ("vllm", {"X-MAAS-SUBSCRIPTION": "a", "x-request-id": "b"}, 20),
    ("azure", {"x-tenant": "a"}, 12),
    ("openai", {"x-tenant": "a", "idempotency-key": "b"}, 9),
    ("vllm", {"X-MAAS-SUBSCRIPTION": "a", "X-Debug": "b"}, 2),
    ("azure", {"x-tenant": "a", "User-Agent": "b"}, 2),
    ("openai", {"x-tenant": "a", "traceparent": "b"}, 1),
]
_ATTACK = [
    ("vllm", {"Authorization": "a"}, 6),
    ("vllm", {"X_Api_Key": "a", "Cookie": "b"}, 4),
    ("vllm", {"X-Forwarded-For": "a", "Host": "b"}, 4),
    ("azure", {"api-key": "a"}, 3),
    ("azure", {"x-internal-debug": "a", "X-Original-URL": "b"}, 2),
]
_BROKEN_RELEASE = [
    ("openai", {"x-tenant": 1, "x-region": None}, 8),
    ("openai", {"x-tenant": "a", "X_Tenant": "b"}, 3),
    ("azure", {"x tenant": "a", "x-region": "b\n"}, 4),
    ("azure", "x-tenant: a", 2),
]


def tell(exporters: tuple[Exporter, ...], seconds: float, wait: Callable[[float], object]) -> None:
    """Send the traffic, in real time; `wait` pauses between two rounds, a second each."""
    choice = random.Random(5077)  # noqa: S311 - traffic, not secrets
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        for exporter in exporters:
            for provider, headers, most in _round(elapsed / seconds):
                outbound = ("x-region",) if provider == "azure" else ()
                if times := choice.randint(0, most):
                    exporter.send(provider, headers, times, outbound)
        wait(1)


def _round(progress: float) -> Iterator[tuple[str, object, int]]:
    yield from _ORDINARY
    if 0.45 <= progress < 0.7:
        yield from _ATTACK
    if 0.75 <= progress < 0.95:
        yield from _BROKEN_RELEASE
