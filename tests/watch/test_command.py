"""`extra-headers watch`: once, with wrong arguments, in a pipe, with servers that come and go."""

import json
import re
import signal
import subprocess
from datetime import datetime

import pytest

from extra_headers.forwarding import Policy
from extra_headers.forwarding.cli import main
from extra_headers.forwarding.testing.processes import free_port
from tests.waiting import wait_until
from tests.watch.endpoint import SECONDS, Server, answering
from tests.watch.running import COMMAND, once, watching

_OTHER = Policy(allow=("x-tenant",))


class TestOnce:
    """One reading, for scripts."""

    def test_prints_totals_and_ends(self, server: Server) -> None:
        """The first word of each line is the kind of fact; nothing is coloured and nothing is on stderr."""
        with server.serving() as url:
            done = once("--once", url.removeprefix("http://").removesuffix("/metrics"))
        assert (done.returncode, done.stderr) == (0, "")
        lines = [re.sub(r"\d\d:\d\d:\d\d", "TIME", line) for line in done.stdout.splitlines()]
        assert lines == [
            f"endpoint {url} read at TIME",
            "endpoints 1 up, 0 down",
            "decision vllm  blocked    credential  total=1",
            "decision vllm  forwarded  allowed     total=1",
            "blocked-name vllm  credential  authorization  total=1",
            "override-attempt none since TIME; 1 in total",
            f"policy other  {_OTHER.digest}  on 1 of 1 endpoint  remote::vllm  on_blocked=drop  on_malformed=reject",
            f"policy vllm   {Policy().digest}  on 1 of 1 endpoint  remote::vllm  on_blocked=drop  on_malformed=reject",
        ]

    def test_adds_up_replicas_and_marks_what_differs(self, server: Server) -> None:
        """Totals are of all endpoints, policies that differ are marked, and endpoints that are down are counted."""
        other = Server(vllm=Policy(block=("x-team",)))
        other.receive("vllm", {"Authorization": "a"})
        down = f"http://127.0.0.1:{free_port()}/metrics"
        with server.serving() as first, other.serving() as second:
            done = once("--once", first, second, down)
        assert (done.returncode, done.stderr) == (1, "")
        assert re.search(rf"^endpoint {down} down since [\d:]+: connection refused$", done.stdout, re.MULTILINE)
        assert "\nendpoints 2 up, 1 down\n" in done.stdout
        assert "credential  total=2" in done.stdout
        assert len(re.findall(r"^policy vllm .*  DRIFT  on 1 of 2 endpoints  ", done.stdout, re.MULTILINE)) == 2

    def test_prints_json(self, server: Server) -> None:
        """With `--format json`, a reading is one object on one line."""
        down = f"http://127.0.0.1:{free_port()}/metrics"
        with server.serving() as url:
            done = once("--once", "--format", "json", url, down)
        assert (done.returncode, done.stderr) == (1, "")
        (line,) = done.stdout.splitlines()
        state = json.loads(line)
        up, failed = state["endpoints"]
        assert (up["url"], up["up"], up["failure"]) == (url, True, None)
        assert (failed["up"], failed["failure"], failed["read_at"]) == (False, "connection refused", None)
        assert datetime.fromisoformat(up["read_at"]).tzinfo
        assert (state["endpoints_up"], state["endpoints_down"]) == (1, 1)
        names = {"provider": "vllm", "reason": "credential", "header": "authorization"}
        assert state["blocked_names"] == [{**names, "total": 1, "increase": 0, "per_second": None}]
        assert state["override_attempts"] == {"total": 1, "last": None}
        assert [(p["provider"], p["digest"], p["endpoints"], p["drift"]) for p in state["policies"]] == [
            ("other", _OTHER.digest, 1, False),
            ("vllm", Policy().digest, 1, False),
        ]

    def test_says_what_to_set_where_there_are_no_counters(self) -> None:
        """A server without the add-on is told apart from one that is down."""
        with answering(b"HTTP/1.1 200 OK\r\n\r\n", b"process_cpu_seconds_total 1\n") as url:
            done = once("--once", url)
        assert done.returncode == 1
        assert "OGX_METRICS_ENDPOINT_ENABLED=1" in done.stdout


class TestUsage:
    """Wrong usage is one sentence, and exit code 2."""

    def test_is_reported(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The message suggests the fix, and shows no password."""
        for arguments, message in (
            (["run.yaml"], "'run.yaml' is not a URL; expected e.g. http://127.0.0.1:9464/metrics or 127.0.0.1:9464"),
            (["http://me:secret@host/"], "a URL with a user name or password is not supported"),
            (["h:80", "http://h:80/metrics"], "http://h:80/metrics is given twice and would be counted twice"),
            (["--interval", "0"], "Invalid value for '--interval': 0 is not in the range 1<=x<=3600."),
            (["--format", "xml"], "Invalid value for '--format': 'xml' is not one of 'text', 'json'."),
        ):
            with pytest.raises(SystemExit) as exited:
                main(["watch", *arguments])
            assert exited.value.code == 2
            output, errors = capsys.readouterr()
            hint = "Try 'extra-headers watch --help'."
            assert (output, errors) == ("", f"extra-headers watch: {message}\n{hint}\n")


class TestPipe:
    """Lines instead of a screen."""

    def test_follows_servers_that_come_and_go(self) -> None:
        """A block is printed at each reading: rates, attempts, and since when an endpoint is down."""
        port = free_port()
        with watching(f"127.0.0.1:{port}", FORCE_COLOR="1") as watch:
            watch.wait_for("down since", "connection refused\n", "endpoints 0 up, 1 down")
            server = Server(vllm=Policy())
            server.receive("vllm", {"Authorization": "the-secret"})
            with server.serving(port):
                watch.wait_for("read at", "none since", "total=1", "\n\n")
                server.receive("vllm", {"Cookie": "the-secret"})
                watch.wait_for("vllm: cookie (credential); 2 in total")
                assert re.search(r"decision vllm  blocked  credential  total=2  \d\.\d/s\n", watch.raw)
            watch.wait_for("connection refused; the numbers are its last")
            with Server(vllm=Policy()).serving(port):
                wait_until(lambda: "read at" in watch.raw.rpartition("its last")[2], lambda: watch.raw)
            assert watch.end(signal.SIGTERM) == 143
        assert not set(watch.raw) & {"\x1b"}
        assert "secret" not in watch.raw
        assert "Traceback" not in watch.raw

    def test_ends_with_its_reader(self, server: Server) -> None:
        """`watch | head` is not an error."""
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
