"""`extra-headers demo` as the tests run it: a process with real servers on free ports, or in this process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from extra_headers.forwarding.cli import main
from extra_headers.forwarding.testing.processes import free_port

COMMAND = Path(sys.executable).with_name("extra-headers")
SECONDS = 120.0
"""The longest that the demo may take, and the deadline of every wait."""


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nothing listens on, all different."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return [*ports]


def port_options() -> list[str]:
    """Return the options that move the demo to free ports."""
    names = ("--port", "--upstream-port", "--metrics-port")
    return [part for name, port in zip(names, free_ports(3), strict=True) for part in (name, str(port))]


class RunningDemo:
    """`extra-headers demo` in a session of its own, as a shell would start it; its output as it comes.

    Every process that it starts has MARK in its environment, whatever becomes of its parent or its group.
    """

    MARK = "TESTED_IN"

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._environment = {
            name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "COLUMNS", "LINES"}
        }
        self._environment |= {"TMPDIR": str(directory), self.MARK: str(directory)}
        self._arguments = [str(COMMAND), "demo", *port_options(), *arguments]

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        with (self.directory / "stderr").open("w") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - the command under test
                self._arguments,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until `count` lines contain `text`."""
        with self._changed:
            found = self._changed.wait_for(lambda: sum(text in line for line in self.lines) >= count, SECONDS)
        assert found, f"no {text!r} in:\n{self.output}\n{self.errors}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal as a terminal does: to the whole process group."""
        os.killpg(self._process.pid, number)

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        code = self._process.wait(SECONDS)
        self.seconds = time.monotonic() - self._started
        self._reader.join()
        return code

    @property
    def output(self) -> str:
        """What it wrote to stdout so far."""
        with self._changed:
            return "\n".join(self.lines)

    @property
    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return (self.directory / "stderr").read_text()

    def processes(self) -> list[int]:
        """Return the ids of the demo and of all processes that it started."""
        mark = os.fsencode(f"{self.MARK}={self.directory}\0")
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in environment.read_bytes() + b"\0":
                    found.append(int(environment.parent.name))
            except OSError:  # ended, or another user's
                continue
        return found

    def left_behind(self) -> tuple[list[int], list[str]]:
        """Return its processes that still run and its files that still exist."""
        return self.processes(), sorted({path.name for path in self.directory.iterdir()} - {"stderr"})

    def section(self, heading: str) -> str:
        """Return the lines under a heading."""
        start = next(i for i, line in enumerate(self.lines) if line.startswith(heading))
        length = self.lines[start:].index("") if "" in self.lines[start:] else None
        return "\n".join(self.lines[start : length and start + length])


def exit_code(*arguments: str) -> int | str | None:
    """Run the command in this process and return its exit code."""
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    return exited.value.code
