"""How servers are started: as child processes, unless a test has another way."""

import subprocess
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Protocol


class Process(Protocol):
    """A running program, with the part of `subprocess.Popen` that a server needs."""

    @property
    def pid(self) -> int: ...  # noqa: D102 - those of `subprocess.Popen`

    def poll(self) -> int | None: ...  # noqa: D102

    def wait(self, timeout: float | None = None) -> int: ...  # noqa: D102


class StartProgram(Protocol):
    """Starts a program that writes its output to `log`."""

    def __call__(self, command: Sequence[str], log: BinaryIO, environment: Mapping[str, str]) -> Process: ...  # noqa: D102


def start_program(command: Sequence[str], log: BinaryIO, environment: Mapping[str, str]) -> Process:
    """Start a program that writes its output to `log`."""
    return subprocess.Popen(  # noqa: S603 - a command of ours
        command,
        stdout=log,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=environment,
        # A separate process group: Ctrl-C does not reach it, and its workers end with it.
        start_new_session=True,
    )
