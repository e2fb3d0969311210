"""Executed instructions of a whole server, by valgrind: what no other work on the machine changes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_DUMPS = "counted"


def can_count() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def counted_command(program: Sequence[str], directory: Path) -> list[str]:
    """Return the command that runs a Python program so that its instructions can be counted, ten times slower.

    Args:
        program: a script of this environment, and its arguments.
        directory: for what is counted.

    """
    options = ["-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={directory / _DUMPS}"]
    return ["valgrind", *options, sys.executable, *program]


class InstructionCount:
    """Counts the instructions of a process that `counted_command` started.

    Args:
        process: its id.
        directory: as given to the command.

    """

    def __init__(self, process: int, directory: Path) -> None:
        self._process = process
        self._directory = directory
        self._dumps = 0
        # From here on, for counting makes a start five times slower again.
        self._control("--instr=on")

    def during(self, work: Callable[[], object]) -> int:
        """Return how many instructions the process executes while `work` runs."""
        self._control("--zero")
        work()
        self._control("--dump")
        self._dumps += 1
        dump = self._directory / f"{_DUMPS}.{self._dumps}"
        found = re.search(r"^totals: (\d+)", dump.read_text(encoding="utf-8"), re.MULTILINE)
        assert found is not None, dump  # noqa: S101 - callgrind's format
        dump.unlink()
        return int(found[1])

    def _control(self, what: str) -> None:
        command = ["callgrind_control", what, str(self._process)]
        # The server's TMPDIR, where valgrind listens: callgrind_control ends with 0 also where it finds nobody.
        environment = {**os.environ, "TMPDIR": str(self._directory)}
        subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603 - valgrind's
