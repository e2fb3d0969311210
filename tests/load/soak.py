"""The soak: a real server under mixed load for minutes, with the add-on and then without: `make soak`.

Every upstream request must carry exactly its caller's headers, the counters must equal the callers' own tally, and
there may be no error that the same server does not have without the add-on; also while the server is killed, its
collector comes and goes, and the disk of its audit log is full.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from extra_headers.telemetry import contract
from tests.load.ledger import Life, Sent, Tally
from tests.load.logs import AuditLog, errors_in, read_audit_log
from tests.load.process import Usage
from tests.load.sending import send
from tests.load.servers import SoakServer, running
from tests.load.traffic import KINDS, MCP_PATH, PROVIDERS, Request, requests
from tests.load.weather import FAIR, Event, Plan, Weather
from tests.server.stack import PROVIDER_KEY, Series, grown
from tests.waiting import wait_until

_SAMPLE_SECONDS = 1.0
_PROGRESS_SECONDS = 10.0
_SETTLE_SECONDS = 30.0


@dataclass(slots=True)
class Run:
    """What one run left behind: what the callers saw, what the provider saw, what the counters and the kernel say."""

    callers: int = 0
    """Those that began."""
    sent: int = 0
    seconds: float = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By kind of request."""
    unexpected: Counter[str] = field(default_factory=Counter)
    """Answers and faults that the kind of request does not have, and that no kill explains."""
    broken: int = 0
    """Requests that a kill broke."""
    wrong_upstream: list[str] = field(default_factory=list)
    """Of each request at the provider with other headers than its caller's: what differs, without values."""
    lives: list[Life] = field(default_factory=list)
    """Of the server."""
    log_errors: Counter[str] = field(default_factory=Counter)
    """Kinds of errors in the server's log."""
    audit: AuditLog | None = None
    stopped: int = 0
    """At most so many audit records were due, those of the warm-ups included."""
    plan: Plan = FAIR
    """The weather."""
    concurrency: int = 1
    workers: int = 1

    def kills(self) -> int:
        """Return how often the server or a worker was killed."""
        return sum(event in {Event.KILL, Event.KILL_WORKER} for _, event in self.plan)


