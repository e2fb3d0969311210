"""Plays one scene against running servers and compares what came of it with what the story says."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from extra_headers.telemetry import contract

from ...policy.decision import DecisionKind, Outcome, Reason
from ...testing.recording_provider import ReceivedRequest, RecordingProvider
from ..signals import Signals
from .client import Reply, Scrape, chat, scrape
from .scenarios import PROVIDER_KEY, Scene, provider_data

# The fields that differ from one call to the next by their nature.
_VOLATILE = {"traceparent", "content-length"}

type Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as the provider received it, seen against the ordinary ones."""

    request: ReceivedRequest
    ordinary: frozenset[str]
    """Names of the fields that the provider gets of every call, in lower case."""

    @property
    def authorization(self) -> list[str]:
        """The credentials."""
        return self.request.values("authorization")

    @property
    def extra(self) -> Fields:
        """The fields in addition to those of every call."""
        return [(name, value) for name, value in self.request.fields if name.lower() not in self.ordinary]

    @property
    def rest(self) -> Fields:
        """The fields of every call that do not differ by their nature, in a comparable form."""
        lowered = ((name.lower(), value) for name, value in self.request.fields)
        return sorted((name, value) for name, value in lowered if name in self.ordinary - _VOLATILE)

    @property
    def span_id(self) -> str | None:
        """Id of the span around the call, as the provider was told it (W3C Trace Context)."""
        told = self.request.values("traceparent")
        return told[0].split("-")[2] if told else None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call, and what became of it at both ends."""

    sent: Mapping[str, str] | None
    """The extra headers."""
    reply: Reply
    arrival: Arrival | None
    """What the provider got; None where nothing was sent to it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """By how much the counters grew."""

    decisions: Counter[tuple[DecisionKind, Reason]]
    requests: Counter[Outcome]
    rules: Mapping[Reason, str]
    """The policy's entry that blocked a header."""
    shadow: Counter[tuple[DecisionKind, Reason]]
    """Decisions of the shadow policy."""
    identity_headers: int
    """Headers that the server sent."""


@dataclass(frozen=True, slots=True)
class Played:
    """A scene and all of its effects."""

    scene: Scene
    exchanges: tuple[Exchange, ...]
    counted: Counted
    at_once: int
    """The most calls that were under way at one moment."""
    faults: tuple[str, ...]
    """What did not go as the story says."""


@dataclass(slots=True)
class Stage:
    """The running servers that scenes are played against."""

    upstream: RecordingProvider
    server_port: int
    metrics_port: int
    threads: Executor
    """With a thread for each caller of a scene."""
    signals: Signals
    first: Arrival | None = None
    """The first call that reached the provider; later ones are compared with it."""

    def play(self, scene: Scene) -> Played:
        """Send the scene's calls, all at once, and gather what they did.

        Raises:
            NoAnswerError: a server does not answer.
            Stopped: a signal came.

        """
        before = scrape(self.metrics_port)
        self.upstream.take()
        start = Barrier(len(scene.callers))

        def call(number: int, headers: Mapping[str, str] | None) -> Reply:
            start.wait()
            return chat(self.server_port, _content(number), provider_data(headers) if headers else None, scene.provider)

        futures = [self.threads.submit(call, number, headers) for number, headers in enumerate(scene.callers)]
        replies = self.signals.results(futures)
        taken = self.upstream.take()
        received = {_content_of(request): request for request in taken}
        after = scrape(self.metrics_port)

        exchanges = []
        for number, (headers, reply) in enumerate(zip(scene.callers, replies, strict=True)):
            request = received.get(_content(number))
            exchanges.append(
                Exchange(headers, reply, self._arrival(request, scene.forwarded(headers)) if request else None)
            )
        at_once = _most_at_once(reply.seconds for reply in replies)
        counted = _counted(before, after)
        unexpected = len(taken) - sum(e.arrival is not None for e in exchanges)
        faults = _faults(scene, exchanges, counted, at_once, self.first)
        if unexpected:
            faults.append(f"the provider received {unexpected} requests that nobody sent")
        return Played(scene, tuple(exchanges), counted, at_once, tuple(faults))

    def arrival(self, request: ReceivedRequest) -> Arrival:
        """Return a received request, seen against the first one."""
        return Arrival(request, self.first.ordinary if self.first else frozenset())

    def _arrival(self, request: ReceivedRequest, told: Mapping[str, str]) -> Arrival:
        if self.first is None:
            # What the first call carries but for its extra header is what every call carries; later scenes prove it.
            self.first = Arrival(request, frozenset(name.lower() for name, _ in request.fields) - told.keys())
        return self.arrival(request)


