"""The server of the soak, which can be killed and started again; its spans are the same with the add-on and without."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from extra_headers.forwarding.testing.loopback import LoopbackServer
from extra_headers.forwarding.testing.processes import OgxServer, free_port, inference_provider, run_config
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.load.traffic import PROVIDERS, RESPONSES, answer
from tests.server.stack import PROVIDER_KEY, Stack
from tests.telemetry.servers import OGX_WITH_PATIENCE
from tests.waiting import wait_until

AUDIT_LOG = "audit.jsonl"


@dataclass(slots=True)
class SoakServer:
    """A server with what it talks to; `directory` is for its files."""

    stack: Stack
    directory: Path
    collector: LoopbackServer
    counters: Path | None = None
    """The directory that several workers count in; None for a server of one process."""
    logs: list[Path] = field(default_factory=list)
    """Of the earlier lives."""

    @property
    def audit_log(self) -> Path:
        """The path that the server appends audit records to."""
        return self.directory / AUDIT_LOG

    @property
    def all_logs(self) -> list[Path]:
        """The logs of all lives, in order."""
        return [*self.logs, self.stack.server.log_path]

    def fill_disk(self) -> None:
        """Have every further audit record meet a full disk."""
        _point(self.audit_log, Path("/dev/full"))

    def free_disk(self) -> None:
        """Have audit records written again, to the same file as before."""
        _point(self.audit_log, self.directory / "kept.jsonl")

    def kill(self) -> None:
        """End the server and its children as a crash does."""
        with suppress(ProcessLookupError):
            os.killpg(self.stack.server.pid, signal.SIGKILL)
        self.stack.server.stop()
        self.logs.append(self.stack.server.log_path.with_suffix(f".{len(self.logs)}"))
        self.stack.server.log_path.rename(self.logs[-1])

    def start_again(self) -> None:
        """Start the killed server with the same files."""
        self.stack.server.__enter__()

    def workers(self) -> list[int]:
        """Return the process ids of the workers that count and are alive."""
        found = [int(path.stem.rpartition("_")[2]) for path in (self.counters or self.directory).glob("counter_*.db")]
        return [pid for pid in found if Path(f"/proc/{pid}").exists()]

    def kill_worker(self) -> None:
        """End one of two workers, and wait until there is another in its place."""
        wait_until(lambda: len(self.workers()) == 2)
        # The older one: of one that is killed while it starts, uvicorn waits for an answer for its whole patience.
        first = min(self.workers())
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(self.workers()) == 2 and first not in self.workers(), seconds=300)


def _point(link: Path, target: Path) -> None:
    """Let a path name another file from now on; the server looks at each record which file has the name."""
    (new := link.with_suffix(".new")).symlink_to(target)
    new.replace(link)


@contextmanager
def running(directory: Path, *, add_on: bool, workers: int = 1) -> Iterator[SoakServer]:
    """Run a server for the traffic of the soak.

    One process runs under `opentelemetry-instrument`, so that it makes the same spans without the add-on.
    """
    directory.mkdir()
    _point(directory / AUDIT_LOG, directory / "kept.jsonl")
    metrics_port = str(free_port())
    command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), *OgxServer.command()]
    counters = None
    with ExitStack() as cleanup:
        collector = cleanup.enter_context(LoopbackServer(lambda _: (200, b"")))
        environment = {
            # Its console format takes seconds for some tracebacks.
            "OGX_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "EXTRA_HEADERS_AUDIT_LOG": str(directory / AUDIT_LOG),
        }
        upstream = cleanup.enter_context(RecordingProvider(answer=answer))
        providers = [
            inference_provider(name, upstream.base_url, setting if add_on else None, api_token=PROVIDER_KEY)
            for name, setting in PROVIDERS.items()
        ]
        config = run_config(providers, directory, free_port())
        _add_responses(config, directory, add_on=add_on)
        if workers == 1:
            environment |= {"OGX_METRICS_ENDPOINT_ENABLED": "1", "OGX_METRICS_PORT": metrics_port}
        else:
            with OgxServer(config, directory):  # makes the tables: the workers would race for that
                pass
            counters = directory / "counters"
            environment |= {
                "OGX_WORKERS": str(workers),
                "PROMETHEUS_MULTIPROC_DIR": str(counters),
                "EXTRA_HEADERS_METRICS_PORT": metrics_port,
            }
            command = [sys.executable, "-c", OGX_WITH_PATIENCE, *OgxServer.command()[1:]]
        server = cleanup.enter_context(
            OgxServer(config, directory, environment=environment, command=command, timeout=300)
        )
        client = cleanup.enter_context(httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0)))
        stack = Stack(server, upstream, f"http://127.0.0.1:{metrics_port}/metrics", client, directory)
        yield SoakServer(stack, directory, collector, counters)


def _add_responses(config: dict[str, Any], directory: Path, *, add_on: bool) -> None:
    stores = {
        "agent_state": {"namespace": "agents", "backend": "kv_default"},
        "responses": {"table_name": "responses", "backend": "sql_default"},
    }
    files = {
        "storage_dir": str(directory / "files"),
        "metadata_store": {"table_name": "files", "backend": "sql_default"},
    }
    responses = {"provider_id": RESPONSES, "provider_type": "inline::builtin", "config": {"persistence": stores}}
    if add_on:
        responses |= {
            "module": "extra_headers.forwarding",
            "config": {"persistence": stores, "extra_headers": True},
        }
    config["apis"] += ["responses", "files", "vector_io", "tool_runtime"]
    config["providers"] |= {
        "responses": [responses],
        "files": [{"provider_id": "files", "provider_type": "inline::localfs", "config": files}],
        "vector_io": [],
        "tool_runtime": [],
    }
