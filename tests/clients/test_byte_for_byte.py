"""A property over the real clients and a real socket: what is forwarded arrives as the caller wrote it."""

import asyncio
import itertools
import string
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extra_headers.forwarding import ExtraHeaders, Policy
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest, RecordingProvider
from tests.clients.kinds import KINDS, Kind
from tests.core.oracle import compared, expected_reasons
from tests.core.test_names import TCHAR

# Beside names that pass, some that are blocked, and some that are none.
_names = st.one_of(
    st.text(TCHAR, min_size=1, max_size=12),
    st.text(string.ascii_letters + "-_", min_size=1, max_size=12).map("X-".__add__),
    st.sampled_from(["Authorization", "x_api_key", "Host", "X.Forwarded.For", "Content-Length", "a b", "X-A\r\nX-B"]),
)
_visible = "".join(map(chr, range(0x21, 0x7F)))
_values = st.one_of(
    st.text(_visible + " \t", max_size=30).map(str.strip),
    st.sampled_from(["", "a \t  b", '"', ",;=:", "a: b", "%0d%0a", "1\r\nX-B: 2", "\u00e9"]),
)
_headers = st.dictionaries(_names, _values, max_size=6)
_policy = Policy(on_malformed="drop")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingProvider]:
    """Return one provider for all examples, which changes nothing of what it receives."""
    with RecordingProvider() as running:
        yield running


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_what_is_forwarded_arrives_byte_for_byte(kind: Kind, upstream: RecordingProvider) -> None:
    """The bytes of the request are those of the same call without a caller, plus one line for each forwarded header.

    Values are as they were, inner white space included; names too, but for their case, which openai's client lowers.
    """

    async def call(headers: dict[str, str]) -> tuple[ReceivedRequest, ReceivedRequest]:
        client = kind.make(upstream.base_url)
        guard = ExtraHeaders(f"bytes-{next(_numbers) % 8}", policy=_policy)
        await kind.call(client)
        await kind.call(guard.with_headers(client, headers))
        await kind.close(client)
        plain, carrying = upstream.take()
        return plain, carrying

    @settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(_headers)
    def arrives(headers: dict[str, str]) -> None:
        plain, carrying = asyncio.run(call(headers))
        pairs: list[tuple[str, object]] = list(headers.items())
        sent_anyway = frozenset(name for name, _ in plain.fields)
        decided = zip(pairs, expected_reasons(pairs, _policy, sent_anyway), strict=True)
        forwarded = [f"{name}: {value}".encode() for (name, value), reason in decided if reason == "allowed"]
        added = Counter(_lines(carrying)) - Counter(_lines(plain))
        assert Counter(_lines(plain)) - Counter(_lines(carrying)) == Counter()
        assert carrying.body == plain.body
        if kind.library == "openai":
            assert _lower_names(list(added.elements())) == _lower_names(forwarded)
        else:
            assert sorted(added.elements()) == sorted(forwarded)
        assert len({compared(line.partition(b":")[0].decode()) for line in added}) == len(forwarded)

    arrives()


def _lines(received: ReceivedRequest) -> list[bytes]:
    return received.head.split(b"\r\n")


def _lower_names(lines: list[bytes]) -> list[bytes]:
    split = [line.partition(b":") for line in lines]
    return sorted(name.lower() + colon + value for name, colon, value in split)
