"""Real servers as child processes, with their log: any server, and a host with its run config."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, override

import yaml

from .programs import Process, StartProgram, start_program

_PORTS = range(15_000, 32_000)
"""Below those of outgoing connections: a server takes its port only seconds after it was chosen."""
_LOG_LINES_SHOWN = 20
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1


class ServerError(RuntimeError):
    """A server did not start. The message contains its last log lines."""


def inference_provider(
    provider_id: str, base_url: str, extra_headers: object = None, provider_type: str = "remote::vllm", **config: object
) -> dict[str, Any]:
    """Return a provider entry of a run config; with the add-on's flag where `extra_headers` is given."""
    entry: dict[str, Any] = {"provider_id": provider_id, "provider_type": provider_type}
    settings: dict[str, Any] = {"base_url": base_url, **config}
    if extra_headers is not None:
        entry["module"] = "extra_headers.forwarding"
        settings["extra_headers"] = extra_headers
    return {**entry, "config": settings}


def run_config(providers: Sequence[Mapping[str, Any]], directory: Path, port: int) -> dict[str, Any]:
    """Return a run config for chat, completions, embeddings, rerank and Anthropic Messages over `providers`.

    No model needs registering: the server lists each provider's and takes any `provider_id/model`.
    """
    return {
        "version": 2,
        "distro_name": "extra-headers",
        "apis": ["inference", "models", "messages"],
        "providers": {
            "inference": [dict(provider) for provider in providers],
            "messages": [
                {
                    "provider_id": "builtin",
                    "provider_type": "inline::builtin",
                    "config": {"kvstore": {"namespace": "messages", "backend": "kv_default"}},
                }
            ],
        },
        "storage": {
            "backends": {
                "kv_default": {"type": "kv_sqlite", "db_path": str(directory / "kv.db")},
                "sql_default": {"type": "sql_sqlite", "db_path": str(directory / "sql.db")},
            },
            # All other stores are in these backends by default.
            "stores": {"metadata": {"namespace": "registry", "backend": "kv_default"}},
        },
        "registered_resources": {"models": [], "vector_stores": []},
        "server": {"host": "127.0.0.1", "port": port},
    }


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on, and that no outgoing connection gets."""
    while True:
        port = _PORTS[secrets.randbelow(len(_PORTS))]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class ServerProcess:
    """A server as a child process, while the `with` block runs.

    Args:
        name: for error messages.
        command: starts it.
        ready_url: answers with success once it is ready.
        log_path: the file for its output.
        environment: added to that of this process.
        on_wait: called repeatedly while the server starts, with the seconds so far.
        timeout: seconds until a start counts as failed.

    Raises:
        ServerError: the server ended, or did not answer in time.

    """

    start_program: ClassVar[StartProgram] = staticmethod(start_program)

    def __init__(  # noqa: PLR0913 - each with its default
        self,
        name: str,
        command: Sequence[str],
        ready_url: str,
        log_path: Path,
        *,
        environment: Mapping[str, str] | None = None,
        on_wait: Callable[[float], None] | None = None,
        timeout: float = 120,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._command = command
        self._ready_url = ready_url
        self._environment = environment or {}
        self._on_wait = on_wait or (lambda _: None)
        self._timeout = timeout
        self._process: Process | None = None

    def __enter__(self) -> Self:
        with self.log_path.open("wb") as log:
            self._process = self.start_program(self._command, log, {**os.environ, **self._environment})
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the server, or of the supervisor of its workers."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Everything the server wrote so far."""
        return self.log_path.read_text(errors="replace")

    @property
    def last_lines(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self.log.splitlines()[-_LOG_LINES_SHOWN:])

    def silent(self, error: Exception) -> ServerError:
        """Return the error of a server that was ready and then did not answer a request."""
        return ServerError(f"{self.name} stopped answering ({error}):\n{self.last_lines}")

    def stop(self) -> None:
        """End the server and all its children; at once when it does not end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
        # Children that outlived the server have the group's id, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _wait_until_ready(self, process: Process) -> None:
        started = time.monotonic()
        while not self._is_ready():
            seconds = time.monotonic() - started
            if (code := process.poll()) is not None:
                raise ServerError(f"{self.name} ended with exit code {code}:\n{self.last_lines}")
            if seconds > self._timeout:
                raise ServerError(f"{self.name} did not answer within {self._timeout:.0f} s:\n{self.last_lines}")
            self._on_wait(seconds)
            time.sleep(_POLL_SECONDS)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._ready_url, timeout=5):  # noqa: S310 - our own http URL
                return True
        except (urllib.error.URLError, OSError):
            return False


class HostServer(ServerProcess):
    """A host's server that runs while the `with` block does.

    Args:
        config: written to `directory`.
        directory: for the run config, its databases and the log.
        port: where it listens, if its run config has no port.
        environment: added to that of this process.
        command: what to start; the run config's path is appended.
        on_wait: called repeatedly while the server starts, with the seconds so far.
        timeout: seconds until a start counts as failed.

    Raises:
        ServerError: the server ended, or did not answer in time.

    """

    distribution: ClassVar[str]
    """The host's name as a distribution; the add-on's extra has the same."""
    package: ClassVar[str]
    program: ClassVar[tuple[str, ...]]
    """The command that starts it; the path of the run config follows."""
    file_name: ClassVar[str] = "run.yaml"
    """Of the run config."""
    health: ClassVar[str] = "/v1/health"
    """The path that answers once the server is ready."""
    port_variable: ClassVar[str | None] = None
    """The variable with the port, if it ignores the one of its run config."""

    def __init__(  # noqa: PLR0913 - each with its default
        self,
        config: Mapping[str, Any],
        directory: Path,
        *,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        on_wait: Callable[[float], None] | None = None,
        timeout: float = 120,
    ) -> None:
        self.url = f"http://127.0.0.1:{port or config['server']['port']}"
        self.config_path = directory / self.file_name
        listen = {} if self.port_variable is None else {self.port_variable: str(port)}
        self._config = config
        super().__init__(
            "the server",
            [*(command or self.command()), str(self.config_path)],
            f"{self.url}{self.health}",
            directory / "server.log",
            # The host leaves a copy of its run config, credentials included, in the temporary directory.
            environment={"TMPDIR": str(directory), **listen, **(environment or {})},
            on_wait=on_wait,
            timeout=timeout,
        )

    @override
    def __enter__(self) -> Self:
        self.config_path.write_text(yaml.safe_dump(self._config, sort_keys=False))
        return super().__enter__()

    @classmethod
    def command(cls) -> list[str]:
        """Return the command that starts the host of this environment; the path of the run config follows.

        Raises:
            ServerError: it is not installed here.

        """
        name, *arguments = cls.program
        installed = Path(sys.executable).with_name(name)
        found = str(installed) if installed.exists() else shutil.which(name)
        if found is None:
            extra = cls.distribution
            raise ServerError(f"no {extra} server in this environment; pip install 'extra-headers-forwarding[{extra}]'")
        return [found, *arguments]


class OgxServer(HostServer):
    """An OGX server that runs while the `with` block does."""

    distribution = "ogx"
    package = "ogx"
    # `--insecure` only lifts the demand for TLS; the server listens on loopback.
    program = ("ogx", "run", "--insecure")


class LiteLlmServer(HostServer):
    """A LiteLLM proxy that runs while the `with` block does."""

    distribution = "litellm"
    package = "litellm"
    program = ("litellm", "--host", "127.0.0.1", "--config")
    file_name = "config.yaml"
    health = "/health/liveliness"
    port_variable = "PORT"
