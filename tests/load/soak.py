"""The soak: a real server under mixed load for minutes, with the add-on and then without: `make soak`.

Every upstream request must carry exactly its caller's headers, the counters must equal the callers' own tally, and
there may be no error that the same server does not have without the add-on.

What a caller can tally: a request is decided before anything is sent to the provider, so that whoever got a status code
has been counted, also when they close the connection in the middle of the stream that follows. A caller whose
connection breaks before the status code could not know; none may.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from extra_headers.forwarding import BlockedHeadersError, MalformedHeadersError
from extra_headers.forwarding.testing.loopback import LoopbackServer
from extra_headers.forwarding.testing.processes import OgxServer, free_port, inference_provider, run_config
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest, RecordingProvider
from extra_headers.telemetry import contract
from tests.load.process import Usage
from tests.load.sending import send
from tests.load.traffic import KINDS, MCP_PATH, PROVIDERS, RESPONSES, Decided, Request, answer, requests
from tests.server.stack import PROVIDER_KEY, Stack

_SAMPLE_SECONDS = 1.0
_SETTLE_SECONDS = 30.0


@dataclass(slots=True)
class Run:
    """What one run left behind: what the callers saw, what the provider saw, what the counters and the kernel say."""

    sent: int = 0
    seconds: float = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By kind of request."""
    unexpected: Counter[str] = field(default_factory=Counter)
    """Answers and faults that the kind of request does not have."""
    wrong_upstream: list[str] = field(default_factory=list)
    """Of each request at the provider with other headers than its caller's: what differs, without values."""
    reached: int = 0
    """Requests at the provider."""
    expected_to_reach: int = 0
    tally: Counter[Decided] = field(default_factory=Counter)
    """Decisions, as the callers must expect them."""
    counted: Counter[Decided] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Provider and outcome, as the callers must expect them."""
    counted_outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    log_errors: Counter[str] = field(default_factory=Counter)
    """Kinds of errors in the server's log."""
    usages: list[Usage] = field(default_factory=list)
    """From the end of the warm-up to the end of the load."""
    at_rest: tuple[Usage, Usage] | None = None
    """Before the load and after it, with no caller connected."""


@contextmanager
def _running(directory: Path, *, add_on: bool) -> Iterator[Stack]:
    directory.mkdir()
    metrics_port = str(free_port())
    with ExitStack() as cleanup:
        environment = {
            # Its console format takes seconds for some tracebacks.
            "OGX_LOG_FORMAT": "json",
            "OGX_METRICS_ENDPOINT_ENABLED": "1",
            "OGX_METRICS_PORT": metrics_port,
            "OTEL_EXPORTER_OTLP_ENDPOINT": cleanup.enter_context(LoopbackServer(lambda _: (200, b""))).url,
        }
        upstream = cleanup.enter_context(RecordingProvider(answer=answer))
        providers = [
            inference_provider(name, upstream.base_url, setting if add_on else None, api_token=PROVIDER_KEY)
            for name, setting in PROVIDERS.items()
        ]
        config = run_config(providers, directory, free_port())
        _add_responses(config, directory, add_on=add_on)
        server = cleanup.enter_context(OgxServer(config, directory, environment=environment))
        client = cleanup.enter_context(httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0)))
        yield Stack(server, upstream, f"http://127.0.0.1:{metrics_port}/metrics", client, directory)


def _add_responses(config: dict[str, Any], directory: Path, *, add_on: bool) -> None:
    stores = {
        "agent_state": {"namespace": "agents", "backend": "kv_default"},
        "responses": {"table_name": "responses", "backend": "sql_default"},
    }
    files = {
        "storage_dir": str(directory / "files"),
        "metadata_store": {"table_name": "files", "backend": "sql_default"},
    }
    responses = {"provider_id": RESPONSES, "provider_type": "inline::builtin", "config": {"persistence": stores}}
    if add_on:
        responses |= {
            "module": "extra_headers.forwarding",
            "config": {"persistence": stores, "extra_headers": True},
        }
    config["apis"] += ["responses", "files", "vector_io", "tool_runtime"]
    config["providers"] |= {
        "responses": [responses],
        "files": [{"provider_id": "files", "provider_type": "inline::localfs", "config": files}],
        "vector_io": [],
        "tool_runtime": [],
    }


def run(
    directory: Path,
    count: int,
    concurrency: int,
    *,
    add_on: bool,
    progress: Callable[[str], None] = lambda _: None,
) -> Run:
    """Send the requests of `count` callers, `concurrency` at a time, to a new server; return what they left behind."""
    with _running(directory, add_on=add_on) as stack:
        result = Run()
        load = _Load(stack, result, add_on=add_on, progress=progress)
        # What the server sends to the provider when nobody sends extra headers, and what it loads at its first calls.
        warm_up = [Request(f"w{number:06d}", kind) for number, kind in enumerate(KINDS * 3)]
        asyncio.run(load.send_all(warm_up, concurrency))
        load.forget_warm_up()
        before = Usage.of(stack.server.pid)
        series = stack.series()
        started = time.monotonic()
        asyncio.run(load.send_all(list(requests(count)), concurrency))
        result.seconds = time.monotonic() - started
        load.check_upstream()
        result.at_rest = before, load.settled(before)
        # Label values come in the order of the labels' names.
        for (decision, provider, reason), total in stack.counted(series, contract.DECISIONS_TOTAL).items():
            result.counted[provider, decision, reason] = round(total)
        for (outcome, provider), total in stack.counted(series, contract.REQUESTS_TOTAL).items():
            result.counted_outcomes[provider, outcome] = round(total)
        result.log_errors = _errors(stack.server.log)
        return result


