"""What all folders share: the markers `server` and `slow`, a recording provider, and tracing.

The markers follow from what a test file imports and where it is, so that no test has to declare them.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from extra_headers.forwarding.testing.processes import ServerProcess
from extra_headers.forwarding.testing.programs import start_program
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests import schedule
from tests.forked import ForkedHosts
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
    *("providers/", "load/", "faults/"),
    *("dashboards/test_scale_out.py", "demo/test_alert.py", "demo/test_end.py", "dashboards/test_end_to_end.py"),
    *("telemetry/test_canary.py", "telemetry/test_fails_open.py"),
    *("watch/test_terminal.py", "watch/test_command.py"),
)
"""The longest first."""


if "PYTEST_XDIST_WORKER" in os.environ:
    # `make coverage` measures the workers. Not the programs that they start: tracing these doubles what they cost.
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for runs with few servers, and for doubts about `tests/forked.py`."""
    parser.addoption("--start-for-real", action="store_true", help="start every host in a new interpreter")


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
    """Mark the tests, and run first what takes long: the others then fill the workers evenly to the end."""
    for item in items:
        if _starts_servers(item.path):
            item.add_marker(pytest.mark.server)
        if _slowness(item.path) < len(_SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: (_slowness(item.path), not schedule.is_folder(item.nodeid)))


@cache
def _slowness(file: Path) -> int:
    name = file.relative_to(_TESTS).as_posix()
    return next((i for i, path in enumerate(_SLOW) if name.startswith(path)), len(_SLOW))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> schedule.ByServer | None:
    """Give the files that share a server to one worker."""
    return schedule.scheduler(config, log)


@pytest.fixture(scope="session", autouse=True)
def no_authorities() -> Iterator[Mapping[str, str]]:
    """Give clients no public authorities, and return the variables that named some.

    Reading them costs each new client 30 ms, and no test needs one. It lasts for the session, because servers of a
    session inherit it.
    """
    named = {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SSL_CERT_FILE", raising=False)
        environment.setenv("SSL_CERT_DIR", str(_TESTS))
        yield named


@pytest.fixture(scope="session", autouse=True)
def _forked_hosts(pytestconfig: pytest.Config) -> Iterator[None]:
    """Start hosts without importing their libraries anew."""
    with ForkedHosts() as hosts, pytest.MonkeyPatch.context() as patched:
        if not pytestconfig.option.start_for_real:
            patched.setattr(ServerProcess, "start_program", staticmethod(hosts.start))
        yield


@pytest.fixture
def start_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the hosts of a test as operators do."""
    monkeypatch.setattr(ServerProcess, "start_program", staticmethod(start_program))


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
