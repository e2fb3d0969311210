"""What the add-on adds to the start of a server: in a fresh process that has loaded what the host loads without it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.sidebyside import Row, Timing

_PROCESSES = 5

_REGISTRY = ", ".join(f"ogx.providers.registry.{api}" for api in ("inference", "responses", "tool_runtime"))
_HOST = f"import ogx.core.server.server, ogx.core.distribution, ogx.providers.remote.inference.vllm.vllm, {_REGISTRY}"
# What the host loads with OGX_METRICS_ENDPOINT_ENABLED=1.
_METRICS = "import opentelemetry.exporter.prometheus, opentelemetry.sdk.metrics, opentelemetry.sdk.resources"

_PROCESS = """
import json, time
def used():
    with open("/proc/self/statm") as file:
        return 1000 * time.process_time(), int(file.read().split()[1]) * 4096 / 2**20
{host}
host = used()
import extra_headers.forwarding.provider
extra_headers.forwarding.provider.get_provider_spec()
import extra_headers.forwarding.ogx.specs
extra_headers.forwarding.ogx.specs.Config_vllm
added = used()
print(json.dumps([host, [a - h for a, h in zip(added, host)]]))
"""


def rows() -> Iterator[Row]:
    """Measure."""
    for what, host in (("with the metrics endpoint", f"{_HOST}\n{_METRICS}"), ("without metrics endpoint", _HOST)):
        measured = [_measure(host) for _ in range(_PROCESSES + 1)][1:]  # the first compiles what an installer would
        loaded, added = ([Timing.of([run[part][figure] for run in measured]) for figure in (0, 1)] for part in (0, 1))
        of_host = f"added to a server {what}, against the host's own"
        yield Row(f"import time {of_host}", "ms", added[0], loaded[0], "<= 60 ms", added[0].median <= 60)
        yield Row(f"resident memory {of_host}", "MiB", added[1], loaded[1], "<= 3 MiB", added[1].median <= 3)


def _measure(host: str) -> list[list[float]]:
    command = [sys.executable, "-c", _PROCESS.format(host=host)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    found: list[list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found
