"""Names that nobody ever sent before, by the thousand: nothing may be kept of them, neither memory nor series.

Run as a program it is the process whose memory is measured: it prints what it used when its caches had filled, and when
it was done.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import REGISTRY

from extra_headers.forwarding import Policy, evaluate
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder
from tests.load.process import MIB, Usage
from tests.telemetry.servers import running

_PER_REQUEST = 32
_MAX_GROWTH = 4 * MIB
"""A hundred thousand names kept would be more than twice this."""


def _requests(count: int) -> Iterator[dict[str, str]]:
    """Yield extra headers with `count` distinct names, of a hundred characters: forwarded, blocked, malformed, long."""
    patterns = (
        "X-Hostile-{}",
        "X-Amz-Hostile-{}",
        "X_Forwarded_Hostile_{}",
        "X Hostile {}",
        "X-Very-Hostile-{}" + "y" * 60,
    )
    for start in range(0, count, _PER_REQUEST):
        numbers = range(start, min(start + _PER_REQUEST, count))
        yield {patterns[i % len(patterns)].format(f"{i:08d}".rjust(80, "x")): "v" for i in numbers}


def through_recorder(count: int, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Decide and record `count` names in a process of their own; return what grew."""
    command = [sys.executable, "-m", __name__, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    before, after = (json.loads(line) for line in done.stdout.splitlines())
    return _compare(f"{count} names in one process", before, after, say)


def through_server(directory: Path, count: int, say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Send `count` names through a server of their own; return what grew more than by requests with known names."""
    folder = directory / "hostile-names"
    folder.mkdir()
    known = next(_requests(_PER_REQUEST))
    with running(folder) as stack:

        def send_all(requests: Iterable[dict[str, str]]) -> dict[str, int]:
            for headers in requests:
                assert stack.send("drop_both", headers).status_code == 200
                stack.upstream.take()
            return {"resident": Usage.of(stack.server.pid).resident, "series": len(stack.series())}

        # The host grows by itself in its first two thousand requests, quickly and then slowly.
        first = send_all([known] * (count // _PER_REQUEST))
        before = send_all([known] * (count // _PER_REQUEST))
        after = send_all(_requests(count))
    usual = max(0, before["resident"] - first["resident"])
    return _compare(f"{count} names through a server", before, after, say, usual)


def _compare(
    what: str, before: dict[str, int], after: dict[str, int], say: Callable[[str], None], usual: int = 0
) -> list[str]:
    grown = after["resident"] - before["resident"]
    memory = f"{grown / MIB:+.2f} MiB on {before['resident'] / MIB:.1f}"
    say(f"{what}: {memory}, series {before['series']} to {after['series']}")
    found = [f"{what}: {grown / MIB:.1f} MiB more in memory"] if grown > usual + _MAX_GROWTH else []
    if after["series"] != before["series"]:
        found.append(f"{what}: {after['series'] - before['series']} more series")
    return found


def _main(count: int) -> None:
    logging.getLogger("extra_headers.audit").addHandler(logging.NullHandler())
    trace.set_tracer_provider(TracerProvider())
    policy = Policy(on_malformed="drop")
    recorder = Recorder(ProviderLabels("p", "remote::p", policy.digest, "drop", "drop"))
    tracer = trace.get_tracer("hostile names")

    def record(headers: dict[str, str]) -> None:
        with tracer.start_as_current_span("server"):
            recorder.record(evaluate(headers, policy, frozenset({"user-agent"})), 1e-6, "http://127.0.0.1/v1/")

    def print_usage() -> None:
        series = sum(len(family.samples) for family in REGISTRY.collect() if family.name.startswith("extra_headers_"))
        print(json.dumps({"resident": Usage.of(os.getpid()).resident, "series": series}))  # noqa: T201 - its answer

    every = iter(_requests(count))
    for _ in range(count // _PER_REQUEST // 10):
        record(next(every))
    print_usage()
    for headers in every:
        record(headers)
    print_usage()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
