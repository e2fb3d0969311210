"""A whole server with the add-on, 10 extra headers in each request, against one without, in alternating short blocks.

Two real OGX servers, one upstream, one caller; both servers get the same requests, header for header.
"""

import http.client
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.sidebyside import Row, Timing, at_most
from extra_headers.forwarding.demo.server import OgxServer, free_port, inference_provider, run_config
from extra_headers.forwarding.demo.upstream import Upstream

_ROUNDS = 40
_REQUESTS = 25
_GROUPS = 4
_CALLERS = 8
_BODY = json.dumps({"model": "vllm/test-model", "messages": [{"role": "user", "content": "hi"}]})
_EXTRA = {f"X-Maas-Header-{i}": str(uuid.UUID(int=i * 7919)) for i in range(10)}
_HEADERS = {"content-type": "application/json", "X-OGX-Provider-Data": json.dumps({"vllm_extra_headers": _EXTRA})}


def rows() -> Iterator[Row]:
    """Measure."""
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        upstream = cleanup.enter_context(Upstream())
        ports, processes = {}, {}
        for name, setting in (("on", True), ("off", None)):
            folder = directory / name
            folder.mkdir()
            provider = inference_provider("vllm", upstream.base_url, setting, api_token="the-key")  # noqa: S106 - made up
            config = run_config([provider], folder, free_port())
            server = OgxServer(
                config,
                folder,
                environment={"OGX_METRICS_ENDPOINT_ENABLED": "1", "OGX_METRICS_PORT": str(free_port())},
            )
            processes[name] = cleanup.enter_context(server).pid
            ports[name] = config["server"]["port"]
        latencies: dict[str, list[list[float]]] = {"on": [], "off": []}
        used: dict[str, list[float]] = {"on": [], "off": []}
        rates: dict[str, list[float]] = {"on": [], "off": []}
        for number in range(-2, _ROUNDS):
            for name in ("on", "off") if number % 2 else ("off", "on"):
                before = _processor_time(processes[name])
                block = _block(ports[name])
                processor_time = (_processor_time(processes[name]) - before) / _REQUESTS
                started = time.perf_counter()
                with ThreadPoolExecutor(_CALLERS) as pool:
                    sent = sum(map(len, pool.map(_block, [ports[name]] * _CALLERS, [_REQUESTS // 4] * _CALLERS)))
                rate = sent / (time.perf_counter() - started)
                upstream.take()
                if number >= 0:  # the first two warm up
                    latencies[name].append(block)
                    used[name].append(processor_time)
                    rates[name].append(rate)
    p50 = {name: Timing.of([statistics.median(block) for block in blocks]) for name, blocks in latencies.items()}
    p99 = {
        name: Timing.of([_p99(blocks[group::_GROUPS]) for group in range(_GROUPS)])
        for name, blocks in latencies.items()
    }
    yield at_most(1.01, "whole server, 10 headers, p50 of the latency, on against off", "ms", p50["on"], p50["off"])
    yield at_most(1.03, "whole server, 10 headers, p99 of the latency, on against off", "ms", p99["on"], p99["off"])
    processor = {name: Timing.of(times) for name, times in used.items()}
    yield Row(
        "whole server, 10 headers, processor time for a request, on against off",
        "ms",
        processor["on"],
        processor["off"],
    )
    answered = {name: Timing.of(values) for name, values in rates.items()}
    yield Row(
        f"whole server, 10 headers, {_CALLERS} callers, on against off", "requests/s", answered["on"], answered["off"]
    )


def _block(port: int, requests: int = _REQUESTS) -> list[float]:
    """Send requests one after the other on one connection, and return how long each took, in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken = []
    for _ in range(requests):
        started = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", _BODY, _HEADERS)
        response = connection.getresponse()
        response.read()
        taken.append(1000 * (time.perf_counter() - started))
        assert response.status == 200, response.status  # noqa: S101
    connection.close()
    return taken


def _processor_time(process: int) -> float:
    """Return how long the threads of a process have run on a processor, in milliseconds."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6


def _p99(blocks: list[list[float]]) -> float:
    return statistics.quantiles([latency for block in blocks for latency in block], n=100)[98]
