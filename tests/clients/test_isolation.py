"""One client, many callers at once: each call carries its own caller's headers, exactly once, or none at all."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from extra_headers.forwarding import ExtraHeaders
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest, RecordingProvider
from tests.clients.kinds import Kind, counted

_CALLERS = 100
_AT_ONCE = 20


def _headers(number: int) -> dict[str, str] | None:
    """Return the headers of one caller; every fourth has none."""
    return {"X-Tenant": f"tenant-{number}", f"X-Only-{number}": "1"} if number % 4 else None


def _check(received: list[ReceivedRequest], extra_headers: ExtraHeaders) -> None:
    seen: Counter[int] = Counter()
    for request in received:
        number = int(request.values("x-own")[0])
        seen[number] += 1
        only = [name for name, _ in request.fields if name.lower().startswith("x-only-")]
        if _headers(number) is None:
            assert (request.values("x-tenant"), only) == ([], [])
        else:
            assert request.values("x-tenant") == [f"tenant-{number}"]
            assert [name.lower() for name in only] == [f"x-only-{number}"]
    assert seen == Counter(range(_CALLERS))
    with_headers = _CALLERS * 3 // 4
    assert counted(extra_headers) == {"allowed": 2 * with_headers, "clean": with_headers}


async def test_many_at_once(kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
    """Of 100 callers, 20 at a time, in tasks or in threads as the client demands, each gets exactly its own."""
    client = kind.make(upstream.base_url)
    gate = threading.Barrier(_AT_ONCE)
    semaphore = asyncio.Semaphore(_AT_ONCE)

    async def call(number: int) -> None:
        await kind.call(extra_headers.with_headers(client, _headers(number)), {"X-Own": str(number)})

    async def call_in_turn(number: int) -> None:
        async with semaphore:
            await call(number)

    def call_in_thread(number: int) -> None:
        gate.wait(timeout=30)
        asyncio.run(call(number))

    if kind.is_async:
        await asyncio.gather(*(call_in_turn(number) for number in range(_CALLERS)))
    else:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(call_in_thread, range(_CALLERS)))
    await kind.close(client)

    _check(upstream.take(), extra_headers)


async def test_copies_used_in_another_order(
    kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider
) -> None:
    """Copies made first and used later, last first, carry what they were made with."""
    client = kind.make(upstream.base_url)
    copies = [extra_headers.with_headers(client, {"X-Tenant": str(number)}) for number in range(3)]
    for carrying in reversed(copies):
        await kind.call(carrying)
    await kind.close(client)

    assert [r.values("x-tenant") for r in upstream.take()] == [["2"], ["1"], ["0"]]
