"""A forked program is compared with the same program in a new interpreter."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest

from extra_headers.forwarding.testing.processes import ServerError, ServerProcess
from extra_headers.forwarding.testing.programs import StartProgram, start_program
from tests.forked import ForkServer
from tests.waiting import wait_until

_REPORT = """
import atexit, json, os, signal, sys, threading, warnings
atexit.register(print, "at exit")
print(json.dumps({
    "arguments": sys.argv, "name": __name__, "file": __file__, "path": sys.path, "environment": dict(os.environ),
    "directory": os.getcwd(), "input": sys.stdin.read(), "files": sorted(os.listdir("/proc/self/fd")),
    "session": os.getsid(0) == os.getpgid(0) == os.getpid(), "threads": threading.active_count(),
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "output": [[stream.encoding, stream.errors, stream.line_buffering] for stream in (sys.stdout, sys.stderr)],
    "filters": [str(warnings_filter) for warnings_filter in warnings.filters],
}))
sys.exit(3)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    """Return a fork server whose variable PROGRAM is another than its programs', and which has one more."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PROGRAM", "fork server")
        environment.setenv("ANOTHER", "variable")
        running = ForkServer(["json"])
    with running:
        yield running


def _reported(start: StartProgram, script: Path, directory: Path) -> tuple[dict[str, Any], str, int]:
    """Return what a script reports of itself, what it writes after that, and its exit code."""
    path = directory / "log"
    with path.open("wb") as log:
        process = start([str(script), "--option", "value"], log, {**os.environ, "PROGRAM": "program"})
    code = process.wait(30)
    reported, _, rest = path.read_text().partition("\n")
    return json.loads(reported), rest, code


def _script(directory: Path, code: str) -> Path:
    script = directory / "script"
    script.write_text(f"#!{sys.executable}\n{code}")
    script.chmod(0o755)
    return script


def test_it_finds_what_a_new_interpreter_would(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments, environment, directory, files, signals: a script finds no difference."""
    monkeypatch.chdir(tmp_path)
    script = _script(tmp_path, _REPORT)

    started, forked = (_reported(start, script, tmp_path) for start in (start_program, server.start))

    assert forked == started
    assert started[0]["environment"]["PROGRAM"] == "program"
    assert started[1:] == ("at exit\n", 3)


def test_a_signal_ends_it(server: ForkServer, tmp_path: Path) -> None:
    """Its process id is that of the program, and its exit code names the signal."""
    script = _script(tmp_path, "import signal\nprint('ready', flush=True)\nsignal.pause()")
    path = tmp_path / "log"
    with path.open("wb") as log:
        process = server.start([str(script)], log, os.environ)
    wait_until(lambda: path.read_text() == "ready\n")

    assert process.poll() is None
    with pytest.raises(TimeoutExpired):
        process.wait(0)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait() == process.poll() == -signal.SIGTERM
    assert not Path(f"/proc/{process.pid}").exists()


def test_an_exception_is_in_the_log(server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that fails at its start is reported with its traceback."""
    script = _script(tmp_path, "raise LookupError('no such setting')")
    monkeypatch.setattr(ServerProcess, "start_program", staticmethod(server.start))

    with (
        pytest.raises(ServerError, match=r"exit code 1:\n(.*\n)+LookupError: no such setting"),
        ServerProcess("the server", [str(script)], "http://127.0.0.1:1", tmp_path / "log"),
    ):
        pytest.fail("it started")


def test_the_environment_decides_whether_a_fork_would_differ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where what was imported has read a variable, or C code might have, a program with another value is not forked."""
    (tmp_path / "reads.py").write_text("import os\nos.environ.get('READ')\nos.getenv('TOO')\n'THREE' in os.environ")
    (tmp_path / "reads_all.py").write_text("import os\ndict(os.environ)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    here = dict(os.environ)

    with ForkServer(["reads"]) as server:
        assert server.read == {"READ", "TOO", "THREE"}
        assert server.agrees({**here, "TMPDIR": "/elsewhere"})
        for name in (*server.read, "PYTHONPATH", "LD_PRELOAD", "SSL_CERT_FILE"):
            assert not server.agrees({**here, name: "another"})
    with ForkServer(["reads_all"]) as server:
        assert not server.agrees(here)


def test_threads_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fork would lose them, and never get their locks."""
    (tmp_path / "waits.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(RuntimeError, match="exit code 1"):
        ForkServer(["waits"])
