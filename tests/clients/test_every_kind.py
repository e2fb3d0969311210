"""What holds for every kind of client: the same policy, the same decisions, the same counters."""

import logging
from typing import Any

import pytest

from extra_headers.forwarding import BlockedHeadersError, ExtraHeaders, MalformedHeadersError, Policy, PolicyError
from extra_headers.forwarding.clients.caller_request import CallerHeaders
from extra_headers.forwarding.policy.provider_data import decode_object
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.clients.conftest import Make
from tests.clients.kinds import KEY, Kind, counted

_DROP = Policy(on_malformed="drop")
_HOSTILE = {
    "X-Tenant": "a",
    "Authorization": "Bearer evil",
    "x_api_key": "evil",
    "Host": "evil.test",
    "X-Smuggled": "a\r\nX-Evil: evil",
    "Content_Length": "0",
    "traceparent": "evil",
}


class TestWhatIsSent:
    """The bytes that the provider receives."""

    async def test_forwarded_is_there_and_blocked_is_not(
        self, kind: Kind, make: Make, upstream: RecordingProvider
    ) -> None:
        """What the policy passes arrives once, the rest nowhere, and the client's own credentials as they were."""
        client = kind.make(upstream.base_url)
        await kind.call(make(_DROP).with_headers(client, _HOSTILE))
        await kind.close(client)

        (received,) = upstream.take()
        assert received.values("x-tenant") == ["a"]
        assert received.values("authorization") == [f"Bearer {KEY}"]
        assert b"evil" not in received.head

    async def test_what_the_client_sends_is_not_overridden(
        self, kind: Kind, make: Make, upstream: RecordingProvider
    ) -> None:
        """Neither a default header of the client nor one of this very call, in whatever spelling."""
        client = kind.make(upstream.base_url, default_headers={"X-Team": "ours"})
        guard = make(Policy())
        sent = {"x-team": "evil", "X_TEAM": "evil"}
        for name, value in sent.items():
            await kind.call(guard.with_headers(client, {name: value, "X-A": "1"}))
        await kind.call(guard.with_headers(client, {"x_Login": "evil", "X-A": "1"}), {"X-Login": "ours"})
        await kind.close(client)

        received = upstream.take()
        assert [r.values("x-a") for r in received] == [["1"]] * 3
        assert [r.values("x-team") for r in received] == [["ours"]] * 3
        assert received[2].values("x-login") == ["ours"]
        assert all(b"evil" not in r.head for r in received)
        assert counted(guard) == {"allowed": 3, "override": 3, "filtered": 3}

    async def test_the_client_is_left_as_it_is(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """The client's own calls, before and after, carry nothing of a caller, and all share one connection."""
        client = kind.make(upstream.base_url)
        await kind.call(client)
        await kind.call(extra_headers.with_headers(client, {"X-Tenant": "a"}))
        await kind.call(client)
        connections = upstream.connections
        await kind.close(client)

        assert [r.values("x-tenant") for r in upstream.take()] == [[], ["a"], []]
        assert connections == 1

    async def test_what_is_set_on_a_copy_is_for_one_caller(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """A default header or an event hook that the service adds to the copy is not on the client's own calls."""
        client = kind.make(upstream.base_url)
        carrying = extra_headers.with_headers(client, {"X-Tenant": "a"})
        http_client = carrying._client if kind.library == "openai" else carrying
        http_client.headers["X-User"] = "of-one-caller"
        http_client.event_hooks["request"].append(None)
        await kind.call(client)
        await kind.close(client)

        (received,) = upstream.take()
        assert b"of-one-caller" not in received.head

    @pytest.mark.parametrize("headers", [None, {}])
    async def test_no_headers_change_nothing(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider, headers: dict[str, str] | None
    ) -> None:
        """The call of a caller without extra headers is that of the client, and is not counted."""
        client = kind.make(upstream.base_url)
        await kind.call(client)
        await kind.call(extra_headers.with_headers(client, headers))
        await kind.close(client)

        of_the_client, of_the_copy = upstream.take()
        assert of_the_copy == of_the_client
        assert counted(extra_headers) == {}

    @pytest.mark.parametrize("policy", [False, None, {"enabled": False}, Policy(enabled=False)])
    async def test_a_policy_that_is_off_forwards_nothing(
        self, kind: Kind, upstream: RecordingProvider, policy: Any
    ) -> None:
        """As in a run config, null and false are no policy that lets everything pass."""
        client = kind.make(upstream.base_url)
        guard = ExtraHeaders("off", policy=policy)
        await kind.call(guard.with_headers(client, {"X-Tenant": "a", "X-Bad": "\n"}))
        await kind.close(client)

        assert upstream.take()[0].values("x-tenant") == []
        assert counted(guard) == {}

    async def test_headers_are_those_of_the_moment(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """A service that fills one dict for several callers in turn does not mix them up."""
        client = kind.make(upstream.base_url)
        headers = {"X-Tenant": "a"}
        for_a = extra_headers.with_headers(client, headers)
        headers.update({"X-Tenant": "b", "X-B": "b"})
        await kind.call(for_a)
        await kind.close(client)

        (received,) = upstream.take()
        assert (received.values("x-tenant"), received.values("x-b")) == (["a"], [])


class TestRejection:
    """A request that the policy rejects: an error, one count, and silence on the wire."""

    async def test_a_blocked_header(self, kind: Kind, make: Make, upstream: RecordingProvider) -> None:
        """It is a `BlockedHeadersError` when the headers are taken, with provider, name and reason."""
        guard = make(Policy(on_blocked="reject"))
        client = kind.make(upstream.base_url)
        with pytest.raises(BlockedHeadersError, match=f"{guard.provider}.*'Cookie'.*credential") as caught:
            guard.with_headers(client, {"X-A": "1", "Cookie": "secret"})
        await kind.close(client)

        assert "secret" not in repr(caught.value) + str(caught.value)
        assert upstream.take() == []
        assert counted(guard) == {"credential": 1, "rejected": 1}

    @pytest.mark.parametrize("headers", [{"X-A": "secret\n"}, {"secret name": "a"}, {"X-A": 1}, ["secret"], "secret"])
    async def test_a_malformed_header(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider, headers: Any
    ) -> None:
        """It is a `MalformedHeadersError`, whatever is wrong, and tells nothing that was sent."""
        client = kind.make(upstream.base_url)
        with pytest.raises(MalformedHeadersError, match=extra_headers.provider) as caught:
            extra_headers.with_headers(client, headers)
        await kind.close(client)

        assert "secret" not in repr(caught.value) + str(caught.value)
        assert upstream.take() == []
        assert counted(extra_headers)["rejected"] == 1

    async def test_equal_keys(self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider) -> None:
        """JSON with the same name twice is a duplicate; neither of the two values is the right one."""
        client = kind.make(upstream.base_url)
        with pytest.raises(MalformedHeadersError, match="duplicate"):
            extra_headers.with_headers(client, CallerHeaders(decode_object('{"X-A": "1", "X-A": "2"}')))
        await kind.close(client)

        assert counted(extra_headers) == {"duplicate": 2, "rejected": 1}

    async def test_a_call_of_its_own_headers(self, kind: Kind, make: Make, upstream: RecordingProvider) -> None:
        """Where only a header of this very call is overridden, the call raises before it sends anything."""
        guard = make(Policy(on_blocked="reject"))
        client = kind.make(upstream.base_url)
        carrying = guard.with_headers(client, {"x-login": "evil"})
        with pytest.raises(BlockedHeadersError, match="override"):
            await kind.call(carrying, {"X-Login": "ours"})
        await kind.close(client)

        assert upstream.take() == []
        assert counted(guard) == {"override": 1, "rejected": 1}


class TestTelemetry:
    """Counters and audit records are those of a server's provider."""

    async def test_every_call_counts_once(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """One call, one request, one decision for each header; a copy that is not used counts nothing."""
        client = kind.make(upstream.base_url)
        extra_headers.with_headers(client, {"X-Unused": "1"})
        for _ in range(3):
            await kind.call(extra_headers.with_headers(client, {"X-A": "1", "X-B": "2", "Cookie": "c"}))
        await kind.close(client)

        assert counted(extra_headers) == {"allowed": 6, "credential": 3, "filtered": 3}

    async def test_the_audit_log(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A blocked header is one line of the audit log; no log line at all holds a value, not even when debugging."""
        caplog.set_level(logging.DEBUG)
        client = kind.make(upstream.base_url)
        await kind.call(extra_headers.with_headers(client, {"X-A": "secret-1", "Cookie": "secret-2"}))
        await kind.close(client)

        (record,) = [record for record in caplog.records if record.name == "extra_headers.audit"]
        assert vars(record)["extra_headers.blocked.names"] == ["Cookie"]
        assert all("secret" not in repr(vars(record)) for record in caplog.records)

    async def test_no_value_is_shown(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """A copy that lands in a log or a debugger's list of variables does not tell its headers."""
        client = kind.make(upstream.base_url)
        carrying = extra_headers.with_headers(client, {"X-A": "s3cr3t"})
        shown = repr(carrying) + str(vars(carrying)) + repr(CallerHeaders({"X-A": "s3cr3t"}))
        await kind.close(client)

        assert "s3cr3t" not in shown


class TestWhatCannotBeMeant:
    """Mistakes of the service are errors at once."""

    async def test_two_callers_of_one_call(
        self, kind: Kind, extra_headers: ExtraHeaders, upstream: RecordingProvider
    ) -> None:
        """A copy for one caller cannot be made into one for another, not even for one without headers."""
        client = kind.make(upstream.base_url)
        carrying = extra_headers.with_headers(client, {"X-A": "1"})
        for headers in ({"X-B": "2"}, None):
            with pytest.raises(TypeError, match="is already a wrapped copy"):
                extra_headers.with_headers(carrying, headers)
        await kind.close(client)

    def test_another_client(self, extra_headers: ExtraHeaders) -> None:
        """What is no known client is refused by its type's name, headers or not."""
        for headers in (None, {"X-A": "1"}):
            with pytest.raises(TypeError, match=r"not builtins\.dict"):
                extra_headers.with_headers({}, headers)  # type: ignore[type-var]

    def test_a_bad_policy(self) -> None:
        """A mapping is checked as that of a run config; the error says whose it is and which entry."""
        with pytest.raises(PolicyError, match=r"client 'vllm'.*\n.*alow: unknown setting"):
            ExtraHeaders("vllm", policy={"alow": ["x-*"]})

    def test_the_field(self) -> None:
        """The key of the provider data is the policy's or made of the provider's name, as on a server."""
        assert ExtraHeaders("my-vllm").field == "my_vllm_extra_headers"
        assert ExtraHeaders("vllm", policy={"field": "other"}).field == "other"