def run(  # noqa: PLR0913 - each with its default
    directory: Path,
    count: int,
    concurrency: int,
    *,
    add_on: bool,
    plan: Plan = FAIR,
    workers: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> Run:
    """Send the requests of `count` callers, `concurrency` at a time, to a new server; return what they left behind."""
    with running(directory, add_on=add_on, workers=workers) as server:
        if workers > 1:
            wait_until(lambda: len(server.workers()) == workers)
        result = Run(plan=plan, concurrency=concurrency, workers=workers)
        load = _Load(server, result, add_on=add_on, progress=progress)
        asyncio.run(load.send_all(list(requests(count)), concurrency))
        result.log_errors = errors_in(server)
        result.audit = read_audit_log(server) if add_on else None
        return result


class _Load:
    """The callers, and what they check."""

    def __init__(self, server: SoakServer, result: Run, *, add_on: bool, progress: Callable[[str], None]) -> None:
        self._server = server
        self._stack = server.stack
        self._result = result
        self._add_on = add_on
        self._progress = progress
        self._life = Life(add_on=add_on)
        self._before: Series = {}
        """The counters at the start of the life."""
        self._open = asyncio.Event()
        """Whether callers may send."""
        self._requests: dict[str, Request] = {}
        self._own_fields: frozenset[str] = frozenset()

    async def send_all(self, batch: list[Request], concurrency: int) -> None:
        """Send each request of a batch, so many at a time, in the weather of the run."""
        self._requests = {request.mark: request for request in (*batch, *_WARM_UP)}
        await self._begin_life()
        started = time.monotonic()
        weather = Weather(self._server, self._kill)
        async with asyncio.TaskGroup() as group:  # whatever fails ends all
            sampling = group.create_task(self._sample(sum(request.kind.count for request in batch)))
            changing = group.create_task(
                weather.follow(self._result.plan, lambda: self._result.callers / len(batch), self._progress)
            )
            await self._call(batch, concurrency, self._open)
            self._result.seconds = time.monotonic() - started
            await changing
            sampling.cancel()
        await self._read_counters()
        self.check_upstream()
        if self._life.usages:
            self._life.at_rest = self._life.usages[0], await asyncio.to_thread(self._settled, self._life.usages[0])

    async def _call(self, batch: Iterable[Request], concurrency: int, may_send: asyncio.Event) -> None:
        waiting = iter(batch)
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=2)
        async with httpx.AsyncClient(timeout=120, limits=limits, base_url=self._stack.server.url) as client:

            async def caller() -> None:
                for request in waiting:
                    await may_send.wait()
                    await self._send(client, request)

            await asyncio.gather(*(caller() for _ in range(concurrency)))

    async def _send(self, client: httpx.AsyncClient, request: Request) -> None:
        kind, life = request.kind, self._life
        self._result.callers += 1
        self._result.sent += kind.count
        body = request.body(self._stack.upstream.base_url.removesuffix("/v1"), add_on=self._add_on)
        sent = life.begin(request)
        fault = await send(client, request, body, lambda status: self._note(life, sent, status))
        explained = life.end(sent, fault)
        if fault is not None and explained:
            self._result.broken += 1
        elif fault is not None:
            self._result.unexpected[f"{kind.name}: {fault}"] += 1

    def _note(self, life: Life, sent: Sent, status: int) -> None:
        kind = sent.request.kind
        life.answered(sent)
        self._result.statuses[kind.name, status] += 1
        if status != (kind.status if self._add_on else 200):
            self._result.unexpected[f"{kind.name}: status {status}"] += 1

    async def _begin_life(self) -> None:
        """Send what makes the server load and connect what it needs, and start to count from there."""
        kept, self._result = self._result, Run()
        self._life = Life(add_on=self._add_on)
        (always := asyncio.Event()).set()
        await self._call(_WARM_UP, len(_WARM_UP), always)
        if self._own_fields:
            self.check_upstream()
        else:
            self._learn_own_fields()
        kept.stopped += self._life.must.stopped
        kept.wrong_upstream += self._result.wrong_upstream
        self._result = kept
        self._life = Life(add_on=self._add_on)
        self._result.lives.append(self._life)
        self._before = await asyncio.to_thread(self._stack.series)
        self._life.usages.append(Usage.of(self._stack.server.pid))
        self._open.set()

    async def _kill(self, event: Event) -> None:
        life = self._life
        if event is Event.KILL_WORKER:
            life.kills += 1
            life.is_worker_missing = True
            # uvicorn may notice after minutes, and the plan is one of callers: they wait.
            self._open.clear()
            await asyncio.to_thread(self._server.kill_worker)
            self._open.set()
            life.is_worker_missing = False
            return
        outlives = self._server.counters is not None
        if not outlives:
            await self._read_counters()
        self._open.clear()
        life.kills += 1
        await asyncio.to_thread(self._server.kill)
        await asyncio.to_thread(wait_until, lambda: life.is_quiet)
        self.check_upstream()
        await asyncio.to_thread(self._server.start_again)
        if outlives:
            await asyncio.to_thread(wait_until, lambda: len(self._server.workers()) > 1)
            self._open.set()
        else:
            await self._begin_life()

    async def _read_counters(self) -> None:
        self._life.begin_comparison()
        self._life.end_comparison(await asyncio.to_thread(self._counted))

    def _counted(self) -> Tally:
        # After the kill of the worker that serves the totals, another one takes over.
        after = wait_until(self._scraped)
        counted = Tally()
        # Label values come in the order of the labels' names.
        for (decision, provider, reason), total in grown(self._before, after, contract.DECISIONS_TOTAL).items():
            counted.decisions[provider, decision, reason] = round(total)
        for (outcome, provider), total in grown(self._before, after, contract.REQUESTS_TOTAL).items():
            counted.outcomes[provider, outcome] = round(total)
        return counted

    def _scraped(self) -> Series:
        try:
            return self._stack.series() or {("none", ()): 0}
        except httpx.TransportError:
            return {}

    async def _sample(self, total: int) -> None:
        started = shown = time.monotonic()
        while True:
            if self._open.is_set():
                self._life.usages.append(usage := Usage.of(self._stack.server.pid))
                self.check_upstream()
                if usage.seconds - shown > _PROGRESS_SECONDS:
                    shown = usage.seconds
                    answered = sum(self._result.statuses.values())
                    self._progress(
                        f"{answered:6d} of {total}, {answered / (usage.seconds - started):5.0f}/s, "
                        f"{usage.resident / 2**20:6.1f} MiB, {usage.descriptors} descriptors, {usage.sockets} sockets"
                    )
            await asyncio.sleep(_SAMPLE_SECONDS)

    def _learn_own_fields(self) -> None:
        """Learn what a call carries without any caller's headers."""
        received = self._stack.upstream.take()
        known = [(r, request) for r in received if (request := self._request_of(r)) is not _NOBODY]
        plain = [r for r, request in known if request.outcome is None]
        own = {name.lower() for r in plain for name, _ in r.fields}
        assert own, "no request without extra headers in the warm-up"
        # An MCP client asks for a stream with it; on a busy machine none does so within the warm-up.
        self._own_fields = frozenset(own | {"cache-control"})

    def check_upstream(self) -> None:
        """Compare what reached the provider since the last time with what its callers sent."""
        for received in self._stack.upstream.take():
            if received.method == "GET" and not received.path.startswith(MCP_PATH):
                continue  # the server lists models of its own accord
            # A client of an MCP server asks it for a stream with GET, or is closed before it does.
            self._life.reached += received.method == "POST"
            if fault := self._fault(received):
                self._result.wrong_upstream.append(fault)

    def _request_of(self, received: ReceivedRequest) -> Request:
        found = re.search(rb'"(?:hold )?([mw]\d{6})"|/mcp/([mw]\d{6}) ', received.body + received.head)
        return self._requests[(found[1] or found[2]).decode()] if found else _NOBODY

    def _fault(self, received: ReceivedRequest) -> str | None:
        request = self._request_of(received)
        if request is _NOBODY:
            return "a request of nobody"
        fields = [(name.lower(), value) for name, value in received.fields]
        extra = sorted((name, value) for name, value in fields if name not in self._own_fields)
        to_tool = received.path.startswith(MCP_PATH)
        if extra != sorted(request.forwarded(by_add_on=self._add_on, to_tool=to_tool).items()):
            return f"{request.mark} ({request.kind.name}): {[name for name, _ in extra]}"
        if received.values("authorization") != ([] if to_tool else [f"Bearer {PROVIDER_KEY}"]):
            return f"{request.mark} ({request.kind.name}): authorization"
        return None

    def _settled(self, before: Usage) -> Usage:
        """Return what the server uses once it has closed what it had opened for its callers, or after a while.

        A provider's client closes connections that were idle for too long only when it sends another request.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (now := Usage.of(self._stack.server.pid)).sockets > before.sockets and time.monotonic() < deadline:
            for provider in PROVIDERS:
                self._stack.send_without_provider_data(provider)
            time.sleep(1)
        return now


_NOBODY = next(requests(1))
_WARM_UP = [Request(f"w{number:06d}", kind) for number, kind in enumerate(KINDS * 3)]
