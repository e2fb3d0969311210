"""What only openai clients do: retries, pages, streams, copies of copies, clients of Azure, keys fetched on the way."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from openai import AsyncOpenAI, AzureOpenAI, InternalServerError, NotFoundError, OpenAI, omit

from extra_headers.forwarding import BlockedHeadersError, ExtraHeaders, Policy
from extra_headers.forwarding.testing.recording_provider import (
    Answer,
    ReceivedRequest,
    RecordingProvider,
    answer_as_provider,
)
from tests.clients.conftest import Make
from tests.clients.kinds import BODY, KEY, counted

_CHAT: dict[str, Any] = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}


def _failing(times: int) -> Callable[[ReceivedRequest], Answer]:
    """Return a provider that is overloaded at first."""
    left = [Answer(503, b"{}")] * times

    def answer(request: ReceivedRequest) -> Answer:
        return left.pop() if left else answer_as_provider(request)

    return answer


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)


class TestRetries:
    """A retry is part of its call."""

    def test_sync(self, extra_headers: ExtraHeaders) -> None:
        """Each attempt carries the same headers, and the call is counted once."""
        with (
            RecordingProvider(answer=_failing(2)) as upstream,
            OpenAI(api_key=KEY, base_url=upstream.base_url) as client,
        ):
            extra_headers.with_headers(client, {"X-Tenant": "a"}).embeddings.create(**BODY)

        assert [r.values("x-tenant") for r in upstream.take()] == [["a"]] * 3
        assert counted(extra_headers) == {"allowed": 1, "clean": 1}

    async def test_async(self, extra_headers: ExtraHeaders) -> None:
        """Each attempt carries the same headers, and the call is counted once."""
        with RecordingProvider(answer=_failing(2)) as upstream:
            async with AsyncOpenAI(api_key=KEY, base_url=upstream.base_url) as client:
                await extra_headers.with_headers(client, {"X-Tenant": "a"}).embeddings.create(**BODY)

        assert [r.values("x-tenant") for r in upstream.take()] == [["a"]] * 3
        assert counted(extra_headers) == {"allowed": 1, "clean": 1}

    def test_a_rejection_is_none(self, make: Make, upstream: RecordingProvider) -> None:
        """An error of ours comes out as it is: not retried, not wrapped in one of the SDK's."""
        guard = make(Policy(on_blocked="reject"))
        with OpenAI(api_key=KEY, base_url=upstream.base_url) as client:
            carrying = guard.with_headers(client, {"X-A": "1"})
            with pytest.raises(BlockedHeadersError):
                carrying.embeddings.create(**BODY, extra_headers={"X-A": "ours"})

        assert counted(guard) == {"override": 1, "rejected": 1}

    def test_after_a_failed_call_nothing_is_left(self, extra_headers: ExtraHeaders) -> None:
        """Where the provider fails for good, the client's next call carries nothing of the caller."""
        with (
            RecordingProvider(answer=_failing(1)) as upstream,
            OpenAI(api_key=KEY, base_url=upstream.base_url, max_retries=0) as client,
        ):
            with pytest.raises(InternalServerError):
                extra_headers.with_headers(client, {"X-Tenant": "a"}).embeddings.create(**BODY)
            client.embeddings.create(**BODY)

        assert [r.values("x-tenant") for r in upstream.take()] == [["a"], []]


