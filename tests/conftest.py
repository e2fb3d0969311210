"""The markers `server` and `slow`, set by what a test file uses and where it is, so that no test has to say it."""

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_SERVER = ("dashboards/test_rules.py", "demo/", "faults/", "litellm/", "llama_stack/", "load/", "providers/", "server/")
_STARTING_SERVERS = {"OgxServer", "Prometheus", "RunningDemo", "SERVER", "ServerProcess", "Stack", "running"}
"""Names in a test file that start a host, the demo, or a program of Prometheus or Alertmanager."""
_SLOW = (
    *("demo/test_alert.py", "demo/test_end.py", "faults/", "load/", "providers/test_matrix.py"),
    *("telemetry/test_canary.py", "telemetry/test_fails_open.py", "telemetry/test_workers.py"),
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests, and run the slow files first: the others then fill the workers evenly to the end."""
    for item in items:
        place = item.path.relative_to(_TESTS).as_posix()
        names = vars(item.module) if isinstance(item, pytest.Function) else {}
        if place.startswith(_SERVER) or not _STARTING_SERVERS.isdisjoint(names):
            item.add_marker(pytest.mark.server)
        if place.startswith(_SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
