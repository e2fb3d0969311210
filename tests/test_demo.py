"""`extra-headers demo` as people run it: a process with real servers, its output, its errors and its end."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from extra_headers.forwarding.cli import main
from extra_headers.forwarding.decisions import DecisionKind, Outcome, Reason
from extra_headers.forwarding.demo import play, run
from extra_headers.forwarding.demo.client import Reply
from extra_headers.forwarding.demo.play import Arrival, Counted, Exchange
from extra_headers.forwarding.demo.story import PROVIDER_KEY, SCENES, SECRETS
from extra_headers.forwarding.demo.upstream import ReceivedRequest
from tests.docs.pages import ROOT, blocks

COMMAND = Path(sys.executable).with_name("extra-headers")
SECONDS = 60.0
"""The demo's own promise, and the deadline of every wait."""


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nothing listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def port_options() -> list[str]:
    """Return the options that move the demo to free ports."""
    names = ("--port", "--upstream-port", "--metrics-port")
    return [part for name, port in zip(names, free_ports(3), strict=True) for part in (name, str(port))]


class RunningDemo:
    """`extra-headers demo` in a session of its own, as a shell would start it; its output as it comes.

    Every process that comes of it has MARK in its environment, whatever becomes of its parent or its group.
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
        """Wait until `text` stands in `count` lines."""
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
        """Return the ids of the demo and of all processes that came of it."""
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
        """Return the processes and the files that are left of it."""
        return self.processes(), sorted({path.name for path in self.directory.iterdir()} - {"stderr"})

    def section(self, heading: str) -> str:
        """Return the lines under a heading."""
        start = next(i for i, line in enumerate(self.lines) if line.startswith(heading))
        length = self.lines[start:].index("") if "" in self.lines[start:] else None
        return "\n".join(self.lines[start : length and start + length])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Return a demo that has run to its end."""
    with RunningDemo(tmp_path_factory.mktemp("demo")) as demo:
        code = demo.end()
        assert code == 0, demo.output + demo.errors
        yield demo


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Return a demo that waits for requests."""
    with RunningDemo(tmp_path_factory.mktemp("kept"), "--keep") as demo:
        demo.wait_for("Waiting for requests")
        yield demo


class TestStory:
    """What a complete run shows, in a pipe."""

    def test_takes_less_than_a_minute_and_complains_of_nothing(self, told: RunningDemo) -> None:
        """A run ends in time, with nothing on stderr and a line that says all went as told."""
        assert told.seconds < SECONDS
        assert told.errors == ""
        assert re.search(
            r"^✓ All as told in \d+ s: 26 calls, 4 headers stopped, no header value", told.output, re.MULTILINE
        )

    def test_leaves_nothing_behind(self, told: RunningDemo) -> None:
        """Afterwards neither a process nor a temporary file is left."""
        assert told.left_behind() == ([], [])

    def test_is_plain_text_in_a_pipe(self, told: RunningDemo) -> None:
        """Without a terminal there are no colours or control codes, no padding, and no line over 100 columns."""
        assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f\x9b]", told.output) == []
        *lines, command = told.lines
        assert command.endswith("--keep")  # to be copied, so never broken
        assert [line for line in lines if line != line.rstrip() or len(line) > 100] == []

    def test_shows_progress_while_the_server_starts(self, told: RunningDemo) -> None:
        """In a pipe, lines say that the server is starting, and after how long it was ready."""
        assert re.search(r"starting OGX [\d.]+\n  still starting after \d s\n", told.output)
        assert re.search(r"^✓ OGX [\d.]+ .* ready after \d+ s$", told.output, re.MULTILINE)

    def test_shows_the_run_config_with_our_lines_marked(self, told: RunningDemo) -> None:
        """The provider's entry is shown, and the two lines that make the difference stand out."""
        marked = [line for line in told.section("The run config").splitlines() if line.startswith("▶")]
        assert [line.strip("▶ ") for line in marked] == ["module: extra_headers.forwarding", "extra_headers: true"]

    def test_tells_every_scene_in_order(self, told: RunningDemo) -> None:
        """Each scene has its heading and is as told."""
        headings = [line.rstrip(" ─") for line in told.lines if re.match(r"\d  ", line)]
        assert headings == [f"{number}  {scene.title}" for number, scene in enumerate(SCENES, start=1)]
        assert "NOT AS TOLD" not in told.output

    @pytest.mark.parametrize(
        ("heading", "lines"),
        [
            (
                "1  A header that passes",
                [
                    'sent      X-OGX-Provider-Data: {"vllm_extra_headers": {"X-MAAS-SUBSCRIPTION": "free-tier"}}',
                    "decided   ✓ forwarded  X-MAAS-SUBSCRIPTION  allowed: passes the policy",
                    "counted   +1 forwarded/allowed   +1 request clean",
                    "received  POST /v1/chat/completions HTTP/1.1",
                    "authorization: Bearer the-providers-own-key   the provider's own key",
                    "x-maas-subscription: free-tier   the caller's extra header",
                ],
            ),
            (
                "2  No extra headers",
                [
                    "sent      no X-OGX-Provider-Data",
                    "decided   nothing",
                    "counted   nothing",
                    "received  authorization: Bearer the-providers-own-key   the provider's own key",
                    "other fields of every call",
                ],
            ),
            (
                "3  An Authorization override",
                [
                    "decided   ✗ blocked    Authorization        credential: the server holds the provider's",
                    "✓ forwarded  X-MAAS-SUBSCRIPTION  allowed",
                    "counted   +1 forwarded/allowed   +1 blocked/credential   +1 request filtered",
                    "received  authorization: Bearer the-providers-own-key   the provider's own key",
                    "x-maas-subscription: free-tier",
                ],
            ),
            (
                "4  An underscore spoof",
                [
                    "decided   ✗ blocked  X_Forwarded_For  client_identity: only trusted proxies",
                    "(x-forwarded-*)",
                    "counted   +1 blocked/client_identity   +1 request filtered",
                ],
            ),
            (
                "5  A CRLF injection",
                [
                    r'{"X-Note": "hello\r\nAuthorization: Bearer',
                    "decided   ✗ malformed  X-Note  value: a header value must be printable ASCII",
                    "counted   +1 malformed/value   +1 request rejected",
                    "answered  400  extra headers for provider 'vllm' rejected, nothing was sent to the provider",
                    "received  nothing: the request never left the server",
                ],
            ),
            (
                "6  Two tenants at once",
                [
                    'sent      10 x X-OGX-Provider-Data: {"vllm_extra_headers": {"X-Tenant": "acme-corp"}}',
                    '10 x X-OGX-Provider-Data: {"vllm_extra_headers": {"X-Tenant": "globex-corp"}}',
                    "counted   +20 forwarded/allowed   +20 requests clean",
                    "received  10 x x-tenant: acme-corp",
                    "10 x x-tenant: globex-corp",
                    "each call with its own caller's header and the provider's own key, and no other",
                ],
            ),
            (
                "7  A user, and a policy on trial",
                [
                    'policy    {"set": {"x-user": "${user.id}"}, "shadow": {"allow": ["x-maas-*"], "on_blocked":',
                    "decided   ✗ blocked    X_User   override: the outbound request already carries it",
                    "✓ forwarded  X-Trial  allowed: passes the policy",
                    "shadow    ✗ blocked  X-Trial  not_allowed: the operator's allow list does not name it",
                    "+1 set by the server",
                    "+1 shadow blocked/not_allowed",
                    "x-user: alice",
                ],
            ),
        ],
    )
    def test_tells_a_scene(self, told: RunningDemo, heading: str, lines: Sequence[str]) -> None:
        """A scene shows what was sent, decided and why, counted, and received by the provider."""
        section = told.section(heading)
        assert [line for line in lines if line not in section] == []

    def test_is_what_the_readme_shows(self, told: RunningDemo) -> None:
        """The excerpt in README.md is of this output, line by line."""
        (excerpt,) = [block for block in blocks(ROOT / "README.md") if block.language == "text"]
        assert excerpt.text in told.output + "\n"

    def test_shows_the_counters(self, told: RunningDemo) -> None:
        """The series that are not zero stand there as they were scraped, and add up to the story."""
        shown = told.section("The counters").splitlines()[2:]
        assert {re.sub(r"provider=\"vllm(-told)?\",?", "", line.strip()) for line in shown} == {
            'extra_headers_decisions_total{decision="forwarded",reason="allowed"} 22.0',
            'extra_headers_decisions_total{decision="forwarded",reason="allowed"} 1.0',
            'extra_headers_decisions_total{decision="blocked",reason="override"} 1.0',
            'extra_headers_requests_total{outcome="filtered",} 1.0',
            'extra_headers_server_set_total{header="x-user",result="sent"} 1.0',
            'extra_headers_decisions_total{decision="blocked",reason="credential"} 1.0',
            'extra_headers_decisions_total{decision="blocked",reason="client_identity"} 1.0',
            'extra_headers_decisions_total{decision="malformed",reason="value"} 1.0',
            'extra_headers_requests_total{outcome="clean",} 21.0',
            'extra_headers_requests_total{outcome="filtered",} 2.0',
            'extra_headers_requests_total{outcome="rejected",} 1.0',
        }

    def test_shows_the_rule_behind_each_decision(self, told: RunningDemo) -> None:
        """As `extra-headers explain` finds it in the run config, with the source of an entry of the core blocklist."""
        section = " ".join(told.section("Why").split())
        assert "extra-headers explain run.yaml --provider vllm" in section
        assert "Authorization blocked: core blocklist: RFC 9110 section 11.6.2" in section
        assert "X-MAAS-SUBSCRIPTION forwarded: nothing blocks it" in section

    def test_shows_a_client_span(self, told: RunningDemo) -> None:
        """A CLIENT span is shown as it was exported, with the decisions about its call."""
        section = told.section("A span")
        assert re.search(r"CLIENT POST +trace [0-9a-f]{32}  span [0-9a-f]{16}$", section, re.MULTILINE)
        for attribute in (
            r'extra_headers\.blocked\.names +\["Authorization"\]',
            r'extra_headers\.blocked\.reasons +\["credential"\]',
            r'extra_headers\.forwarded\.names +\["X-MAAS-SUBSCRIPTION"\]',
            r"extra_headers\.outcome +filtered",
            r"extra_headers\.provider +vllm",
        ):
            assert re.search(attribute, section)


