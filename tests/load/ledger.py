"""What the callers of the soak know: what the server must have counted, and what it may have counted.

A request is decided before anything is sent to the provider, so that whoever got a status code has been counted, also
when they close the connection in the middle of the stream that follows. A caller whose connection broke before the
status code cannot know: such a request is between what must be and what may be counted.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.load.process import Usage
from tests.load.traffic import Decided, Request

type Outcome = tuple[str, str]
"""Provider and outcome."""


@dataclass(slots=True)
class Tally:
    """Requests in numbers."""

    decisions: Counter[Decided] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    calls: int = 0
    """At the provider and MCP servers."""
    stopped: int = 0
    """Requests that an audit record is due for, before its rate limit."""

    def add(self, request: Request, *, by_add_on: bool) -> None:
        """Add a chat or one turn."""
        self.calls += request.kind.calls * (request.kind.status == 200 or not by_add_on)
        if by_add_on:
            self.decisions += request.decided
            self.stopped += bool(request.kind.stopped)
            if request.outcome is not None:
                self.outcomes[request.kind.provider, request.outcome] += 1

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.decisions + other.decisions,
            self.outcomes + other.outcomes,
            self.calls + other.calls,
            self.stopped + other.stopped,
        )


@dataclass(slots=True, eq=False)
class Sent:
    """A request on its way, and how many of its turns were answered."""

    request: Request
    kills: int
    """How many kills there had been when it was sent."""
    answered: int = 0


class Life:
    """One life of the server: from its start to its end, with what its callers saw and what it counted itself."""

    def __init__(self, *, add_on: bool) -> None:
        self.kills = 0
        """Of the server or its workers."""
        self.is_worker_missing = False
        """Whether a killed worker was not replaced yet: until then, a connection may still reach it."""
        self.must, self.may = Tally(), Tally()
        """What was answered; what broke, in addition."""
        self.counted: Tally | None = None
        """What the server's counters say; None for a life without."""
        self.at_least, self.at_most = Tally(), Tally()
        """What they must say, when they were read."""
        self.reached = 0
        """Calls at the provider and the MCP servers."""
        self.usages: list[Usage] = []
        self.at_rest: tuple[Usage, Usage] | None = None
        """Before the load and after it, with no caller connected."""
        self._add_on = add_on
        self._open: set[Sent] = set()

    def begin(self, request: Request) -> Sent:
        """Note that a request is sent."""
        self._open.add(sent := Sent(request, self.kills))
        return sent

    def answered(self, sent: Sent) -> None:
        """Note the status of a chat, or of one turn."""
        sent.answered += 1
        self.must.add(sent.request, by_add_on=self._add_on)

    def end(self, sent: Sent, fault: str | None) -> bool:
        """Note the end of a request; return whether a fault, where there is one, is that of a kill."""
        self._open.remove(sent)
        if fault is None:
            return True
        if sent.answered < sent.request.kind.count:
            self.may.add(sent.request, by_add_on=self._add_on)
        return self.is_worker_missing or self.kills > sent.kills

    @property
    def is_quiet(self) -> bool:
        """Whether no request is on its way."""
        return not self._open

    def begin_comparison(self) -> None:
        """Note what the counters must say from now on."""
        self.at_least = self.must + Tally()

    def end_comparison(self, counted: Tally) -> None:
        """Take what the counters say, and note what they may have said by now."""
        self.counted = counted
        self.at_most = self.must + self.may
        for sent in self._open:
            self.at_most.add(sent.request, by_add_on=self._add_on)

    def miscounted(self) -> list[str]:
        """Return what the server counted otherwise than its callers."""
        if self.counted is None:
            return []
        return [
            f"{what} counted {dict(counted)}, expected {dict(least)} to {dict(most)}"
            for what, counted, least, most in (
                ("decisions", self.counted.decisions, self.at_least.decisions, self.at_most.decisions),
                ("requests", self.counted.outcomes, self.at_least.outcomes, self.at_most.outcomes),
            )
            if not _is_between(counted, least, most)
        ]


def _is_between(counted: Counter[Any], least: Counter[Any], most: Counter[Any]) -> bool:
    return all(least[key] <= counted[key] <= most[key] for key in counted.keys() | most.keys())
