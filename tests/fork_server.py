"""Imports libraries once, then forks a process for each program that it is asked for. `tests/forked.py` runs it.

Run as `python tests/fork_server.py FD MODULE…`, where FD is a socket. It imports nothing of this project, and a fork is
what the program would be in a new interpreter: its arguments, environment, directory, session and `__main__`.
"""

import gc
import importlib
import json
import os
import runpy
import socket
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict
from unittest.mock import patch

ALL = "*"
"""The name for all variables, where something reads them all."""


class Program(TypedDict):
    """What to fork: a Python script and its arguments, and where it runs."""

    command: list[str]
    environment: dict[str, str]
    directory: str


@contextmanager
def recorded_reads() -> Iterator[set[str]]:
    """Record the names of the environment variables that are read."""
    names: set[str] = set()
    kind = type(os.environ)
    read, names_of = kind.__getitem__, kind.__iter__

    def recorded(environment: "os._Environ[str]", name: str) -> str:
        names.add(name)
        return read(environment, name)

    def all_recorded(environment: "os._Environ[str]") -> Iterator[str]:
        names.add(ALL)
        return names_of(environment)

    with patch.object(kind, "__getitem__", recorded), patch.object(kind, "__iter__", all_recorded):
        yield names


def import_all(modules: Sequence[str]) -> set[str]:
    """Import modules, and return the names of the environment variables that they read."""
    sysconfig.get_config_vars()  # reads HOME for what no host asks for, and keeps what it has read
    with recorded_reads() as names:
        for module in modules:
            importlib.import_module(module)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise RuntimeError(f"{threads} threads after the import of {', '.join(modules)}: a fork would lose them")
    return names


def next_program(control: socket.socket) -> Program | None:
    """Return a program to run, in a new process; None in this process once nobody asks any more."""
    while True:
        size, files, _, _ = socket.recv_fds(control, 8, 2)
        _forget_ended()
        if not size:
            return None
        program: Program = json.loads(control.recv(int.from_bytes(size), socket.MSG_WAITALL))
        if os.fork() == 0:
            control.close()
            _fork(*files)
            return program
        for file in files:
            os.close(file)


def _forget_ended() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _fork(log: int, status: int) -> None:
    """Continue in a child with its output in `log`. This process writes to `status` how the child ends, and ends."""
    child = os.fork()
    if child:
        os.close(log)
        for output in (1, 2):  # the child may outlive whoever reads them
            os.dup2(0, output)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(status, b"%d\n" % code)
        os._exit(0)
    os.setsid()
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    os.write(status, b"%d\n" % os.getpid())
    os.close(status)


def _main() -> Program | None:
    descriptor, *modules = sys.argv[1:]
    del sys.path[0]  # the folder of this file, which has folders with the names of libraries
    with socket.socket(fileno=int(descriptor)) as control:
        names = import_all(modules)
        control.sendall(json.dumps(sorted(names)).encode() + b"\n")
        gc.freeze()  # no collection looks at it again, so that its memory stays shared
        return next_program(control)


if __name__ == "__main__" and (_program := _main()) is not None:
    os.environ.clear()
    os.environ.update(_program["environment"])
    os.chdir(_program["directory"])
    sys.argv = _program["command"]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
