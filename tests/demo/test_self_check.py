"""The demo checks itself: what it takes for a fault in its own story."""

from collections import Counter

import pytest

from extra_headers.forwarding.cli.demo import run, runner
from extra_headers.forwarding.cli.demo.client import Reply
from extra_headers.forwarding.cli.demo.runner import Arrival, Counted, Exchange
from extra_headers.forwarding.cli.demo.scenarios import PROVIDER_KEY, SCENES, SECRETS
from extra_headers.forwarding.policy.decision import DecisionKind, Outcome, Reason
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from tests.demo.running import exit_code


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
        return "; ".join(runner._faults(self.OVERRIDE, [exchange], counted, 1, first))

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
