"""What all folders share: the markers `server` and `slow`, a recording provider, and tracing.

The markers follow from what a test file imports and where it is, so that no test has to declare them.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.tracing import Tracing, in_memory_tracing

_TESTS = Path(__file__).parent
_SERVER = (
    "dashboards/test_rules.py",
    "demo/",
    "faults/",
    "litellm/",
    "llama_stack/",
    "load/",
    "mcp/",
    "providers/",
    "server/",
)
_STARTING_SERVERS = {"OgxServer", "Prometheus", "RunningDemo", "SERVER", "ServerProcess", "Stack", "running"}
"""Names that a test file imports to start a host, the demo, or a program of Prometheus or Alertmanager."""
_IMPORTED = re.compile(r"^from \S+ import (\([^)]*\)|.*)$", re.MULTILINE)
_SLOW = (
    *("dashboards/test_end_to_end.py", "dashboards/test_scale_out.py", "demo/test_alert.py", "demo/test_end.py"),
    *("faults/", "load/", "providers/"),
    *("telemetry/test_canary.py", "telemetry/test_fails_open.py"),
)


@cache
def _starts_servers(file: Path) -> bool:
    imported = set(re.findall(r"\w+", " ".join(_IMPORTED.findall(file.read_text(encoding="utf-8")))))
    return file.relative_to(_TESTS).as_posix().startswith(_SERVER) or not _STARTING_SERVERS.isdisjoint(imported)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the files of the other kind: importing all of them takes each worker several seconds."""
    asked = {"server": True, "not server": False}.get(config.option.markexpr)
    if asked is None or not (collection_path.name.startswith("test_") and collection_path.suffix == ".py"):
        return None
    return asked != _starts_servers(collection_path) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, and run the slow files first: the others then fill the workers evenly to the end."""
    for item in items:
        if _starts_servers(item.path):
            item.add_marker(pytest.mark.server)
        if item.path.relative_to(_TESTS).as_posix().startswith(_SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give clients no public authorities: reading them costs each new client 20 ms, and no test needs one."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(_TESTS))


@pytest.fixture
def upstream() -> Iterator[RecordingProvider]:
    """Return a running provider."""
    with RecordingProvider() as running:
        yield running


@pytest.fixture
def tracing() -> Iterator[Tracing]:
    """Return a tracer provider that exports into memory."""
    with in_memory_tracing() as running:
        yield running
