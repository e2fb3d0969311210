"""`extra-headers watch` as people run it: in a pipe, on a terminal, against servers that come and go."""

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from extra_headers.forwarding import Policy
from extra_headers.forwarding.demo.server import free_port
from tests.telemetry.servers import running
from tests.watch.endpoint import SECONDS, Server, answering, wait_until

COMMAND = str(Path(sys.executable).with_name("extra-headers"))
_DRIVEN = {"FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TERM"}
_CONTROL = r"\x1b\[[0-9;?]*[A-Za-z]"


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
        return re.sub(_CONTROL, "", pictures[-1]).replace("\r", "") if len(pictures) > 1 else ""

    def wait_for(self, *texts: str) -> None:
        """Wait until all of `texts` are on the screen, or in the lines of a pipe."""
        wait_until(lambda: all(text in (self.screen or self.raw) for text in texts), lambda: f"{texts} in {self.raw}")

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


@pytest.fixture
def server() -> Server:
    """Return a server that has seen one override attempt."""
    server = Server(vllm=Policy(), other=Policy(allow=("x-tenant",)))
    server.receive("vllm", {"Authorization": "the-secret", "X-Team": "blue"})
    return server


class TestOnce:
    """One reading, for scripts."""

    def test_prints_totals_and_ends(self, server: Server) -> None:
        """Each line says what it is about; nothing is coloured and nothing is on stderr."""
        with server.serving() as url:
            done = once("--once", url)
        assert (done.returncode, done.stderr) == (0, "")
        lines = [re.sub(r"\d\d:\d\d:\d\d", "TIME", line) for line in done.stdout.splitlines()]
        assert lines == [
            f"endpoint {url} read at TIME",
            "decision vllm  blocked    credential  -/s  total=1",
            "decision vllm  forwarded  allowed     -/s  total=1",
            "blocked-name vllm  credential  authorization  -/s  total=1",
            "override-attempt none since TIME; 1 in the counters",
            *(
                f"policy {provider} remote::vllm {digest} on_blocked=drop on_malformed=reject  on 1 of 1 endpoint"
                for provider, digest in (("other", Policy(allow=("x-tenant",)).digest), ("vllm", Policy().digest))
            ),
        ]

    def test_adds_up_replicas_and_marks_drift(self, server: Server) -> None:
        """Several endpoints are one server, and those of another policy stand out."""
        other = Server(vllm=Policy(block=("x-team",)))
        other.receive("vllm", {"Authorization": "a"})
        with server.serving() as first, other.serving() as second:
            done = once("--once", first, second)
        assert "credential  -/s  total=2" in done.stdout
        assert [line[-5:] for line in done.stdout.splitlines() if " on 1 of 2 endpoints" in line] == ["DRIFT"] * 2

    def test_fails_where_an_endpoint_is_not_read(self, server: Server) -> None:
        """The others are shown all the same."""
        down = f"http://127.0.0.1:{free_port()}/metrics"
        with server.serving() as url:
            done = once("--once", url, down)
        assert (done.returncode, done.stderr) == (1, "")
        assert re.search(rf"^endpoint {down} down since [\d:]+: nothing listens there$", done.stdout, re.MULTILINE)
        assert "total=1" in done.stdout

    def test_says_what_to_set_where_there_are_no_counters(self) -> None:
        """A server without the add-on is told from one that is down."""
        with answering(b"HTTP/1.1 200 OK\r\n\r\n", b"process_cpu_seconds_total 1\n") as url:
            done = once("--once", url)
        assert done.returncode == 1
        assert "OGX_METRICS_ENDPOINT_ENABLED=1" in done.stdout