class _Load:
    """The callers, and what they check."""

    def __init__(self, stack: Stack, result: Run, *, add_on: bool, progress: Callable[[str], None]) -> None:
        self._stack = stack
        self._result = result
        self._add_on = add_on
        self._progress = progress
        self._requests: dict[str, Request] = {}
        self._own_fields: frozenset[str] = frozenset()

    async def send_all(self, batch: list[Request], concurrency: int) -> None:
        """Send each request of a batch, so many at a time."""
        self._requests = {request.mark: request for request in batch}
        waiting = iter(batch)
        sampling = asyncio.create_task(self._sample(sum(request.kind.count for request in batch)))
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=2)
        async with httpx.AsyncClient(timeout=120, limits=limits, base_url=self._stack.server.url) as client:

            async def caller() -> None:
                for request in waiting:
                    await self._send(client, request)

            await asyncio.gather(*(caller() for _ in range(concurrency)))
        sampling.cancel()

    async def _send(self, client: httpx.AsyncClient, request: Request) -> None:
        kind = request.kind
        self._result.sent += kind.count
        body = request.body(self._stack.upstream.base_url.removesuffix("/v1"), add_on=self._add_on)
        if fault := await send(client, request, body, lambda status: self._note(request, status)):
            self._result.unexpected[f"{kind.name}: {fault}"] += 1

    def _note(self, request: Request, status: int) -> None:
        result = self._result
        expected = request.kind.status if self._add_on else 200
        result.statuses[request.kind.name, status] += 1
        if status != expected:
            result.unexpected[f"{request.kind.name}: status {status}"] += 1
        result.expected_to_reach += request.kind.calls * (expected == 200)
        if self._add_on:
            result.tally += request.decided
            if request.outcome is not None:
                result.outcomes[request.kind.provider, request.outcome] += 1

    async def _sample(self, total: int) -> None:
        started = time.monotonic()
        shown = started
        while True:
            usage = Usage.of(self._stack.server.pid)
            self._result.usages.append(usage)
            self.check_upstream()
            if usage.seconds - shown > 10:
                shown = usage.seconds
                answered = sum(self._result.statuses.values())
                self._progress(
                    f"{answered:6d} of {total}, {answered / (usage.seconds - started):5.0f}/s, "
                    f"{usage.resident / 2**20:6.1f} MiB, {usage.descriptors} descriptors, {usage.sockets} sockets"
                )
            await asyncio.sleep(_SAMPLE_SECONDS)

    def forget_warm_up(self) -> None:
        """Learn what a call carries without any caller's headers, and start from nothing."""
        received = self._stack.upstream.take()
        known = [(r, request) for r in received if (request := self._request_of(r)) is not _NOBODY]
        plain = [r for r, request in known if request.outcome is None]
        own = {name.lower() for r in plain for name, _ in r.fields}
        assert own, "no request without extra headers in the warm-up"
        # An MCP client asks for a stream with it; on a busy machine none does so within the warm-up.
        self._own_fields = frozenset(own | {"cache-control"})
        for counter in (self._result.statuses, self._result.unexpected, self._result.tally, self._result.outcomes):
            counter.clear()
        self._result.usages.clear()
        self._result.sent = self._result.expected_to_reach = 0

    def check_upstream(self) -> None:
        """Compare what reached the provider since the last time with what its callers sent."""
        if not self._own_fields:
            return
        for received in self._stack.upstream.take():
            if received.method == "GET" and not received.path.startswith(MCP_PATH):
                continue  # the server lists models of its own accord
            # A client of an MCP server asks it for a stream with GET, or is closed before it does.
            self._result.reached += received.method == "POST"
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

    def settled(self, before: Usage) -> Usage:
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


def _errors(log: str) -> Counter[str]:
    """Return the kinds of errors in a log: the logger of a record of that level, and what tracebacks end with.

    The host writes a traceback for each rejected request, in a record or as it is. Rejections are answers: not counted.
    """
    found = Counter[str]()
    for line in log.splitlines():
        record = json.loads(line) if line.startswith("{") else {}
        names = re.findall(r"<class '([\w.]+)'>", str(record.get("exc_info"))) if record else _RAISED.findall(line)
        raised = [name for name in names if name.rpartition(".")[2] not in _REFUSALS]
        is_rejection = bool(names) and not raised
        if record.get("level") in ("error", "critical") and not is_rejection:
            found[record["logger"]] += 1
        found.update(raised)
    return found


_RAISED = re.compile(r"^([\w.]+(?:Error|Exception|Exit|Interrupt))\b")
_REFUSALS = {BlockedHeadersError.__name__, MalformedHeadersError.__name__}
HOSTS_OWN_ERRORS = {"ogx.core.routers.inference"}
"""Loggers of the host that complain whoever calls: it keeps completions in a sqlite file, without a queue for that, and
finds its "database is locked": once or twice in a hundred at first, after some thousand requests nearly always."""
