"""What deciding and recording extra headers costs, against OGX's own way to forward as many.

The reference is `build_forwarded_headers` of OGX's passthrough provider, which copies configured keys of the provider
data into headers, and records nothing. Both get the same names and the same values.
"""

import logging
import uuid
from collections.abc import Callable, Iterator

from ogx.providers.utils.forward_headers import build_forwarded_headers
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.sidebyside import Row, at_most, measure
from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder

_BASE_URL = "http://127.0.0.1:8000/v1/"
_OUTBOUND = frozenset({"accept", "content-type", "user-agent", "authorization", "x-stainless-lang"})
_VALUES: dict[str, Callable[[int], str]] = {
    "36-character ids": lambda i: str(uuid.UUID(int=i * 7919)),
    "8-character values": lambda i: f"value-{i:02d}",
}
_LINEAR = (1, 10, 100, 1000)
_LINEAR_TOLERANCE = 1.2


def rows() -> Iterator[Row]:
    """Measure."""
    audit = logging.getLogger("extra_headers.audit")
    audit.propagate = False  # its records are written, but not to this terminal
    audit.addHandler(logging.NullHandler())
    trace.set_tracer_provider(TracerProvider())
    for kind, value in _VALUES.items():
        yield from _ten(kind, [value(i) for i in range(10)])
    yield from _more_and_more()


def _ten(kind: str, values: list[str]) -> Iterator[Row]:
    policy = Policy(on_malformed="drop")
    recorder = Recorder(ProviderLabels(f"vllm {kind}", "remote::vllm", policy.digest, "drop", "drop"))
    clean = {f"X-Maas-Header-{i}": value for i, value in enumerate(values)}
    mixed_names = [*list(clean)[:6], "Authorization", "Host", "X-Api-Key", "X-Bad"]
    mixed = dict(zip(mixed_names, values, strict=True))
    mixed["X-Bad"] += "\n"
    configured = {f"key_{i}": name for i, name in enumerate(clean)}
    provider_data = dict(zip(configured, values, strict=True))

    def whole(headers: dict[str, str]) -> None:
        recorder.record(evaluate(headers, policy, _OUTBOUND), 1e-6, _BASE_URL)

    with trace.get_tracer("benchmark").start_as_current_span("server"):
        timings = measure(
            {
                "reference": lambda: build_forwarded_headers(provider_data, configured),
                "clean": lambda: evaluate(clean, policy, _OUTBOUND),
                "mixed": lambda: evaluate(mixed, policy, _OUTBOUND),
                "whole clean": lambda: whole(clean),
                "whole mixed": lambda: whole(mixed),
            }
        )
    reference = timings["reference"]
    stopped = "10 headers, 3 blocked, 1 malformed"
    yield at_most(0.33, f"evaluate 10 clean headers, {kind}", "us", timings["clean"], reference)
    yield at_most(0.6, f"evaluate {stopped}, {kind}", "us", timings["mixed"], reference)
    recorded = "evaluate + counters + span attributes"
    yield at_most(1.0, f"{recorded}, 10 clean headers, {kind}", "us", timings["whole clean"], reference)
    yield at_most(1.0, f"{recorded}, {stopped}, {kind}", "us", timings["whole mixed"], reference)


def _more_and_more() -> Iterator[Row]:
    policy = Policy.model_validate({"limits": {"max_headers": 1024, "max_total_bytes": 131072}})
    value = _VALUES["36-character ids"]
    headers = {count: {f"X-Maas-Header-{i}": value(i) for i in range(count)} for count in _LINEAR}
    timings = measure({str(n): lambda h=h: evaluate(h, policy, _OUTBOUND) for n, h in headers.items()})  # type: ignore[misc]
    per_header = {count: timings[str(count)] for count in _LINEAR}
    ten = per_header[10]
    for count, timing in per_header.items():
        what = f"evaluate {count} header{'s' if count > 1 else ''}, against 10"
        linear = timing.median <= _LINEAR_TOLERANCE * count / 10 * ten.median if count > 10 else None
        yield Row(what, "us", timing, ten, "linear" if count > 10 else "", linear)
