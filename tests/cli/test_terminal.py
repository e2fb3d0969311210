"""The commands as programs: on a terminal, in a pipe, and in a shell that completes words."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, Write, provider

_PROGRAM = str(Path(sys.executable).with_name("extra-headers"))
_ENVIRONMENT = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}


def _run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - ours
        command, env=_ENVIRONMENT | environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr
    return done


def _on_a_terminal(*command: str, **environment: str) -> str:
    """Return what a command writes to a terminal of 60 columns."""
    ours, its = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - ours
        command, env={**_ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "60", **environment}, stdout=its, stderr=its
    ) as process:
        os.close(its)
        written = b""
        while select.select([ours], [], [], 120)[0]:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            written += chunk
        assert process.wait(120) in (0, 1)
    os.close(ours)
    return written.decode()


class TestOutput:
    """Colour and width depend on the terminal."""

    def test_a_pipe_gets_plain_lines_of_any_length(self, write: Write) -> None:
        """A pipe gets no control codes and no folded tables."""
        good = write(provider("{allow: [" + ", ".join(f"x-tenant-{n}" for n in range(40)) + "]}"))
        bad = write(provider("{allow: [cookie]}"), "bad.yaml")
        done = _run(_PROGRAM, "check", good, bad, TERM="xterm-256color", FORCE_COLOR="")
        assert "\x1b" not in done.stdout
        assert "x-tenant-39   line 9" in next(line for line in done.stdout.splitlines() if "  allow " in line)

    def test_columns_is_respected_in_a_pipe(
        self, invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A table folds its cells and loses nothing."""
        path = write(provider("{allow: [" + ", ".join(f"x-tenant-{n}" for n in range(20)) + "]}"))
        for columns, row in ((70, "  on_blocked               drop "), (40, "  on_blocked: drop (default)")):
            monkeypatch.setenv("COLUMNS", str(columns))
            lines = invoke("check", path).out.splitlines()
            assert max(len(line) for line in lines[1:12]) <= columns
            assert row in "\n".join(lines)
            assert "x-tenant-19" in "".join(lines)

    def test_a_terminal_gets_colour_and_no_control_code_of_the_file(self, write: Write) -> None:
        """Control codes in the run config are escaped."""
        path = write(provider("{block: [cookie]}", provider_id='"[red]a\\e[31mb"'))
        written = _on_a_terminal(_PROGRAM, "check", path)
        assert "\x1b[1m[red]a\\x1b[31mb\x1b[0m" in written
        assert "\x1b[31mb" not in written

    def test_no_color(self, write: Write) -> None:
        """`NO_COLOR` is respected on a terminal."""
        written = _on_a_terminal(_PROGRAM, "check", write(provider("{block: [cookie]}")), NO_COLOR="1")
        assert "\x1b[31m" not in written
        assert "\x1b[1;31m" not in written

    def test_a_reader_that_leaves_is_no_error(self, write: Write) -> None:
        """`| head -1` ends without an error."""
        path = write(provider("{}"))
        script = f"{_PROGRAM} check " + f"{path} " * 50 + "| head -1"
        done = _run("/bin/bash", "-c", script)
        assert (done.stdout.count("\n"), done.stderr) == (1, "")

    def test_an_encoding_without_the_character(self, write: Write) -> None:
        """The character is escaped."""
        done = _run(_PROGRAM, "check", write(provider("{}", provider_id="caf\u00e9")), PYTHONIOENCODING="iso8859-5")
        assert (done.returncode, done.stderr) == (0, "")
        assert "caf\\xe9" in done.stdout


@pytest.mark.parametrize("command", ["check", "explain", "blocklist", "schema"])
def test_help_has_an_example(invoke: Invoke, command: str) -> None:
    """The example is a command that can be typed."""
    done = invoke(command, "--help")
    assert done.exit_code == 0
    assert "Example" in done.out
    assert f"extra-headers {command}" in done.out.partition("Example")[2]
    assert max(map(len, done.out.splitlines())) <= 85


def test_help_loads_no_heavy_library() -> None:
    """Help must be quick."""
    code = (
        "import sys; from extra_headers.forwarding.cli import main\n"
        "try: main(['explain', '--help'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    loaded = set(_run(sys.executable, "-c", code).stdout.split())
    assert loaded & {"pydantic", "yaml", "rich", "openai", "opentelemetry", "prometheus_client", "ogx"} == set()


_WITHOUT_HOSTS = """
import sys
from extra_headers.forwarding.cli import main

sys.modules |= dict.fromkeys(("ogx", "llama_stack", "litellm"))
for path in sys.argv[1:]:
    try:
        main(["explain", path, "--provider", "vllm", "-H", "X-A: 1"])
    except SystemExit as ended:
        assert ended.code == 0
"""


def test_without_hosts(write: Write) -> None:
    """The commands neither need a host nor load one."""
    callback = "litellm_settings: {callbacks: [extra_headers.forwarding.litellm.callback]}"
    proxy = f"model_list: [{{model_name: vllm, litellm_params: {{model: openai/a}}}}]\n{callback}\n"
    done = _run(sys.executable, "-c", _WITHOUT_HOSTS, write(provider("{}")), write(proxy, "config.yaml"))
    assert (done.returncode, done.stdout.count("X-A: forwarded")) == (0, 2), done


class TestCompletion:
    """The line that `--help` prints works in a real bash."""

    @pytest.mark.parametrize(
        ("words", "expected"), [(["che"], ["check"]), (["explain", "run.yaml", "--pro"], ["--provider"])]
    )
    def test_words(self, invoke: Invoke, words: list[str], expected: list[str]) -> None:
        """Commands and options are completed."""
        (line,) = re.findall(r"bash: (eval .*)", invoke("--help").out)
        script = (
            f"{line}\nCOMP_WORDS=(extra-headers {' '.join(words)}) COMP_CWORD={len(words)}\n"
            "_extra_headers_completion extra-headers\n"
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        bash = shutil.which("bash")
        assert bash is not None
        done = _run(bash, "--norc", "-c", script)
        assert (done.stdout.split(), done.stderr) == (expected, "")


def test_as_a_module(write: Write) -> None:
    """`python -m extra_headers.forwarding` is the same command, with the same name in its messages."""
    done = _run(sys.executable, "-m", "extra_headers.forwarding", "check", write("providers: {}\n"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: extra-headers check" in _run(sys.executable, "-m", "extra_headers.forwarding", "check", "-h").stdout
