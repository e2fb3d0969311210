"""Concurrent mixed requests whose callers keep a tally: `python -m tests.litellm.soak --requests 100000 --kills 3`.

The proxy lives once and once more for each kill. A killed process takes its counters along, so the tally and the
counters are compared in each life, before its end.
"""

import argparse
import http.client
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from extra_headers.telemetry import contract
from tests.litellm.configuration import MODELS
from tests.litellm.keys import ALICE, BOB
from tests.litellm.proxy import Counts, Proxy, grown, running
from tests.load.process import MIB, Usage, change, quarter

_CONCURRENT = 12
_SAMPLE_SECONDS, _PROGRESS_SECONDS = 1.0, 10.0
_AT_A_KILL = 200
"""Requests that are sent while the proxy is killed."""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    path: str
    body: Callable[[str], dict[str, object]]
    """Has the mark of the request in it."""
    left: bool = False
    """Whether the caller closes the connection after the first event of the stream."""


def _chat(mark: str, **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": mark}], **fields}


_ENDPOINTS = (
    _Endpoint("/v1/chat/completions", _chat),
    _Endpoint("/v1/chat/completions", lambda mark: _chat(mark, stream=True)),
    _Endpoint("/v1/chat/completions", lambda mark: _chat(mark, stream=True), left=True),
    _Endpoint("/v1/completions", lambda mark: {"prompt": mark}),
    _Endpoint("/v1/embeddings", lambda mark: {"input": mark}),
    _Endpoint("/v1/responses", lambda mark: {"input": mark}),
    _Endpoint("/v1/messages", lambda mark: _chat(mark, max_tokens=5)),
)
_BATCHES = _Endpoint(
    "/v1/batches",
    lambda mark: {"input_file_id": mark, "endpoint": "/v1/chat/completions", "completion_window": "24h"},
)


@dataclass(frozen=True, slots=True)
class _Kind:
    model: str
    headers: Callable[[str], dict[str, object]]
    """What a caller sends; values that are the mark pass."""
    status: int = 200
    outcome: str | None = "clean"
    """What is counted for the model; None where nothing is."""
    endpoints: tuple[_Endpoint, ...] = _ENDPOINTS


# As many as have no divisor in common with the endpoints, so that each meets each.
_KINDS = (
    _Kind("gpt", lambda mark: {"X-Tenant": mark}),
    _Kind("gpt", lambda mark: {"X-Tenant": mark, "Authorization": "EVIL", "X-Operator": "EVIL"}, outcome="filtered"),
    _Kind("gpt", lambda _: {}, outcome=None),
    _Kind("vllm", lambda mark: {"X-Tenant": mark}),
    _Kind("strict", lambda mark: {"X-Maas-Mark": mark}),
    _Kind("strict", lambda mark: {"X-Maas-Mark": mark, "X-Other": "EVIL"}, 403, "rejected"),
    _Kind("strict", lambda _: {"X-Maas-Mark": "EVIL\n"}, 400, "rejected"),
    _Kind("identified", lambda mark: {"X-Tenant": mark, "X-Tenant-Id": "EVIL"}, outcome="filtered"),
    _Kind("gpt", lambda mark: {"X-Tenant": mark}, endpoints=(_BATCHES,)),
)


@dataclass(slots=True)
class Life:
    """One life of the proxy: what its callers saw, and what it counted and used."""

    tally: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Requests by outcome and model, as the callers must expect them."""
    counted: Counts = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    """Unexpected answers, and requests at the provider with other headers than their caller's."""
    usages: list[Usage] = field(default_factory=list)
    answered: int = 0

    def __bool__(self) -> bool:
        """Whether the counters are the callers' tally, and nothing unexpected happened."""
        return dict(self.tally) == self.counted and not self.faults


class Soak:
    """Callers of a proxy, and the numbers that they have had so far."""

    def __init__(self, proxy: Proxy, say: Callable[[str], None] = lambda _: None, *, add_on: bool = True) -> None:
        self._proxy = proxy
        self._add_on = add_on
        self._say = say
        self._sent = 0

    def run(self, requests: int) -> Life:
        """Send so many requests, some at a time, and return what came of them."""
        life, numbers = Life(), self._numbers(requests)
        self._proxy.taken()
        before = self._counts()
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            callers = [pool.submit(self._call, numbers, life) for _ in range(_CONCURRENT)]
            started = shown = time.monotonic()
            while waiting := wait(callers, _SAMPLE_SECONDS, FIRST_EXCEPTION).not_done:
                usage = Usage.of(self._proxy.server.pid)
                life.usages.append(usage)
                life.faults.update(self._wrong())
                if usage.seconds - shown > _PROGRESS_SECONDS:
                    shown = usage.seconds
                    self._say(_progress(life, requests, usage, usage.seconds - started))
                if any(caller.done() and caller.exception() for caller in callers):
                    numbers.clear()
                    wait(waiting)
            for caller in callers:
                caller.result()
        life.faults.update(self._wrong())
        life.counted = grown(before, self._counts())
        return life

    def kill(self) -> None:
        """Kill the proxy in the middle of requests, and start it anew, with its counters at 0.

        Raises:
            AssertionError: a request that reached the provider has other headers than its caller's.

        """
        lost, numbers = Life(), self._numbers(_AT_A_KILL)
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            callers = [pool.submit(self._call, numbers, lost) for _ in range(_CONCURRENT)]
            while lost.answered < _AT_A_KILL // 2:
                wait(callers, 0.01, FIRST_EXCEPTION)
            os.killpg(self._proxy.server.pid, signal.SIGKILL)
            numbers.clear()
        wrong = Counter(self._wrong())
        assert not wrong, wrong
        self._say(f"killed while {sum(lost.faults.values())} requests were on their way; starts again")
        self._proxy.server.stop()
        self._proxy.server.__enter__()
        assert self._counts() == {}

    def _counts(self) -> Counts:
        return self._proxy.counts(contract.REQUESTS_TOTAL) if self._add_on else {}

    def _wrong(self) -> Iterable[str]:
        received = self._proxy.taken()
        return _wrong(received) if self._add_on else ()

    def _numbers(self, requests: int) -> deque[int]:
        first, self._sent = self._sent, self._sent + requests
        return deque(range(first, first + requests))

    def _call(self, numbers: deque[int], life: Life) -> None:
        while numbers:
            try:
                number = numbers.popleft()
            except IndexError:  # another caller had the last one
                return
            kind, endpoint = _of(number)
            try:
                status = self._send(number, kind, endpoint)
            except (OSError, http.client.HTTPException) as error:
                life.faults[f"{kind.model}, {endpoint.path}: {type(error).__name__}"] += 1
                continue
            life.answered += 1
            if status != kind.status and self._add_on:
                life.faults[f"{kind.model}, {endpoint.path}: status {status}"] += 1
            if kind.outcome is not None:
                life.tally[kind.outcome, "_no_deployment" if endpoint is _BATCHES else kind.model] += 1

    def _send(self, number: int, kind: _Kind, endpoint: _Endpoint) -> int:
        """Send a request and return the status of the answer, which is read to its end unless the caller leaves."""
        mark = _mark(number)
        body = {"model": kind.model, "extra_headers": kind.headers(mark) or None, **endpoint.body(mark)}
        connection = http.client.HTTPConnection("127.0.0.1", self._proxy.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {_key(number)}"}
            connection.request("POST", endpoint.path, json.dumps(body), headers)
            response = connection.getresponse()
            if endpoint.left:
                response.readline()
            else:
                response.read()
            return response.status
        finally:
            connection.close()


def _of(number: int) -> tuple[_Kind, _Endpoint]:
    kind = _KINDS[number % len(_KINDS)]
    if kind.model == "identified" and _key(number) == BOB:  # who has none of the attributes that it sends
        kind = replace(kind, status=403, outcome="rejected")
    return kind, kind.endpoints[number % len(kind.endpoints)]


def _key(number: int) -> str:
    return ALICE if number % 2 else BOB


def _mark(number: int) -> str:
    return f"caller-{number}"


def _wrong(received: Iterable[ReceivedRequest]) -> Iterator[str]:
    """Yield what is wrong with requests at the provider."""
    for each in received:
        if each.method != "POST":
            continue
        number = int(re.findall(rb"caller-(\d+)", each.body)[0])
        kind, endpoint = _of(number)
        expected = {name: [_mark(number)] for name, value in kind.headers(_mark(number)).items() if value != "EVIL"}
        if kind.model == "identified":
            expected["X-Tenant-Id"] = ["red"]
        names = ("X-Tenant", "X-Maas-Mark", "X-Tenant-Id")
        if {name: values for name in names if (values := each.values(name))} != expected or b"EVIL" in each.head:
            yield f"{kind.model}, {endpoint.path}: other headers at the provider"


def _progress(life: Life, requests: int, usage: Usage, seconds: float) -> str:
    return (
        f"{life.answered:6d} of {requests}, {life.answered / seconds:4.0f}/s, {usage.resident / MIB:6.1f} MiB, "
        f"{usage.descriptors} descriptors, {sum(life.faults.values())} faults"
    )


def _growth(usages: list[Usage]) -> str:
    """Return by how much a life grew from its second quarter to its last; LiteLLM does by itself, too."""
    resident = change(usages, lambda usage: usage.resident)
    before, after = (mean(usage.descriptors for usage in quarter(usages, number)) for number in (2, 4))
    return (
        f"from the second quarter to the last: resident memory {resident:+.2%}, descriptors {before:.0f} to {after:.0f}"
    )


def main() -> int:
    """Print the tally beside the counters, and what grew; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=1, help="how often the proxy is killed and started anew")
    parser.add_argument("--without", action="store_true", help="without the add-on: for what LiteLLM uses by itself")
    given = parser.parse_args()
    failed = False
    sections: dict[str, Any] = {"litellm_settings": {"callbacks": []}} if given.without else {}

    def say(line: str) -> None:
        print(line, flush=True)

    with tempfile.TemporaryDirectory() as directory, running(Path(directory), MODELS, **sections) as proxy:
        soak = Soak(proxy, say, add_on=not given.without)
        for number in range(given.kills + 1):
            if number:
                soak.kill()
            started = time.monotonic()
            life = soak.run(given.requests // (given.kills + 1))
            seconds = time.monotonic() - started
            say(f"== life {number + 1}: {life.answered} answers in {seconds:.0f} s ({life.answered / seconds:.0f}/s)")
            say(_growth(life.usages))
            if given.without:
                continue
            for labels in sorted(life.tally | Counter(life.counted)):
                say(f"{' '.join(labels)}: callers' tally {life.tally[labels]}, counted {life.counted.get(labels)}")
            say(f"faults: {dict(life.faults)}")
            failed = failed or not life
    say("== something is wrong" if failed else "== all as it must be")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
