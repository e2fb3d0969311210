"""A running `extra-headers watch`: in a pipe or on a terminal, and what it wrote."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import wait_until
from tests.watch.endpoint import SECONDS

COMMAND = str(Path(sys.executable).with_name("extra-headers"))
CONTROL = r"\x1b\[[0-9;?]*[A-Za-z]"
"""The control sequences that draw the screen."""

_DRIVEN = {"FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TERM"}


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without what decides about colours and sizes, but for `changes`."""
    return {name: value for name, value in os.environ.items() if name not in _DRIVEN} | changes


def once(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `watch` to its end."""
    return subprocess.run(  # noqa: S603 - the command under test
        [COMMAND, "watch", *arguments], capture_output=True, text=True, check=False, timeout=SECONDS, env=environment()
    )


class Running:
    """A running `watch`, and what it wrote so far."""

    def __init__(self, process: subprocess.Popen[bytes], output: int) -> None:
        self.process = process
        self._output = output
        self._bytes = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._output, 65536):
                self._bytes += chunk
        except OSError:
            return  # a terminal whose last program has ended

    @property
    def raw(self) -> str:
        """Everything it wrote, in whole lines of the terminal or not."""
        return self._bytes.decode(errors="replace")

    @property
    def screen(self) -> str:
        """What the terminal shows: the last picture that was drawn to its end, without colours."""
        pictures = self.raw.split("\x1b[H")
        return re.sub(CONTROL, "", pictures[-1]).replace("\r", "") if len(pictures) > 1 else ""

    def wait_for(self, *texts: str) -> None:
        """Wait until all of `texts` are on the screen, or in the lines of a pipe."""
        wait_until(lambda: all(text in (self.screen or self.raw) for text in texts), lambda: f"{texts} in {self.raw}")

    def wait_for_pictures(self, count: int) -> None:
        """Wait until `count` more pictures have been drawn to their end."""
        drawn = self.raw.count("\x1b[H")
        wait_until(lambda: self.raw.count("\x1b[H") > drawn + count, lambda: self.raw)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code


@contextmanager
def watching(*arguments: str, size: tuple[int, int] | None = None, **changes: str) -> Iterator[Running]:
    """Run `watch` in a pipe, or on a terminal of so many lines and columns."""
    reading, writing = os.pipe() if size is None else pty.openpty()
    if size:
        fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(  # noqa: S603 - the command under test
        [COMMAND, "watch", "--interval", "1", *arguments],
        stdin=writing if size else subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        env=environment(**{"TERM": "xterm-256color", **changes}),
        start_new_session=True,
    )
    try:
        os.close(writing)
        yield Running(process, reading)
    finally:
        process.kill()
        process.wait()
        os.close(reading)
