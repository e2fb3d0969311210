"""A LiteLLM proxy with the callback against one without, in alternating short blocks: `make bench ARGS=litellm_proxy`.

Both get the same requests and send the same headers, because LiteLLM forwards `extra_headers` of a body by itself.
It runs in the environment of LiteLLM.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.callers import processor_time, send_block
from benchmarks.sidebyside import Row, Timing, at_most
from extra_headers.forwarding.testing.processes import LiteLlmServer, free_port
from extra_headers.forwarding.testing.recording_provider import RecordingProvider

_PYTHON = Path(__file__).parents[1] / ".venv-litellm" / "bin" / "python"
_KEY = "sk-the-benchmark-master-key"
_ROUNDS, _WARM_UP, _BLOCK = 60, 2, 25
_ON, _OFF = "on", "off"
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
            yield at_most(1.02, what, "ms", Timing(**on), Timing(**off))


def _main() -> None:
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        provider = cleanup.enter_context(RecordingProvider())
        servers = {name: _started(cleanup, directory / name, provider, name) for name in _CALLBACKS}
        found = {request: _measured(servers, provider, request) for request in _REQUESTS}
    print(json.dumps(found))


def _measured(servers: Mapping[str, LiteLlmServer], provider: RecordingProvider, request: str) -> dict[str, Any]:
    """Return the timings with the callback and without, for a kind of request."""
    extra = _REQUESTS[request]
    body = json.dumps({"model": "gpt", "messages": [{"role": "user", "content": "hi"}], **extra})
    sent = {name.lower() for name in extra.get("extra_headers", {})}
    figures: dict[str, dict[str, list[float]]] = {"processor time": {}, "p50 of the latency": {}}
    for number in range(_ROUNDS + _WARM_UP):
        for name in sorted(servers, reverse=bool(number % 2)):
            measured = dict(zip(figures, _block(servers[name], body), strict=True))
            calls = [call for call in provider.take() if call.method == "POST"]
            arrived = [{each.lower() for each, _ in call.fields if each.lower().startswith("x-maas")} for call in calls]
            assert arrived == [sent] * _BLOCK, name  # noqa: S101 - or something else is compared
            if number >= _WARM_UP:
                for figure, value in measured.items():
                    figures[figure].setdefault(name, []).append(value)
    return {
        figure: [dataclasses.asdict(Timing.of(taken[name])) for name in (_ON, _OFF)]
        for figure, taken in figures.items()
    }


def _block(server: LiteLlmServer, body: str) -> tuple[float, float]:
    """Send requests one after the other, and return the server's processor time and the median, in milliseconds."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {_KEY}"}
    before = processor_time(server.pid)
    taken = send_block(server.url.removeprefix("http://"), body, headers, _BLOCK)
    return (processor_time(server.pid) - before) / _BLOCK, statistics.median(taken)


def _started(cleanup: ExitStack, directory: Path, provider: RecordingProvider, name: str) -> LiteLlmServer:
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
    return cleanup.enter_context(LiteLlmServer(config, directory, port=free_port(), environment=environment))


if __name__ == "__main__":
    _main()
