"""Executed instructions, which no other work on the machine changes: of a program or a server that valgrind watches."""

import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.sidebyside import Timing

UNIT = "k instr."
_CALLS = 100
_DUMPS = "counted"


def is_installed() -> bool:
    """Whether there is valgrind; prints that nothing is counted where there is none."""
    if shutil.which("valgrind") is None:
        print("instructions: not counted, because valgrind is not installed")
        return False
    return True


def counted(module: str, *arguments: str, python: str = sys.executable) -> dict[str, Timing]:
    """Return thousands of instructions per call by name, counted by a module that runs as a program.

    The program prints, as its last line, the names of all that it has counted with `call_each`, in their order. What is
    counted begins and ends with a call of getsid(2), which nothing else here makes.
    """
    with tempfile.TemporaryDirectory() as directory:
        dumps = Path(directory) / _DUMPS
        command = watched([python, "-m", module, *arguments], Path(directory), "--dump-before=getsid")
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - ours
        names: list[str] = json.loads(done.stdout.splitlines()[-1])
        # Each is between two calls, which each end a part.
        totals = [_total(dumps.with_name(f"{dumps.name}.{2 * number}")) for number in range(1, len(names) + 1)]
    return {name: Timing(total / _CALLS / 1000, 0) for name, total in zip(names, totals, strict=True)}


def watched(command: Sequence[str], directory: Path, *options: str) -> list[str]:
    """Return a command that runs another one ten times slower, so that its instructions can be counted.

    Args:
        command: the program, no script, and its arguments.
        directory: for what is counted.
        options: of callgrind.

    """
    settings = ["-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={directory / _DUMPS}"]
    return ["valgrind", *settings, *options, *command]


class ServerCount:
    """Counts the instructions of a server that runs by a `watched` command.

    Args:
        process: its id.
        directory: as given to `watched`; the server's TMPDIR, where valgrind listens.

    """

    def __init__(self, process: int, directory: Path) -> None:
        self._process = process
        self._directory = directory
        self._dumps = 0
        # From here on, for counting would make the start five times slower again.
        self._control("--instr=on")

    def during(self, work: Callable[[], object]) -> int:
        """Return how many instructions the server executes while `work` runs."""
        self._control("--zero")
        work()
        self._control("--dump")
        self._dumps += 1
        dump = self._directory / f"{_DUMPS}.{self._dumps}"
        executed = _total(dump)
        dump.unlink()
        return executed

    def _control(self, what: str) -> None:
        command = ["callgrind_control", what, str(self._process)]
        environment = {**os.environ, "TMPDIR": str(self._directory)}
        subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603 - valgrind's


def _total(dump: Path) -> int:
    found = re.search(r"^totals: (\d+)", dump.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, dump  # noqa: S101 - callgrind's format
    return int(found[1])


def start() -> None:
    """Begin to count, in the program: it is twenty times slower from here on."""
    gc.disable()
    subprocess.run(["callgrind_control", "--instr=on", str(os.getpid())], capture_output=True, check=True)  # noqa: S603, S607


def call_each(subjects: Mapping[str, Callable[[], object]], prepare: Callable[[int], None] = lambda _: None) -> None:
    """Count each subject, in the program; `prepare` is called before so many calls of a subject, and not counted."""
    for subject in subjects.values():
        prepare(2 * _CALLS)
        for _ in range(_CALLS):
            subject()
        os.getsid(0)
        for _ in range(_CALLS):
            subject()
        os.getsid(0)
