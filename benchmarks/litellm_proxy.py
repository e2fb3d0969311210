"""A LiteLLM proxy with the callback against one without, in alternating short blocks: `make bench ARGS=litellm_proxy`.

Both get the same requests and send the same headers, because LiteLLM forwards `extra_headers` of a body by itself.
Where there is valgrind, two more proxies are compared in executed instructions. It runs in the environment of LiteLLM.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.callers import processor_time, send_block
from benchmarks.callgrind import ServerCount, is_installed, watched
from benchmarks.sidebyside import Row, Timing, at_most
from extra_headers.forwarding.testing.processes import LiteLlmServer, free_port
from extra_headers.forwarding.testing.recording_provider import RecordingProvider

_PYTHON = Path(__file__).parents[1] / ".venv-litellm" / "bin" / "python"
_KEY = "sk-the-benchmark-master-key"
_ROUNDS, _WARM_UP, _BLOCK = 60, 2, 25
_COUNTED_ROUNDS, _COUNTED_BLOCK = 5, 5
_ON, _OFF = "on", "off"
_INSTRUCTIONS = "instructions"
_CALLBACKS: dict[str, list[str]] = {_ON: ["extra_headers.forwarding.litellm.callback"], _OFF: []}
_EXTRA = {f"X-Maas-Header-{i}": str(uuid.UUID(int=i * 7919)) for i in range(10)}
_REQUESTS: dict[str, dict[str, Any]] = {
    "no extra headers": {},
    "1 extra header": {"extra_headers": {"X-Maas-Header-0": _EXTRA["X-Maas-Header-0"]}},
    "10 extra headers": {"extra_headers": _EXTRA},
}


def rows() -> Iterator[Row]:
    """Measure in that environment; nothing where there is none."""
    if not _PYTHON.exists():
        print("LiteLLM's proxy: not measured, because .venv-litellm is not there; `make bench` makes it")
        return
    done = subprocess.run([str(_PYTHON), "-m", __name__], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    for request, figures in json.loads(done.stdout.splitlines()[-1]).items():
        for figure, (on, off) in figures.items():
            what = f"LiteLLM proxy, {request}, {figure}, on against off"
            yield at_most(1.02, what, "M instr." if figure == _INSTRUCTIONS else "ms", Timing(**on), Timing(**off))


def _main() -> None:
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        provider = cleanup.enter_context(RecordingProvider())
        servers = {name: _started(cleanup, directory / name, provider, name) for name in _CALLBACKS}
        found = {request: _measured(servers, provider, request) for request in _REQUESTS}
    if is_installed():
        with ExitStack() as cleanup:
            directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
            provider = cleanup.enter_context(RecordingProvider())
            for request, counted in _counted(cleanup, directory, provider).items():
                found[request][_INSTRUCTIONS] = counted
    print(json.dumps(found))


def _measured(servers: Mapping[str, LiteLlmServer], provider: RecordingProvider, request: str) -> dict[str, Any]:
    """Return the timings with the callback and without, for a kind of request."""
    figures: dict[str, dict[str, list[float]]] = {"processor time": {}, "p50 of the latency": {}}
    for number in range(_ROUNDS + _WARM_UP):
        for name in sorted(servers, reverse=bool(number % 2)):
            before = processor_time(servers[name].pid)
            latencies = _send(servers[name], provider, request, _BLOCK)
            measured = (processor_time(servers[name].pid) - before) / _BLOCK, statistics.median(latencies)
            if number >= _WARM_UP:
                for figure, value in zip(figures, measured, strict=True):
                    figures[figure].setdefault(name, []).append(value)
    return {figure: _timings(taken) for figure, taken in figures.items()}


def _counted(cleanup: ExitStack, directory: Path, provider: RecordingProvider) -> dict[str, Any]:
    """Return the millions of instructions with the callback and without, by kind of request."""
    servers = {
        name: _started(
            cleanup,
            directory / name,
            provider,
            name,
            watched([sys.executable, *LiteLlmServer.command()], directory / name),
        )
        for name in _CALLBACKS
    }
    counts = {name: ServerCount(server.pid, directory / name) for name, server in servers.items()}
    taken: dict[str, dict[str, list[float]]] = {request: {name: [] for name in servers} for request in _REQUESTS}
    for number in range(_COUNTED_ROUNDS + _WARM_UP):
        for request, by_name in taken.items():
            for name, server in servers.items():
                executed = counts[name].during(lambda s=server, r=request: _send(s, provider, r, _COUNTED_BLOCK))  # type: ignore[misc]
                if number >= _WARM_UP:
                    by_name[name].append(executed / _COUNTED_BLOCK / 1e6)
    return {request: _timings(by_name) for request, by_name in taken.items()}


def _timings(taken: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(Timing.of(taken[name])) for name in (_ON, _OFF)]


def _send(server: LiteLlmServer, provider: RecordingProvider, request: str, requests: int) -> list[float]:
    """Send requests one after the other, and return how long each took, in milliseconds."""
    extra = _REQUESTS[request]
    body = json.dumps({"model": "gpt", "messages": [{"role": "user", "content": "hi"}], **extra})
    headers = {"content-type": "application/json", "authorization": f"Bearer {_KEY}"}
    taken = send_block(server.url.removeprefix("http://"), body, headers, requests)
    sent = {name.lower() for name in extra.get("extra_headers", {})}
    calls = [call for call in provider.take() if call.method == "POST"]
    arrived = [{each.lower() for each, _ in call.fields if each.lower().startswith("x-maas")} for call in calls]
    assert arrived == [sent] * requests, request  # noqa: S101 - or something else is compared
    return taken


def _started(
    cleanup: ExitStack, directory: Path, provider: RecordingProvider, name: str, command: Sequence[str] | None = None
) -> LiteLlmServer:
    directory.mkdir()
    params = {"model": "openai/test-model", "api_base": provider.base_url, "api_key": "the-key"}
    config = {
        "model_list": [{"model_name": "gpt", "litellm_params": params}],
        "litellm_settings": {"callbacks": _CALLBACKS[name]},
        "general_settings": {"master_key": _KEY},
    }
    environment = {
        **os.environ,
        "HOME": str(directory),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch a list of prices
        "EXTRA_HEADERS_METRICS_PORT": str(free_port()),
    }
    server = LiteLlmServer(config, directory, port=free_port(), environment=environment, command=command, timeout=1200)
    return cleanup.enter_context(server)


if __name__ == "__main__":
    _main()
