"""Real servers with the telemetry settings that a test asks for."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from extra_headers.forwarding.testing.processes import free_port, inference_provider
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.server.host import SERVER, host_run_config, metrics_environment
from tests.server.stack import PROVIDER_KEY, Stack

FILTERED: Mapping[str, object] = {
    "extra_headers.provider": "on",
    "extra_headers.outcome": "filtered",
    "extra_headers.forwarded.count": 1,
    "extra_headers.forwarded.names": ["X-Tenant"],
    "extra_headers.blocked.count": 1,
    "extra_headers.blocked.names": ["Authorization"],
    "extra_headers.blocked.reasons": ["credential"],
    "extra_headers.malformed.count": 0,
}
"""A span's attributes where X-Tenant and Authorization were sent to the provider `on`, but for the policy's digest."""
# uvicorn ends a worker that does not answer within 5 s, and importing OGX takes a slow machine longer. Of a worker that
# is killed while it is asked, uvicorn awaits the answer as long, and starts no other meanwhile.
OGX_WITH_PATIENCE = """
import functools, sys, uvicorn
uvicorn.run = functools.partial(uvicorn.run, timeout_worker_healthcheck=30)
from ogx.cli.ogx import main
sys.argv[0] = "ogx"
main()
"""


@contextmanager
def running(  # noqa: PLR0913 - each with its default
    directory: Path,
    environment: Mapping[str, str] | None = None,
    *,
    auto_instrumented: bool = False,
    several_workers: bool = False,
    change: Callable[[dict[str, Any]], None] = lambda _: None,
    timeout: float = 300,
) -> Iterator[Stack]:
    """Run a server with the providers `on`, `reject_both` and `drop_both`.

    Args:
        directory: for the server's files.
        environment: added to the process's own; a metrics port is set where it names none.
        auto_instrumented: start it under `opentelemetry-instrument`.
        several_workers: give each worker the time to start, and tables that are there already.
        change: changes the run config.
        timeout: seconds until a start counts as failed.

    """
    command = SERVER.command()
    if auto_instrumented:
        command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), *command]
    if several_workers:
        command = [sys.executable, "-c", OGX_WITH_PATIENCE, *command[1:]]
    given = dict(environment or {})
    metrics_port = given.get("EXTRA_HEADERS_METRICS_PORT")
    if metrics_port is None:
        metrics_port = str(free_port())
        given |= metrics_environment(int(metrics_port))
    with ExitStack() as cleanup:
        upstream = cleanup.enter_context(RecordingProvider())
        settings: dict[str, object] = {
            "on": True,
            "reject_both": {"on_blocked": "reject"},
            "drop_both": {"on_malformed": "drop"},
        }
        providers = [
            inference_provider(name, upstream.base_url, setting, api_token=PROVIDER_KEY)
            for name, setting in settings.items()
        ]
        config = host_run_config(providers, directory, free_port())
        change(config)
        if several_workers and not any(directory.glob("*.db")):
            # At a first start they would race for who makes its tables, and the loser would hang (OGX 1.5 with sqlite).
            with SERVER(config, directory, timeout=timeout):
                pass
            upstream.take()
        server = cleanup.enter_context(SERVER(config, directory, environment=given, command=command, timeout=timeout))
        # The host closes connections after errors of the provider.
        limits = httpx.Limits(max_keepalive_connections=0)
        client = cleanup.enter_context(httpx.Client(timeout=60, limits=limits))
        upstream.take()
        yield Stack(server, upstream, f"http://127.0.0.1:{metrics_port}/metrics", client, directory)
