"""The audit log as a real server writes it: in the host's own log, in either of its formats, and beside it."""

import json
from pathlib import Path
from typing import Any

import pytest

from extra_headers.telemetry import contract
from tests.server.stack import ENDPOINTS, Stack
from tests.telemetry.servers import running

_USER = "[bold red]eve[/] \u00e9\u009b31m\u2028\u202e"
_SECRET = "a-secret-value"


def _authenticate_by_header(config: dict[str, Any]) -> None:
    config["server"]["auth"] = {"provider_config": {"type": "upstream_header", "principal_header": "x-auth-user"}}


def _send(stack: Stack, headers: dict[str, str]) -> None:
    target = ENDPOINTS["chat"]
    answer = stack.client.post(
        stack.server.url + target.path,
        json={"model": f"on/{target.model}", **target.body},
        headers={
            b"x-auth-user": _USER.encode(),
            b"X-OGX-Provider-Data": json.dumps({"vllm_extra_headers": headers}).encode(),
        },
    )
    assert answer.status_code == 200, answer.text


def _check_start(lines: list[dict[str, Any]]) -> None:
    """Check what the server logged when it started."""
    said = [
        (line["level"], str(line["event"])) for line in lines if str(line.get("event")).startswith("extra_headers: ")
    ]
    providers = [event for level, event in said if level == "info" and "extra_headers: provider " in event]
    assert len(providers) == 3
    (on,) = [event for event in providers if event.startswith("extra_headers: provider on (remote::vllm): policy ")]
    assert on.endswith(
        "allow all that is not blocked, block 0 and the core blocklist, unblock 0, on_blocked drop, on_malformed reject"
    )
    (metrics,) = [event for level, event in said if level == "warning" and "metrics" in event]
    assert "for scrapers on this machine only; OGX_METRICS_HOST opens them" in metrics


def test_in_the_hosts_json_log(tmp_path: Path) -> None:
    """A record is one JSON object with the keys of the schema at its top, not JSON in a string; clean ones, too."""
    with running(
        tmp_path, {"OGX_LOG_FORMAT": "json", "EXTRA_HEADERS_AUDIT": "all"}, change=_authenticate_by_header
    ) as stack:
        _send(stack, {"X-A": _SECRET, "Cookie": _SECRET})
        _send(stack, {"X-A": _SECRET})
        log = stack.server.log

    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    _check_start(lines)
    stopped, clean = [line for line in lines if line.get("event_name") == contract.EVENT_DECISION]
    assert stopped["level"] == "warning"
    assert stopped["event"].startswith("provider on: request filtered; stopped: Cookie (credential); user: \\u005bbold")
    assert stopped["extra_headers.stopped.rules"] == ["cookie"]
    assert stopped["extra_headers.forwarded.count"] == 1
    assert (clean["level"], clean["extra_headers.outcome"]) == ("info", "clean")
    assert _SECRET not in log


def test_in_the_hosts_console(tmp_path: Path) -> None:
    """The host breaks every line at its width; no text of a caller becomes markup or a control code."""
    with running(tmp_path, {"OGX_LOG_WIDTH": "2000"}, change=_authenticate_by_header) as stack:
        _send(stack, {"X-A": _SECRET, "Cookie": _SECRET})
        log = stack.server.log

    (line,) = [line for line in log.splitlines() if contract.EVENT_DECISION in line]
    assert "provider on: request filtered; stopped: Cookie (credential); user: \\u005bbold red\\u005deve" in line
    assert "extra_headers.stopped.rules=['cookie']" in line
    assert line.isprintable()
    assert _SECRET not in log


@pytest.mark.parametrize("target", ["stderr", "audit.jsonl"])
def test_as_lines_of_its_own(tmp_path: Path, target: str) -> None:
    """A record is one line of JSON, however narrow the host's console is, and is not in the host's log besides."""
    (tmp_path / "logs").mkdir()
    where = target if target == "stderr" else str(tmp_path / "logs" / target)
    environment = {"OGX_LOG_WIDTH": "40", "EXTRA_HEADERS_AUDIT_LOG": where}
    with running(tmp_path, environment, change=_authenticate_by_header) as stack:
        for _ in range(3):
            _send(stack, {"X-A": _SECRET, "Cookie": _SECRET})
        log = stack.server.log

    text = log if target == "stderr" else Path(where).read_text()
    records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [record["extra_headers.stopped.names"] for record in records] == [["Cookie"]] * 3
    assert {record["user.id"] for record in records} == {_USER}
    assert "request filtered" not in log
    assert _SECRET not in text + log
