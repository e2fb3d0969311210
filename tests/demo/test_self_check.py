"""The demo checks itself: results that it reports as faults."""

from collections import Counter

import pytest

from extra_headers.forwarding.cli.demo import run
from extra_headers.forwarding.cli.demo.client import Reply
from extra_headers.forwarding.cli.demo.results import Arrival, Exchange, Increases, find_faults
from extra_headers.forwarding.cli.demo.scenarios import PROVIDER_KEY, SCENARIOS, SECRETS
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from tests.demo.running import exit_code

OVERRIDE = SCENARIOS[2]


def faults(credential: str, decisions: Counter[tuple[str, ...]], status: int = 200) -> str:
    """Return the faults that are found in the override scenario."""
    head = f"POST / HTTP/1.1\r\nauthorization: Bearer {credential}\r\nx-maas-subscription: free-tier\r\n\r\n"
    arrival = Arrival(ReceivedRequest(head.encode(), b"{}"), frozenset({"authorization"}))
    exchange = Exchange(OVERRIDE.callers[0], Reply(status, None, (0.0, 1.0)), arrival)
    first = Arrival(ReceivedRequest(head.replace(credential, PROVIDER_KEY).encode(), b"{}"), arrival.ordinary)
    counted = Increases(decisions, OVERRIDE.expected_requests(), {}, Counter(), 0)
    return "; ".join(find_faults(OVERRIDE, [exchange], counted, first))


def test_faults_of_a_scenario() -> None:
    """Another credential at the provider, another count and another status are faults, each by itself."""
    expected = OVERRIDE.expected_decisions()
    assert faults(PROVIDER_KEY, expected) == ""
    assert "another Authorization than its own key" in faults("attacker", expected)
    assert "answered 500" in faults(PROVIDER_KEY, expected, status=500)
    assert faults(PROVIDER_KEY, Counter({("forwarded", "allowed"): 1})) == (
        "decisions counted: forwarded/allowed +1; expected: blocked/credential +1, forwarded/allowed +1"
    )


def test_a_fault_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's exit code is 1."""
    monkeypatch.setattr(run, "run", lambda *_args, **_options: False)
    assert exit_code("demo") == 1


def test_every_header_value_is_searched_for() -> None:
    """Every header value contains a word that is searched for in telemetry and log."""
    values = [value for scenario in SCENARIOS for headers in scenario.callers for value in (headers or {}).values()]
    assert [value for value in values if not any(word in value for word in SECRETS)] == []
