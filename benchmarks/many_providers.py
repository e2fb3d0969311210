"""What the add-on adds to the start of a server with a thousand providers: processor time, in alternating processes.

A process does with each provider what the host does, and leaves out what costs the host most, its clients. A whole
server takes 20 to 60 s for as many, whose spread is larger than what is measured here.
"""

import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.sidebyside import Row, Timing, at_most_more

_ROUNDS = 5
_PROVIDERS = 1_000

_PROCESS = """
import asyncio, importlib, json, ssl, sys, time
import ogx.core.server.server
from ogx.core.distribution import get_provider_registry
from ogx.core.datatypes import StackConfig
from ogx.core.utils.dynamic import instantiate_class_type
from ogx_api import Api
from pathlib import Path
from extra_headers.forwarding.testing.processes import inference_provider, run_config
setting, count = json.loads(sys.argv[1]), int(sys.argv[2])
context = ssl.create_default_context()
ssl.create_default_context = lambda *args, **kwargs: context
providers = [inference_provider(f"p{i}", f"http://127.0.0.1:1/{i}/v1", setting) for i in range(count)]
config = StackConfig.model_validate(run_config(providers, Path(), 8321))
started = time.process_time()
spec = get_provider_registry(config)[Api.inference]["remote::vllm"]

async def start():
    for provider in config.providers["inference"]:
        settings = instantiate_class_type(spec.config_class)(**provider.config)
        adapter = await importlib.import_module(spec.module).get_adapter_impl(settings, {})
        adapter.__provider_id__ = provider.provider_id

asyncio.run(start())
print(json.dumps(1000 * (time.process_time() - started)))
"""


def rows() -> Iterator[Row]:
    """Measure."""
    measured: dict[bool, list[float]] = {True: [], False: []}
    for number in range(_ROUNDS + 1):
        for add_on in (True, False) if number % 2 else (False, True):
            measured[add_on].append(_measure(True if add_on else None))
    with_it, without = (Timing.of(times[1:]) for times in (measured[True], measured[False]))
    yield at_most_more(1000, f"{_PROVIDERS:,} providers are made, against the host's own", "ms", with_it, without)


def _measure(setting: object) -> float:
    command = [sys.executable, "-c", _PROCESS, json.dumps(setting), str(_PROVIDERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return float(done.stdout.splitlines()[-1])
