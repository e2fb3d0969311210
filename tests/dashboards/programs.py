"""Finds the real programs that the tests run, and runs those that end; a missing one fails in CI, else skips."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEBIAN_PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "faketime": "faketime",
    "haproxy": "haproxy",
    "node": "nodejs",
    "npm": "npm",
    "jq": "jq",
}


def program(name: str) -> str:
    """Return the path of a program, or end the test."""
    if path := shutil.which(name):
        return path
    message = (
        f"{name} is not installed. On Debian: apt-get install {DEBIAN_PACKAGES[name]} (or `make tools`); elsewhere "
        "install what it belongs to so that it is on PATH under this name"
    )
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it said."""
    command = [program(name), *map(str, arguments)]
    environment = {**os.environ, "GOGC": "1000"}  # promtool spends a third of its time collecting garbage
    return subprocess.run(  # noqa: S603 - ours
        command, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