class TestSelfCheck:
    """The demo notices when something does not go as told."""

    OVERRIDE = SCENES[2]

    def faults(self, credential: str, decisions: Counter[tuple[DecisionKind, Reason]], status: int = 200) -> str:
        """Return the faults that are found in the override scene."""
        assert self.OVERRIDE.callers[0] is not None
        head = f"POST / HTTP/1.1\r\nauthorization: Bearer {credential}\r\nx-maas-subscription: free-tier\r\n\r\n"
        arrival = Arrival(ReceivedRequest(head.encode(), b"{}"), frozenset({"authorization"}))
        exchange = Exchange(self.OVERRIDE.callers[0], Reply(status, None, (0.0, 1.0)), arrival)
        first = Arrival(ReceivedRequest(head.replace(credential, PROVIDER_KEY).encode(), b"{}"), arrival.ordinary)
        counted = Counted(decisions, Counter({Outcome.FILTERED: 1}), {}, Counter(), 0)
        return "; ".join(play._faults(self.OVERRIDE, [exchange], counted, 1, first))

    def test_finds_nothing_where_all_is_well(self) -> None:
        """A scene that goes as told has no faults."""
        assert self.faults(PROVIDER_KEY, self.OVERRIDE.expected_decisions()) == ""

    def test_finds_an_override_that_succeeded(self) -> None:
        """Another credential at the provider is a fault, whatever the counters say."""
        assert "another Authorization than its own key" in self.faults("attacker", self.OVERRIDE.expected_decisions())

    def test_finds_counters_that_disagree(self) -> None:
        """A decision that was not counted is a fault, whatever the provider received."""
        found = self.faults(PROVIDER_KEY, Counter({(DecisionKind.FORWARDED, Reason.ALLOWED): 1}))
        assert found == (
            "decisions counted: forwarded/allowed +1; expected: blocked/credential +1, forwarded/allowed +1"
        )

    def test_finds_another_answer(self) -> None:
        """A status that the story does not tell is a fault."""
        assert "answered 500" in self.faults(PROVIDER_KEY, self.OVERRIDE.expected_decisions(), status=500)

    def test_fails_when_something_is_not_as_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The command's exit code is 1 then."""
        monkeypatch.setattr(run, "run", lambda *_args, **_options: False)
        assert exit_code("demo") == 1

    def test_looks_for_every_value_of_the_story(self) -> None:
        """Every header value holds a word that is searched for in telemetry and log."""
        values = [value for scene in SCENES for headers in scene.callers for value in (headers or {}).values()]
        assert [value for value in values if not any(word in value for word in SECRETS)] == []


