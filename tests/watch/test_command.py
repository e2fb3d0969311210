"""`extra-headers watch` as people run it: once, wrongly, in a pipe, against servers that come and go."""

import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from extra_headers.forwarding import Policy
from extra_headers.forwarding.testing.processes import free_port
from tests.telemetry.servers import running
from tests.watch.endpoint import SECONDS, Server, answering, wait_until
from tests.watch.running import COMMAND, once, watching


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
        hint = "Try 'extra-headers watch --help'."
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"extra-headers watch: {message}\n{hint}\n")


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
