"""A whole server with the add-on against others, in alternating short blocks.

Real OGX servers, one upstream, one caller. With ten extra headers in each request: against the upstream proposal done
naively, which sends the same headers and decides and records nothing; against a server that sends ten headers of its
run config; and against one that sends none. Without extra headers: against OGX alone.
"""

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.callers import processor_time, send_block
from benchmarks.sidebyside import Row, Timing, at_most
from extra_headers.forwarding.testing.processes import OgxServer, free_port, inference_provider, run_config
from extra_headers.forwarding.testing.recording_provider import RecordingProvider

_ROUNDS = 60
_REQUESTS = 25
_GROUPS = 4
_CALLERS = 8
BODY = json.dumps({"model": "vllm/test-model", "messages": [{"role": "user", "content": "hi"}]})
_EXTRA = {f"X-Maas-Header-{i}": str(uuid.UUID(int=i * 7919)) for i in range(10)}
PLAIN = {"content-type": "application/json"}
HEADERS = {**PLAIN, "X-OGX-Provider-Data": json.dumps({"vllm_extra_headers": _EXTRA})}

ON, NAIVE, OFF, FIXED = "on", "naive", "off", "off, 10 fixed headers"
ON_WITHOUT, OFF_WITHOUT = "on, no headers", "off, no headers"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    ON: {"extra_headers": True},
    NAIVE: {},
    OFF: {},
    FIXED: {"network": {"headers": _EXTRA}},
}
REQUESTS = {
    **{name: (name, HEADERS) for name in SETTINGS},
    ON_WITHOUT: (ON, PLAIN),
    OFF_WITHOUT: (OFF, PLAIN),
}
"""Whatever is measured: a server, and the headers of each request to it."""
COMPARED: Mapping[str, tuple[str, str, float | None]] = {
    "10 headers, against naive": (ON, NAIVE, 0.80),
    "no headers, against OGX alone": (ON_WITHOUT, OFF_WITHOUT, 1.005),
    "10 headers, against OGX alone, which sends none": (ON, OFF, None),
    "10 headers, against OGX alone with 10 fixed ones": (ON, FIXED, None),
}
"""What is compared with what, and the ratio that is to be reached."""


@dataclass(slots=True)
class _Measured:
    """One server and one kind of request, and what was measured, a figure for each block of requests."""

    server: OgxServer
    headers: Mapping[str, str]
    latencies: list[list[float]] = field(default_factory=list)
    """Of each request, in milliseconds."""
    processor_times: list[float] = field(default_factory=list)
    """Of the server for a request, in milliseconds."""
    rates: list[float] = field(default_factory=list)
    """Requests a second of several callers at once."""

    def measure(self) -> None:
        """Send a block of requests one after the other, and one of several callers."""
        before = processor_time(self.server.pid)
        self.latencies.append(self._send(_REQUESTS))
        self.processor_times.append((processor_time(self.server.pid) - before) / _REQUESTS)
        started = time.perf_counter()
        with ThreadPoolExecutor(_CALLERS) as pool:
            blocks = pool.map(self._send, [_REQUESTS // 4] * _CALLERS)
            sent = sum(map(len, blocks))
        self.rates.append(sent / (time.perf_counter() - started))

    def _send(self, requests: int) -> list[float]:
        return send_block(self.server.url.removeprefix("http://"), BODY, self.headers, requests)

    def p99(self) -> Timing:
        """Return the 99th percentile of the latency, over groups of blocks."""
        groups = [chain.from_iterable(self.latencies[group::_GROUPS]) for group in range(_GROUPS)]
        return Timing.of([statistics.quantiles(list(group), n=100)[98] for group in groups])


def rows() -> Iterator[Row]:
    """Measure."""
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        upstream = cleanup.enter_context(RecordingProvider())
        started = {name: start(cleanup, directory / name, upstream, name, OgxServer.command()) for name in SETTINGS}
        servers = {what: _Measured(started[name], headers) for what, (name, headers) in REQUESTS.items()}
        names = list(servers)
        for number in range(_ROUNDS + 2):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                servers[name].measure()
                check(upstream, name)
    for measured in servers.values():  # the first two warm up
        for figures in (measured.latencies, measured.processor_times, measured.rates):
            del figures[:2]
    for what, (on, other, most) in COMPARED.items():
        yield from _against(servers[on], servers[other], what, most)


def _against(on: _Measured, other: _Measured, what: str, processor_time: float | None = None) -> Iterator[Row]:
    def row(figure: str, of: Callable[[_Measured], Timing], most: float | None = None) -> Row:
        name = f"{what}: {figure}"
        return Row(name, "ms", of(on), of(other)) if most is None else at_most(most, name, "ms", of(on), of(other))

    yield row("processor time of a request", lambda m: Timing.of(m.processor_times), processor_time)
    yield row("p50 of the latency", lambda m: Timing.of([statistics.median(block) for block in m.latencies]))
    yield row("p99 of the latency", _Measured.p99)
    yield Row(f"{what}: {_CALLERS} callers at once", "requests/s", Timing.of(on.rates), Timing.of(other.rates))


def start(cleanup: ExitStack, folder: Path, upstream: RecordingProvider, name: str, command: list[str]) -> OgxServer:
    """Start the server with one of the settings; it runs until the cleanup."""
    folder.mkdir()
    provider = inference_provider("vllm", upstream.base_url, api_token="the-key", **SETTINGS[name])  # noqa: S106 - made up
    if name == NAIVE:
        provider["module"] = "benchmarks.naive"
    environment = {
        "OGX_METRICS_ENDPOINT_ENABLED": "1",
        "OGX_METRICS_PORT": str(free_port()),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "PYTHONHASHSEED": "0",  # or two servers differ by a percent
    }
    config = run_config([provider], folder, free_port())
    server = OgxServer(config, folder, environment=environment, command=command, timeout=600)
    return cleanup.enter_context(server)


def check(upstream: RecordingProvider, name: str) -> None:
    """Look at what arrived at the provider since the last time: or something else is compared."""
    sent = {len(call.values("x-maas-header-9")) for call in upstream.take() if call.method == "POST"}
    assert sent == {int(name in {ON, NAIVE, FIXED})}, f"{name}: {sent}"  # noqa: S101 - as said
