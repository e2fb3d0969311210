"""The end of `extra-headers demo`: by a signal in each phase, and after `--keep`. Nothing is left behind."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from extra_headers.forwarding.cli.demo.scenarios import PROVIDER_KEY
from tests.dashboards.programs import program
from tests.demo.running import COMMAND, SECONDS, RunningDemo

_STOPPED = "extra-headers demo: stopped; nothing is left running\n"
_PHASES = {
    "starting OGX": (signal.SIGHUP, 129),
    "1  An allowed header": (signal.SIGTERM, 143),
    "An attack ─": (signal.SIGINT, 130),
}
"""What is printed when a phase has begun; a signal, and the exit code."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Return a demo that waits for requests, after an attack if Prometheus and Alertmanager are installed."""
    monitored = (
        ["--prometheus"] if os.environ.get("CI") or (which("prometheus") and which("prometheus-alertmanager")) else []
    )
    with RunningDemo(tmp_path_factory.mktemp("kept"), "--keep", *monitored) as demo:
        demo.wait_for("Waiting for requests")
        yield demo


@pytest.mark.parametrize("phase", _PHASES)
def test_a_signal_stops_everything(tmp_path: Path, phase: str) -> None:
    """A signal ends the demo and its servers in every phase, with one sentence and no traceback."""
    if phase.startswith("An attack"):
        program("prometheus")
        program("prometheus-alertmanager")
    number, code = _PHASES[phase]
    with RunningDemo(tmp_path, *(["--prometheus"] if phase.startswith("An attack") else [])) as demo:
        demo.wait_for(phase)
        assert len(demo.processes()) >= 2
        demo.signal(number)
        assert demo.end() == code
        assert demo.errors == _STOPPED
        assert demo.left_behind() == ([], [])


class TestKeep:
    """`--keep` leaves everything running. The tests run in this order, on one demo."""

    def test_the_alert_fires_and_arrives(self, kept: RunningDemo) -> None:
        """The alert goes from inactive over pending to firing, and is printed with its labels and annotations."""
        program("prometheus")
        program("prometheus-alertmanager")
        attack = kept.output[kept.output.index("An attack ─") :]
        states = re.findall(r"^ +\d+ s  (\w+)", attack, re.MULTILINE)
        assert list(dict.fromkeys(states)) == ["inactive", "pending", "firing"]
        for line in (
            r"alertname +ExtraHeadersBlockedSpike",
            r"provider +vllm",
            r"severity +warning",
            r"runbook_url +\S*ExtraHeadersBlockedSpike",
            r"✓ Firing \d+ s after the attack started; all \d+ hostile headers were blocked",
        ):
            assert re.search(line, attack)

    @staticmethod
    def commands(kept: RunningDemo) -> list[str]:
        """Return the printed curl commands."""
        return re.findall(r"^(curl (?:.*\\\n)*.*)$", kept.output, re.MULTILINE)

    def test_prints_commands_that_work(self, kept: RunningDemo) -> None:
        """Each printed curl command runs in a shell; requests that reach the provider are printed."""
        passes, override, malformed, counters = [
            subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=SECONDS).stdout  # noqa: S602 - as printed
            for command in self.commands(kept)[:4]
        ]
        assert '"content":"hi"' in passes
        assert '"content":"hi"' in override
        assert "nothing was sent to the provider" in malformed
        assert 'extra_headers_decisions_total{decision="blocked",provider="vllm",reason="credential"} 2.0' in counters
        kept.wait_for("x-team: blue", count=2)
        assert kept.output.count("provider received POST /v1/chat/completions") == 2
        assert kept.output.rpartition("Waiting for requests")[2].count(f"authorization: Bearer {PROVIDER_KEY}") == 2

    def test_prints_a_watch_command_that_works(self, kept: RunningDemo) -> None:
        """The printed `watch` command finds the counters, policies and shadow differences of a real server."""
        (arguments,) = re.findall(r"^\S*extra-headers (watch \S+)$", kept.output, re.MULTILINE)
        done = subprocess.run(  # noqa: S603 - as printed
            [COMMAND, *arguments.split(), "--once"], capture_output=True, text=True, check=True, timeout=SECONDS
        )
        for line in (
            r"^endpoints 1 up, 0 down$",
            r"^decision vllm +blocked +credential +total=2$",
            r"^blocked-name vllm +credential +authorization +total=2$",
            r"^override-attempt none since [\d:]+; 3 in total$",
            r"^policy vllm +[0-9a-f]{12} +on 1 of 1 endpoint +remote::vllm +on_blocked=drop +on_malformed=reject$",
            r"^shadow vllm-identity +forwarded -> blocked \(not_allowed\) +total=1$",
        ):
            assert re.search(line, done.stdout, re.MULTILINE), line

    def test_prints_an_explain_command_that_works(self, kept: RunningDemo) -> None:
        """The printed `explain` command names the rule."""
        (arguments,) = re.findall(r"^\S*extra-headers (explain \S.*)$", kept.output, re.MULTILINE)
        done = subprocess.run(  # noqa: S603 - as printed
            [COMMAND, *shlex.split(arguments)], capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert (done.returncode, done.stderr) == (1, "")
        assert "Authorization: blocked (credential)\n  authorization  core blocklist: " in done.stdout

    def test_ends_on_ctrl_c(self, kept: RunningDemo) -> None:
        """Ctrl-C is the normal end: exit code 0, and nothing is left."""
        kept.signal(signal.SIGINT)
        assert kept.end() == 0
        assert kept.errors == _STOPPED
        assert kept.left_behind() == ([], [])