class TestTheSdksOwnWays:
    """Features of the SDK that make calls or copies of their own."""

    @pytest.mark.parametrize(
        "change", [{"timeout": 5}, {"default_headers": {"X-Team": "ours"}}, {"set_default_headers": {}}]
    )
    def test_a_copy_of_the_copy(self, extra_headers: ExtraHeaders, upstream: RecordingProvider, change: Any) -> None:
        """`with_options` keeps the caller's headers, and none of them replaces what it adds."""
        with OpenAI(api_key=KEY, base_url=upstream.base_url) as client:
            carrying = extra_headers.with_headers(client, {"X-Tenant": "a", "x-team": "evil"})
            carrying.with_options(**change).embeddings.create(**BODY)

        (received,) = upstream.take()
        assert received.values("x-tenant") == ["a"]
        assert received.values("x-team") == (["ours"] if "default_headers" in change else ["evil"])

    def test_a_copy_with_another_http_client(self, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
        """It carries the caller's headers as well, and keeps no cookie."""
        with OpenAI(api_key=KEY, base_url=upstream.base_url) as client, OpenAI(api_key=KEY) as other:
            carrying = extra_headers.with_headers(client, {"X-Tenant": "a"})
            made = carrying.with_options(http_client=other._client)
            made.embeddings.create(**BODY)
            assert made._client is not other._client

        assert upstream.take()[0].values("x-tenant") == ["a"]
        assert counted(extra_headers) == {"allowed": 1, "clean": 1}

    def test_a_header_that_the_call_takes_away(self, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
        """What the service omits on purpose does not come back by way of a caller, in whatever spelling."""
        with OpenAI(api_key=KEY, base_url=upstream.base_url) as client:
            for name in ("X-Team", "x_team"):
                carrying = extra_headers.with_headers(client, {name: "evil"})
                carrying.embeddings.create(**BODY, extra_headers={"X-Team": omit})

        assert all(b"evil" not in r.head for r in upstream.take())
        assert counted(extra_headers) == {"override": 2, "filtered": 2}

    def test_raw_and_streamed_answers(self, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
        """All of the SDK's ways to read an answer carry the headers."""
        with OpenAI(api_key=KEY, base_url=upstream.base_url) as client:
            chat = extra_headers.with_headers(client, {"X-Tenant": "a"}).chat.completions
            assert [chunk.choices[0].finish_reason for chunk in chat.create(**_CHAT, stream=True)] == [None, "stop"]
            assert chat.with_raw_response.create(**_CHAT).status_code == 200
            with chat.with_streaming_response.create(**_CHAT) as response:
                assert json.loads(response.read())["model"] == "test-model"

        assert [r.values("x-tenant") for r in upstream.take()] == [["a"]] * 3
        assert counted(extra_headers) == {"allowed": 3, "clean": 3}

    async def test_streaming_asynchronously(self, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
        """A stream carries the headers, and reading it leaves nothing behind for another call of the same task."""
        async with AsyncOpenAI(api_key=KEY, base_url=upstream.base_url) as client:
            carrying = extra_headers.with_headers(client, {"X-Tenant": "a"})
            async for _ in await carrying.chat.completions.create(**_CHAT, stream=True):
                await client.embeddings.create(**BODY)

        assert [r.values("x-tenant") for r in upstream.take()] == [["a"], [], []]

    def test_pages(self, make: Make) -> None:
        """Each page is a call: the following ones carry the headers, too, and do not take them for the client's own."""

        def answer(request: ReceivedRequest) -> Answer:
            item = {"id": f"file-{request.path[-1]}", "object": "file"}
            return Answer(200, json.dumps({"data": [item], "has_more": "after" not in request.path}).encode())

        guard = make(Policy(on_blocked="reject"))
        with RecordingProvider(answer=answer) as upstream, OpenAI(api_key=KEY, base_url=upstream.base_url) as client:
            carrying = guard.with_headers(client, {"X-Tenant": "a"})
            assert len(list(carrying.files.list(extra_headers={"X-Own": "1"}))) == 2

        assert [(r.values("x-tenant"), r.values("x-own")) for r in upstream.take()] == [(["a"], ["1"])] * 2
        assert counted(guard) == {"allowed": 2, "clean": 2}

    def test_a_key_that_is_fetched_within_the_call(self, make: Make, upstream: RecordingProvider) -> None:
        """A call made on the way, for another provider and caller, keeps its headers apart from those around it."""
        outer, inner = make(Policy()), make(Policy())
        with OpenAI(api_key="key-for-keys", base_url=f"{upstream.base_url}/v1/keys/v1") as keys:

            def fetch() -> str:
                inner.with_headers(keys, {"X-Inner": "i", "X-Both": "i"}).embeddings.create(**BODY)
                keys.embeddings.create(**BODY)
                return KEY

            with OpenAI(api_key=fetch, base_url=upstream.base_url) as client:
                outer.with_headers(client, {"X-Outer": "o", "X-Both": "o"}).embeddings.create(**BODY)

        shown = [tuple(r.values(f"x-{name}") for name in ("inner", "outer", "both")) for r in upstream.take()]
        assert shown == [(["i"], [], ["i"]), ([], [], []), ([], ["o"], ["o"])]

    def test_azure(self, make: Make, upstream: RecordingProvider) -> None:
        """A client of Azure stays one, and keeps its `api-key`."""
        guard = make(Policy())
        with AzureOpenAI(api_key=KEY, api_version="2026-01-01", azure_endpoint=upstream.base_url) as client:
            carrying = guard.with_headers(client, {"X-Tenant": "a", "Api_Key": "evil"})
            assert isinstance(carrying, AzureOpenAI)
            with pytest.raises(NotFoundError):
                carrying.responses.create(model="m", input="hi")

        (received,) = upstream.take()
        assert (received.values("api-key"), received.values("x-tenant")) == ([KEY], ["a"])
        assert b"evil" not in received.head

    def test_the_debug_log(
        self, extra_headers: ExtraHeaders, upstream: RecordingProvider, caplog: pytest.LogCaptureFixture
    ) -> None:
        """When debugging, openai 2 logs the options of a request; the caller's values are not among them."""
        caplog.set_level(logging.DEBUG, logger="openai")
        with OpenAI(api_key=KEY, base_url=upstream.base_url) as client:
            extra_headers.with_headers(client, {"X-Tenant": "secret"}).embeddings.create(**BODY)

        assert "HTTP" in caplog.text
        assert "secret" not in caplog.text
