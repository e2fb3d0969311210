"""What deciding and recording 10 extra headers costs, against OGX's own way to forward 10: `make bench`.

The reference is `build_forwarded_headers` of OGX's passthrough provider, which copies configured keys of the provider
data into headers, and records nothing.
"""

import logging

from ogx.providers.utils.forward_headers import build_forwarded_headers
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.sidebyside import heading, measure, table
from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder

_CLEAN = {f"X-Maas-Header-{i}": f"value-{i}" for i in range(10)}
_MIXED = {
    **{f"X-Maas-Header-{i}": f"value-{i}" for i in range(6)},
    "Authorization": "Bearer value",
    "Host": "value",
    "X-Api-Key": "value",
    "X-Bad": "value\n",
}
_BASE_URL = "http://127.0.0.1:8000/v1/"
_REFERENCE = "OGX build_forwarded_headers, 10 headers"


def main() -> None:
    """Measure and print."""
    logging.getLogger("extra_headers.audit").propagate = False  # its records are written, but not to this terminal
    logging.getLogger("extra_headers.audit").addHandler(logging.NullHandler())
    trace.set_tracer_provider(TracerProvider())
    policy = Policy(on_malformed="drop")
    outbound = frozenset({"accept", "content-type", "user-agent", "authorization", "x-stainless-lang"})
    recorder = Recorder(ProviderLabels("vllm", "remote::vllm", policy.digest, "drop", "drop"))
    clean, mixed = evaluate(_CLEAN, policy, outbound), evaluate(_MIXED, policy, outbound)
    configured = {f"key_{i}": name for i, name in enumerate(_CLEAN)}
    provider_data = dict(zip(configured, _CLEAN.values(), strict=True))

    def whole(headers: dict[str, str]) -> None:
        recorder.record(evaluate(headers, policy, outbound), 1e-6, _BASE_URL)

    with trace.get_tracer("benchmark").start_as_current_span("server"):
        timings = measure(
            {
                _REFERENCE: lambda: build_forwarded_headers(provider_data, configured),
                "evaluate 10 clean": lambda: evaluate(_CLEAN, policy, outbound),
                "evaluate 10, 3 blocked, 1 malformed": lambda: evaluate(_MIXED, policy, outbound),
                "record 10 clean": lambda: recorder.record(clean, 1e-6, _BASE_URL),
                "record 10, 3 blocked, 1 malformed": lambda: recorder.record(mixed, 1e-6, _BASE_URL),
                "evaluate and record 10 clean": lambda: whole(_CLEAN),
                "evaluate and record 10, 3 blocked, 1 malformed": lambda: whole(_MIXED),
            }
        )
    print(heading())
    print(table(timings, _REFERENCE))


if __name__ == "__main__":
    main()
