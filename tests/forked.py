"""Starts hosts by forking a process that has imported their libraries, which is most of what a start costs.

A start is real where it could differ: where the command is another, or where the environment differs in a variable that
the libraries have read.
"""

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Self

from extra_headers.forwarding.testing.programs import Process, start_program
from tests import fork_server

# Not what reads its settings when it is imported: the hosts themselves, opentelemetry-sdk, prometheus-client. They are
# most of LiteLLM's start, whose libraries alone would gain nothing.
_LIBRARIES = (
    *("aiohttp", "cryptography.x509", "fastapi", "jinja2", "mcp", "openai", "uvicorn"),
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.ext.asyncio"),
)
LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "ogx": ("ogx_api", *_LIBRARIES),
    "llama": ("llama_stack_api", *_LIBRARIES),
}
"""The libraries of each host by the name of its program."""
_READ_IN_C = ("LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "SSL_", "TZ")
"""How the variables begin that the interpreter and C libraries read."""


class ForkedProcess:
    """A running program, which is not a child of this process."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._exit_code: int | None = None
        self.pid = self._number()

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the program runs."""
        if self._exit_code is None and self._has_ended(0):
            self._exit_code = self._number()
            os.close(self._status)
        return self._exit_code

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once the program has ended. Raises `subprocess.TimeoutExpired` if it runs for longer."""
        if self._exit_code is None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def _has_ended(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def _number(self) -> int:
        text = b""
        while not text.endswith(b"\n"):
            read = os.read(self._status, 1)
            assert read, "the fork server has ended"
            text += read
        return int(text)


class ForkServer:
    """A process that forks programs once it has imported modules, while the `with` block runs."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._environment = dict(os.environ)
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ours
                [sys.executable, fork_server.__file__, str(theirs.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        with self._control.makefile("rb") as stream:
            names = stream.readline()
        if not names:
            self.__exit__()
            raise RuntimeError(f"the fork server ended with exit code {self._process.returncode}")
        self.read: frozenset[str] = frozenset(json.loads(names))
        """The variables that the modules have read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._control.shutdown(socket.SHUT_RDWR)  # reaches the fork server even if a fork of this process has a copy
        self._control.close()
        self._process.wait()

    def agrees(self, environment: Mapping[str, str]) -> bool:
        """Whether a program with this environment would import the same."""
        different = {name for name, _ in self._environment.items() ^ environment.items()}
        return fork_server.ALL not in self.read and not any(
            name in self.read or name.startswith(_READ_IN_C) for name in different
        )

    def start(self, command: Sequence[str], log: BinaryIO, environment: Mapping[str, str]) -> Process:
        """Start a Python script that writes its output to `log`."""
        program: fork_server.Program = {
            "command": list(command),
            "environment": dict(environment),
            "directory": str(Path.cwd()),
        }
        message = json.dumps(program).encode()
        status, theirs = os.pipe()
        try:
            socket.send_fds(self._control, [len(message).to_bytes(8)], [log.fileno(), theirs])
            self._control.sendall(message)
        finally:
            os.close(theirs)
        return ForkedProcess(status)


class ForkedHosts:
    """Starts the hosts in the table from a fork server, which it starts for the first, and other programs itself."""

    def __init__(self) -> None:
        self._servers: dict[str, ForkServer] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.__exit__()

    def start(self, command: Sequence[str], log: BinaryIO, environment: Mapping[str, str]) -> Process:
        """Start a program that writes its output to `log`."""
        program = Path(command[0])
        if program.name in LIBRARIES and program.parent == Path(sys.executable).parent:
            with self._lock:
                if program.name not in self._servers:
                    self._servers[program.name] = ForkServer(LIBRARIES[program.name])
                server = self._servers[program.name]
                if server.agrees(environment):
                    return server.start(command, log, environment)
        return start_program(command, log, environment)