class TestUsage:
    """Wrong usage is one sentence, and exit code 2."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["localhost:9464"], "'localhost:9464' is no URL; write it like http://127.0.0.1:9464/metrics"),
            (["ftp://host/"], "'ftp://host/' is no URL; write it like http://127.0.0.1:9464/metrics"),
            (["http://me:secret@host/"], "a URL with a user name or password is not supported"),
            (["http://h/", "http://h/"], "http://h/ is given twice, and would be counted twice"),
            (["--interval", "0"], "Invalid value for '--interval': 0 is not in the range 1<=x<=3600."),
            (["--interval", "nan"], "Invalid value for '--interval': 'nan' is not a valid integer range."),
        ],
    )
    def test_is_told(self, arguments: Sequence[str], message: str) -> None:
        """The message says what would be right, and shows no password."""
        done = once(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"extra-headers watch: {message}\n")


class TestPipe:
    """Lines instead of a screen."""

    def test_prints_a_block_for_each_reading(self, server: Server) -> None:
        """Rates and a new override attempt show in a later block; there is no control code even if colour is forced."""
        with server.serving() as url, watching(url, FORCE_COLOR="1") as watch:
            watch.wait_for("none since", "\n\n")
            server.receive("vllm", {"Cookie": "the-secret"})
            watch.wait_for("vllm: cookie (credential); 2 in the counters")
            assert watch.end(signal.SIGINT) == 130
        assert "\x1b" not in watch.raw
        assert "secret" not in watch.raw

    def test_waits_for_a_server_and_outlives_it(self, server: Server) -> None:
        """One that is not there yet, and one that goes away, are lines with since when, and the numbers stay."""
        port = free_port()
        with watching(f"http://127.0.0.1:{port}/metrics") as watch:
            watch.wait_for("down since", "nothing listens there\n")
            with server.serving(port):
                watch.wait_for("read at", "total=1")
            watch.wait_for("nothing listens there; the numbers are its last")
            with Server(vllm=Policy()).serving(port):
                wait_until(lambda: "read at" in watch.raw.rpartition("its last")[2], lambda: watch.raw)
            assert watch.end(signal.SIGTERM) == 143
        assert "Traceback" not in watch.raw

    def test_ends_with_its_reader(self, server: Server) -> None:
        """`watch | head` is no error."""
        with server.serving() as url:
            done = subprocess.run(  # noqa: S602 - the command under test
                f"{COMMAND} watch --interval 1 {url} | head -2",
                shell=True,
                capture_output=True,
                text=True,
                check=True,
                timeout=SECONDS,
            )
        assert len(done.stdout.splitlines()) == 2
        assert done.stderr == ""


class TestTerminal:
    """The screen, in a pseudo-terminal."""

    def test_shows_everything_and_gives_the_terminal_back(self, server: Server) -> None:
        """Decisions, names, the override attempt and the policies; after Ctrl-C the old screen and cursor are back."""
        with server.serving() as url, watching(url, size=(40, 100)) as watch:
            watch.wait_for(f"✓ {url}", "none since", "1 in the counters", "blocked", "authorization", Policy().digest)
            for _ in range(3):
                server.receive("other", {"Cookie": "the-secret"})
            watch.wait_for("other: cookie (credential); 4 in the counters")
            assert all(len(line) <= 100 for line in watch.screen.splitlines())
            assert watch.end(signal.SIGINT) == 130
        assert "\x1b[?1049h" in watch.raw
        assert watch.raw.rindex("\x1b[?1049l") > watch.raw.rindex("\x1b[?1049h")
        assert watch.raw.rindex("\x1b[?25h") > watch.raw.rindex("\x1b[?25l")
        assert "Traceback" not in watch.raw
        assert "secret" not in watch.raw

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_gives_the_terminal_back_on_other_signals(self, server: Server, number: signal.Signals) -> None:
        """However it is ended, with the exit code of that signal."""
        with server.serving() as url, watching(url, size=(24, 80)) as watch:
            watch.wait_for("authorization")
            assert watch.end(number) == 128 + number
        assert watch.raw.rindex("\x1b[?1049l") > watch.raw.rindex("\x1b[?1049h")

    @pytest.mark.parametrize("size", [(24, 80), (10, 30), (60, 200), (3, 8)])
    def test_fits_any_terminal(self, server: Server, size: tuple[int, int]) -> None:
        """No line is wider and no picture higher than the terminal."""
        with server.serving() as url, watching(url, size=size) as watch:
            wait_until(lambda: watch.raw.count("\x1b[H") > 6, lambda: watch.raw)
            complete = re.sub(_CONTROL, "", watch.raw.split("\x1b[H")[-2]).splitlines()
            assert watch.end(signal.SIGINT) == 130
        assert len(complete) <= size[0]
        assert max(map(len, complete)) <= size[1]
        assert "Traceback" not in watch.raw

    def test_follows_the_size_of_the_terminal(self, server: Server) -> None:
        """A terminal that becomes wide shows names beside decisions."""
        with server.serving() as url, watching(url, size=(30, 80)) as watch:
            watch.wait_for("Top blocked names")
            fcntl.ioctl(watch._output, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 160, 0, 0))
            side_by_side = r"Decisions .*Top blocked names"
            wait_until(lambda: re.search(side_by_side, watch.screen) is not None, lambda: watch.screen)

    def test_honours_no_color(self, server: Server) -> None:
        """With NO_COLOR there may be bold text, and no colour."""
        with server.serving() as url, watching(url, size=(30, 80), NO_COLOR="1") as watch:
            watch.wait_for("authorization")
            colours = re.findall(r"\x1b\[[\d;]*3[0-7][\d;]*m", watch.raw)
        assert colours == []

    def test_shows_lines_on_a_dumb_terminal(self, server: Server) -> None:
        """A terminal that cannot be drawn on gets the lines of a pipe."""
        with server.serving() as url, watching(url, size=(30, 80), TERM="dumb") as watch:
            watch.wait_for("override-attempt none since")
        assert "\x1b" not in watch.raw

    def test_shows_a_hostile_endpoint_as_text(self) -> None:
        """Markup and control codes of an endpoint do nothing."""
        labels = 'provider="[bold]x[/]\x1b[2J\x1b]0;owned\x07",decision="blocked",reason="[/nothing]"'
        body = f"extra_headers_decisions_total{{{labels}}} 1e308\n".encode()
        with answering(b"HTTP/1.1 200 OK\r\n\r\n", body) as url, watching(url, size=(30, 160)) as watch:
            watch.wait_for(r"[bold]x[/]\x1b[2J\x1b]0;owned\x07", "[/nothing]", "1e+308")
        assert "\x1b[2J" not in watch.raw.partition("\x1b[H")[2]
        assert "\x1b]0" not in watch.raw

    def test_waits_for_a_server(self) -> None:
        """Before there is anything to show, it says what is missing."""
        url = f"http://127.0.0.1:{free_port()}/metrics"
        with watching(url, size=(24, 100)) as watch:
            watch.wait_for(f"✗ {url}  down since", "nothing listens there", "waiting for numbers")


def test_reads_a_real_server(tmp_path: Path) -> None:
    """The counters of an OGX server, its own metrics beside them."""
    with running(tmp_path) as stack, watching(stack.metrics_url) as watch:
        watch.wait_for("override-attempt none since")
        stack.send("on", {"X-Team": "blue", "Authorization": "Bearer the-secret"})
        watch.wait_for("on: authorization (credential); 1 in the counters")
        lines = watch.raw.rpartition("endpoint ")[2] + watch.raw
    assert re.search(r"^decision on +blocked +credential +[\d.]+/s +total=1$", lines, re.MULTILINE)
    assert {line.split()[1] for line in lines.splitlines() if line.startswith("policy ")} == {
        "on",
        "reject_both",
        "drop_both",
    }
    assert "secret" not in watch.raw