def _content(number: int) -> str:
    # Tells the calls of a scene apart at the provider, without a word of their headers.
    return f"call {number}"


def _content_of(request: ReceivedRequest) -> str:
    return str(json.loads(request.body)["messages"][0]["content"])


def _counted(before: Scrape, after: Scrape) -> Counted:
    return Counted(
        _decisions(before, after, contract.DECISIONS_TOTAL, contract.LABEL_DECISION, contract.LABEL_REASON),
        _requests(before, after),
        _rules(before, after),
        _decisions(
            before, after, contract.SHADOW_DECISIONS_TOTAL, contract.LABEL_SHADOW_DECISION, contract.LABEL_SHADOW_REASON
        ),
        sum(after.increases_since(before, contract.IDENTITY_HEADERS_TOTAL).values()),
    )


def _decisions(
    before: Scrape, after: Scrape, metric: str, decision: str, reason: str
) -> Counter[tuple[DecisionKind, Reason]]:
    grown = after.increases_since(before, metric)
    return Counter(
        {
            (DecisionKind(dict(labels)[decision]), Reason(dict(labels)[reason])): increase
            for labels, increase in grown.items()
        }
    )


def _requests(before: Scrape, after: Scrape) -> Counter[Outcome]:
    grown = after.increases_since(before, contract.REQUESTS_TOTAL)
    return Counter({Outcome(dict(labels)[contract.LABEL_OUTCOME]): increase for labels, increase in grown.items()})


def _rules(before: Scrape, after: Scrape) -> dict[Reason, str]:
    grown = after.increases_since(before, contract.BLOCKED_NAMES_TOTAL)
    return {Reason(dict(labels)[contract.LABEL_REASON]): dict(labels)[contract.LABEL_HEADER] for labels in grown}


def _most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """Return the greatest number of time spans that overlap at one moment."""
    events = sorted((moment, step) for start, end in spans for moment, step in ((start, 1), (end, -1)))
    running = most = 0
    for _, step in events:
        running += step
        most = max(most, running)
    return most


def _faults(
    scene: Scene, exchanges: Iterable[Exchange], counted: Counted, at_once: int, first: Arrival | None
) -> list[str]:
    faults = [fault for exchange in exchanges for fault in _faults_of(exchange, scene, first)]
    for what, grown, expected in (
        ("decisions", counted.decisions, scene.expected_decisions()),
        ("requests", counted.requests, scene.expected_requests()),
        ("decisions of the shadow policy", counted.shadow, scene.expected_shadow()),
    ):
        if grown != expected:
            faults.append(f"{what} counted: {_tally(grown)}; expected: {_tally(expected)}")
    if counted.identity_headers != scene.expected_set():
        faults.append(f"{counted.identity_headers} headers set by the server; expected: {scene.expected_set()}")
    if len(scene.callers) > 1 and at_once < 2:
        faults.append("the calls did not overlap in time")
    return faults


def _faults_of(exchange: Exchange, scene: Scene, first: Arrival | None) -> list[str]:
    faults = []
    arrival = exchange.arrival
    if exchange.reply.status != scene.status:
        faults.append(f"answered {exchange.reply.status} ({exchange.reply.error}); expected: {scene.status}")
    if scene.outcome is Outcome.REJECTED:
        return [*faults, "the provider received the request"] if arrival else faults
    if arrival is None:
        return [*faults, "the provider received nothing"]
    if arrival.authorization != [f"Bearer {PROVIDER_KEY}"]:
        faults.append("the provider received another Authorization than its own key")
    if sorted((name.lower(), value) for name, value in arrival.extra) != sorted(scene.forwarded(exchange.sent).items()):
        faults.append(f"the provider received the extra headers {arrival.extra}")
    if first is not None and arrival.rest != first.rest:
        faults.append("the provider received other ordinary fields than in the first scene")
    return faults


def _tally(counted: Mapping[Any, int]) -> str:
    return ", ".join(f"{_words(key)} +{count}" for key, count in counted.items()) or "nothing"


def _words(key: object) -> str:
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)
