"""How `extra-headers demo` ends: by a signal at any time, and after `--keep`, which leaves nothing behind."""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from extra_headers.forwarding.cli.demo.scenarios import PROVIDER_KEY
from tests.demo.running import COMMAND, SECONDS, RunningDemo


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Return a demo that waits for requests."""
    with RunningDemo(tmp_path_factory.mktemp("kept"), "--keep") as demo:
        demo.wait_for("Waiting for requests")
        yield demo


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
