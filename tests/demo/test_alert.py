"""`extra-headers demo --prometheus`: a real attack, a real Prometheus, and the alert as Alertmanager received it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.dashboards.programs import program
from tests.demo.running import COMMAND, RunningDemo, port_options


@pytest.fixture
def _programs() -> None:
    program("prometheus")
    program("prometheus-alertmanager")


@pytest.mark.usefixtures("_programs")
def test_the_spike_alert_fires_and_arrives(tmp_path: Path) -> None:
    """The alert goes from inactive over pending to firing, and is printed with its labels and annotations."""
    with RunningDemo(tmp_path, "--prometheus") as demo:
        assert demo.end() == 0, demo.output + demo.errors
        output = demo.output
        assert demo.processes() == []

    told = output[output.index("An attack ─") :]
    states = [
        state for line in told.splitlines() for state in ("inactive", "pending", "firing") if f"s  {state}" in line
    ]
    assert list(dict.fromkeys(states)) == ["inactive", "pending", "firing"]
    for line in (
        "alertname    ExtraHeadersBlockedSpike",
        "provider     vllm",
        "severity     warning",
        "runbook_url  docs/runbooks/ExtraHeadersBlockedSpike.md",
        "hostile headers none got through",
    ):
        assert line in told


@pytest.mark.usefixtures("_programs")
def test_ctrl_c_while_waiting_for_the_alert_leaves_nothing(tmp_path: Path) -> None:
    """Prometheus, Alertmanager and the server end with the demo."""
    with RunningDemo(tmp_path, "--prometheus") as demo:
        demo.wait_for("An attack ─")
        demo.signal(signal.SIGINT)

        assert demo.end() == 130
        assert demo.processes() == []
        assert "Traceback" not in demo.errors


def test_missing_programs_are_named_before_anything_starts(tmp_path: Path) -> None:
    """Without Prometheus the demo says what to install, and exits 2 at once."""
    done = subprocess.run(  # noqa: S603 - the command under test
        [str(COMMAND), "demo", "--prometheus", *port_options()],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert "not installed: prometheus and prometheus-alertmanager" in done.stderr
    assert "apt-get install prometheus prometheus-alertmanager" in done.stderr