class TestStopping:
    """Ctrl-C, and signals like it, at any time."""

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
    def test_while_the_server_starts(self, tmp_path: Path, number: signal.Signals, code: int) -> None:
        """A signal ends the demo and the half-started server, without a traceback."""
        with RunningDemo(tmp_path) as demo:
            demo.wait_for("still starting")
            assert len(demo.processes()) >= 2
            demo.signal(number)
            assert demo.end() == code
            assert demo.errors == "extra-headers demo: stopped, and nothing is left running\n"
            assert demo.left_behind() == ([], [])

    def test_while_the_story_is_told(self, tmp_path: Path) -> None:
        """Ctrl-C amid the scenes ends everything."""
        with RunningDemo(tmp_path) as demo:
            demo.wait_for("1  A header that passes")
            demo.signal(signal.SIGINT)
            assert demo.end() == 130
            assert demo.errors == "extra-headers demo: stopped, and nothing is left running\n"
            assert demo.left_behind() == ([], [])


class TestKeep:
    """`--keep`: everything stays up for requests of one's own. The tests run in this order, on one demo."""

    @staticmethod
    def commands(kept: RunningDemo) -> list[str]:
        """Return the commands that are offered."""
        return re.findall(r"^(curl (?:.*\\\n)*.*)$", kept.output, re.MULTILINE)

    def test_offers_commands_that_work(self, kept: RunningDemo) -> None:
        """Each printed curl line can be pasted into a shell; what reaches the provider is shown."""
        passes, override, malformed, counters = [
            subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=SECONDS).stdout  # noqa: S602 - as printed
            for command in self.commands(kept)
        ]
        assert '"content":"hi"' in passes
        assert '"content":"hi"' in override
        assert "nothing was sent to the provider" in malformed
        assert 'extra_headers_decisions_total{decision="blocked",provider="vllm",reason="credential"} 2.0' in counters
        kept.wait_for("x-team: blue", count=2)
        assert kept.output.count("provider received POST /v1/chat/completions") == 2
        assert kept.output.rpartition("Waiting for requests")[2].count(f"authorization: Bearer {PROVIDER_KEY}") == 2

    def test_offers_a_view_that_works(self, kept: RunningDemo) -> None:
        """The printed `watch` line is of this program, and finds the demo's counters."""
        (arguments,) = re.findall(r"^\S*extra-headers (watch \S+)$", kept.output, re.MULTILINE)
        done = subprocess.run(  # noqa: S603 - as printed
            [COMMAND, *arguments.split(), "--once"], capture_output=True, text=True, check=True, timeout=SECONDS
        )
        assert re.search(r"^decision vllm +blocked +credential ", done.stdout, re.MULTILINE)

    def test_offers_an_explanation_that_works(self, kept: RunningDemo) -> None:
        """The printed `explain` line is of this program, and names the rule."""
        (arguments,) = re.findall(r"^\S*extra-headers (explain \S.*)$", kept.output, re.MULTILINE)
        done = subprocess.run(  # noqa: S603 - as printed
            [COMMAND, *shlex.split(arguments)], capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert (done.returncode, done.stderr) == (1, "")
        assert re.search(
            r"^Authorization +blocked +credential +authorization +core blocklist", done.stdout, re.MULTILINE
        )

    def test_ends_on_ctrl_c(self, kept: RunningDemo) -> None:
        """Ctrl-C is the way it is meant to end: success, and nothing is left."""
        kept.signal(signal.SIGINT)
        assert kept.end() == 0
        assert kept.errors == "extra-headers demo: stopped, and nothing is left running\n"
        assert kept.left_behind() == ([], [])


def exit_code(*arguments: str) -> int | str | None:
    """Run the command in this process and return its exit code."""
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    return exited.value.code


def install_fake_ogx(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make `script` the OGX server of this environment; its third argument is the run config."""
    executable = directory / "ogx"
    executable.write_text(f"#!{sys.executable}\n{script}")
    executable.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(directory / "python"))


class TestTrouble:
    """What can go wrong is told in a sentence for the person who must act."""

    @pytest.mark.parametrize("option", ["--port", "--upstream-port", "--metrics-port"])
    def test_a_taken_port(self, capsys: pytest.CaptureFixture[str], option: str) -> None:
        """The message names the port and the option that changes it, and nothing is started."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            assert exit_code("demo", *port_options(), option, str(port)) == 2
        assert capsys.readouterr() == (
            "",
            f"extra-headers demo: port {port} is taken by another process; choose a free one with {option}\n",
        )

    def test_one_port_for_two(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Two parts cannot listen on the same port."""
        (port,) = free_ports(1)
        assert exit_code("demo", *port_options(), "--port", str(port), "--metrics-port", str(port)) == 2
        assert f"port {port} is given twice; choose another one with --port" in capsys.readouterr().err

    def test_a_server_that_dies(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message holds the server's exit code and its last words."""
        install_fake_ogx(tmp_path, monkeypatch, "import sys; print('no such module: vectors'); sys.exit(3)")
        assert exit_code("demo", *port_options()) == 1
        assert capsys.readouterr().err == (
            "extra-headers demo: the server ended with exit code 3:\nno such module: vectors\n"
        )

    def test_a_server_that_stops_answering(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that is up but does not do its part is told with its last words, not with a traceback."""
        options = port_options()
        script = f"""
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        print("last words", flush=True)

HTTPServer(("127.0.0.1", {options[1]}), Handler).serve_forever()
"""
        install_fake_ogx(tmp_path, monkeypatch, script)
        assert exit_code("demo", *options) == 1
        message = r"extra-headers demo: the server stopped answering \(GET /metrics: ConnectionRefused.*\):\nlast words"
        assert re.match(message, capsys.readouterr().err)

    def test_no_ogx(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Without OGX the message says how to install it."""
        monkeypatch.setitem(sys.modules, "ogx", None)
        assert exit_code("demo") == 1
        assert "install it with: pip install 'extra-headers-forwarding[ogx]'" in capsys.readouterr().err


class TestCommandLine:
    """The group and its options."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("dmo",), "extra-headers: No such command 'dmo'"),
            (("--loud",), "extra-headers: No such option '--loud'"),
            (("demo", "--prot", "1"), "extra-headers demo: No such option '--prot'"),
            (("demo", "now"), "extra-headers demo: Got unexpected extra argument (now)"),
            (("demo", "--port", "http"), "extra-headers demo: Invalid value for '--port': 'http' is no port; give a"),
            (("demo", "--port", "70000"), "extra-headers demo: Invalid value for '--port': '70000' is no port; give a"),
        ],
    )
    def test_bad_input(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
        """Bad input gets one line that says what is wrong, and exit code 2."""
        assert exit_code(*arguments) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(message)

    @pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
    def test_help(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
        """Help, also for a bare command, says what it is for and gives an example."""
        assert exit_code(*arguments) == 0
        out = capsys.readouterr().out
        assert "module: extra_headers.forwarding" in out
        assert "extra-headers demo --keep" in out

    def test_help_of_the_demo(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Its help names the defaults and gives an example."""
        assert exit_code("demo", "--help") == 0
        out = capsys.readouterr().out
        assert "extra-headers demo --port 8400" in out
        assert "[default: 8321]" in out

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The version is the distribution's."""
        assert exit_code("--version") == 0
        assert re.fullmatch(r"extra-headers \d+\.\d+\.\d+\n", capsys.readouterr().out)

    def test_help_is_quick(self) -> None:
        """Help loads none of the libraries that only running something needs."""
        program = (
            "import sys; from extra_headers.forwarding.cli import main\n"
            "try: main(['--help'])\n"
            "finally: print(*{name.partition('.')[0] for name in sys.modules})"
        )
        shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
        assert not {"rich", "yaml", "opentelemetry", "openai", "httpx", "ogx"} & set(
            shown.stdout.splitlines()[-1].split()
        )
