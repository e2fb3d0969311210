"""Concurrent mixed requests whose callers keep a tally; as a program, 5,000 of them against a proxy."""

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from extra_headers.telemetry import contract
from tests.litellm.configuration import MODELS
from tests.litellm.keys import ALICE, BOB
from tests.litellm.proxy import Answered, Counts, Proxy, grown, running

_CONCURRENT = 12
Tally = Counter[tuple[str, ...]]

# What a caller sends, the status of the answer, and the outcome that is counted for the model.
_KINDS: list[tuple[str, Callable[[str], dict[str, object]], int, str | None]] = [
    ("gpt", lambda mark: {"X-Tenant": mark}, 200, "clean"),
    ("gpt", lambda mark: {"X-Tenant": mark, "Authorization": "EVIL", "X-Operator": "EVIL"}, 200, "filtered"),
    ("gpt", lambda _: {}, 200, None),
    ("vllm", lambda mark: {"X-Tenant": mark}, 200, "clean"),
    ("strict", lambda mark: {"X-Maas-Mark": mark}, 200, "clean"),
    ("strict", lambda mark: {"X-Maas-Mark": mark, "X-Other": "EVIL"}, 403, "rejected"),
    ("strict", lambda _: {"X-Maas-Mark": "EVIL\n"}, 400, "rejected"),
    ("identified", lambda mark: {"X-Tenant": mark, "X-Tenant-Id": "EVIL"}, 200, "filtered"),
]


def soak(proxy: Proxy, requests: int) -> tuple[Tally, Counts]:
    """Send so many requests at once by turns, and return the callers' tally and what was counted.

    Raises:
        AssertionError: an answer was not the expected one, or a request carried what another caller sent.

    """
    proxy.provider.take()
    before = proxy.counts(contract.REQUESTS_TOTAL)
    tally: Tally = Counter()

    def one(number: int) -> None:
        model, headers, status, outcome = _KINDS[number % len(_KINDS)]
        mark = f"caller-{number}"
        answer = _send(proxy, number, model, headers(mark), mark)
        assert answer.status == status, (model, answer)
        if outcome is not None:
            tally[outcome, model] += 1

    with ThreadPoolExecutor(_CONCURRENT) as pool:
        list(pool.map(one, range(requests)))
    _look_at(proxy)
    return tally, grown(before, proxy.counts(contract.REQUESTS_TOTAL))


def _send(proxy: Proxy, number: int, model: str, headers: dict[str, object], mark: str) -> Answered:
    key = ALICE if number % 2 else BOB
    body: dict[str, object] = {"model": model, "extra_headers": headers or None}
    if number % 3 == 0:
        return proxy.post("/v1/embeddings", {**body, "input": mark}, key=key)
    body |= {"messages": [{"role": "user", "content": mark}], "stream": number % 3 == 1}
    return proxy.post("/v1/chat/completions", body, key=key)


def _look_at(proxy: Proxy) -> None:
    for received in proxy.provider.take():
        if received.method != "POST":
            continue
        mark = re.findall(r"caller-\d+", received.body.decode())[0]
        number = int(mark.rpartition("-")[2])
        assert b"EVIL" not in received.head
        model, headers, _, _ = _KINDS[number % len(_KINDS)]
        for name, value in headers(mark).items():
            if value == mark:
                assert received.values(name) == [mark], (name, mark, received.head)
        assert mark.encode() in received.head or not headers(mark)
        if model == "identified":
            assert received.values("x-tenant-id") == ["red" if number % 2 else "blue"]


def main() -> None:
    """Print the tally beside the counters."""
    requests = int(sys.argv[1]) if sys.argv[1:] else 5000
    with tempfile.TemporaryDirectory() as directory, running(Path(directory), MODELS) as proxy:
        started = time.monotonic()
        tally, counted = soak(proxy, requests)
        print(f"{requests} requests in {time.monotonic() - started:.0f} s")
        for labels in sorted(tally | Counter(counted)):
            print(*labels, tally[labels], counted.get(labels))
        if dict(tally) != counted:
            raise SystemExit("the counters differ from the callers' tally")


if __name__ == "__main__":
    main()
