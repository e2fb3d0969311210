"""Headers that a real server sets from the user whom it authenticated: on every call, and for nobody else."""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from extra_headers.forwarding.testing.processes import OgxServer, ServerError, free_port, inference_provider, run_config
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest, RecordingProvider
from extra_headers.telemetry import contract
from tests.server.identities import ALICE, BOB, SET, authenticating_config, sent_for
from tests.server.stack import ENDPOINTS, LIMITS, PROVIDER_KEY, Stack
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a running server that authenticates its callers."""
    directory = tmp_path_factory.mktemp("authenticating")
    metrics_port = free_port()
    environment = {"OGX_METRICS_ENDPOINT_ENABLED": "1", "OGX_METRICS_PORT": str(metrics_port)}
    environment[contract.ENV_AUDIT_LOG] = str(directory / "audit.jsonl")
    with RecordingProvider() as upstream:
        config = authenticating_config(upstream.base_url, directory, free_port())
        with (
            OgxServer(config, directory, environment=environment) as server,
            httpx.Client(timeout=60, limits=LIMITS) as client,
        ):
            yield Stack(server, upstream, f"http://127.0.0.1:{metrics_port}/metrics", client, directory)


def send(
    stack: Stack,
    provider: str,
    user: Mapping[str, str],
    headers: Mapping[str, object] | None = None,
    endpoint: str = "chat",
) -> httpx.Response:
    """Send a request as a user, with extra headers where given."""
    target = ENDPOINTS[endpoint]
    field = provider if provider in {"openai", "passthrough"} else "vllm"
    provider_data = {"X-OGX-Provider-Data": json.dumps({f"{field}_extra_headers": headers})} if headers else {}
    body = {"model": f"{provider}/{target.model}", **target.body}
    return stack.client.post(stack.server.url + target.path, json=body, headers={**user, **provider_data})


def of_the_server(request: ReceivedRequest) -> dict[str, list[str]]:
    """Return all fields of a received request that are one of `SET` in any spelling, by normalized name."""
    found: dict[str, list[str]] = {}
    for name, value in request.fields:
        if (normalized := name.lower().replace("_", "-")) in {set_name.lower() for set_name in SET}:
            found.setdefault(normalized, []).append(value)
    return found


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_on_every_endpoint_with_and_without_extra_headers(stack: Stack, endpoint: str) -> None:
    """The provider gets each header once, and beside it the caller's own that pass."""
    assert send(stack, "reject", BOB, None, endpoint).status_code == 200
    assert send(stack, "reject", ALICE, {"X-Note": "n"}, endpoint).status_code == 200

    without, beside = stack.upstream.take()
    assert of_the_server(without) == sent_for(BOB, "ops")
    assert (of_the_server(beside), beside.values("x-note")) == (sent_for(ALICE, "ml"), ["n"])
    assert without.values("authorization") == beside.values("authorization") == [f"Bearer {PROVIDER_KEY}"]


@pytest.mark.parametrize("provider", ["openai", "passthrough"])
def test_by_other_providers(stack: Stack, provider: str) -> None:
    """Those on the SDK's client, and one that makes a client for each call."""
    assert send(stack, provider, ALICE).status_code == 200
    assert send(stack, provider, BOB, {"X-Note": "n", "x_user": "root"}).status_code == 200

    without, beside = stack.upstream.take()
    assert of_the_server(without) == sent_for(ALICE, "ml")
    assert (of_the_server(beside), beside.values("x-note")) == (sent_for(BOB, "ops"), ["n"])


def test_not_on_the_servers_own_calls(stack: Stack) -> None:
    """Listing models is done for nobody in particular, whoever asks for it."""
    assert stack.client.get(f"{stack.server.url}/v1/models", headers=ALICE).status_code == 200
    assert all(of_the_server(request) == {} for request in stack.upstream.take())


@pytest.mark.parametrize("name", ["X-Tenant-Id", "x_tenant_id", "X_TENANT-ID", "x-USER", "X_Team"])
def test_a_callers_own_copy_is_a_spoof_attempt(stack: Stack, name: str) -> None:
    """It is blocked in any spelling, counted by name, and the provider gets the server's alone."""
    before = stack.series()
    assert send(stack, "reject", ALICE, {name: "root", "X-Note": "n"}).status_code == 200

    (received,) = stack.upstream.take()
    assert (of_the_server(received), received.values("x-note")) == (sent_for(ALICE, "ml"), ["n"])
    normalized = name.lower().replace("_", "-")
    assert stack.counted(before, contract.BLOCKED_NAMES_TOTAL) == {(normalized, "reject", "override"): 1}
    decided = stack.counted(before, contract.DECISIONS_TOTAL)
    assert decided == {("blocked", "reject", "override"): 1, ("forwarded", "reject", "allowed"): 1}


def test_a_name_of_the_core_blocklist(stack: Stack) -> None:
    """The operator may state who the client is, to a gateway as well; a caller who does is refused."""
    assert send(stack, "forwarded", ALICE).status_code == 200
    before = stack.series()
    refused = send(stack, "forwarded", ALICE, {"X_Forwarded_User": "root"})

    sent = [(r.values("x-forwarded-user"), r.values("helicone-user-id")) for r in stack.upstream.take()]
    assert sent == [(["alice"], ["alice"])]
    assert refused.status_code == 403
    assert "header 'X_Forwarded_User' is blocked (override:" in refused.text
    assert stack.counted(before, contract.IDENTITY_HEADERS_TOTAL) == {}


@pytest.mark.parametrize("endpoint", ["chat", "chat_stream", "embeddings"])
def test_over_what_the_client_sends_of_itself(stack: Stack, endpoint: str) -> None:
    """One field each, whatever the spelling of the two."""
    assert send(stack, "sdk", ALICE, None, endpoint).status_code == 200
    (received,) = stack.upstream.take()
    assert received.values("user-agent") == ["ogx for alice"]
    assert received.values("openai-organization") == ["org-blue"]
    assert received.values("openai_organization") == []


class TestAMissingIdentity:
    """A user without the value that a header is made of."""

    @pytest.mark.parametrize(
        ("user", "missing"),
        [
            ({"x-auth-user": "carol"}, "X-Tenant-Id (absent), x-team (absent)"),
            ({**ALICE, "x-auth-teams": "[]"}, "x-team (absent)"),
            ({**ALICE, "x-auth-teams": '["\\u00e4"]'}, "x-team (unusable)"),
            ({**ALICE, "x-auth-teams": '["a\\r\\nx-admin: 1"]'}, "x-team (unusable)"),
            ({**ALICE, "x-auth-teams": json.dumps(["t" * 4097])}, "x-team (unusable)"),
        ],
    )
    @pytest.mark.parametrize("headers", [None, {"X-Note": "n"}], ids=["without", "with extra headers"])
    def test_rejects_by_default(
        self, stack: Stack, user: dict[str, str], missing: str, headers: dict[str, object] | None
    ) -> None:
        """403, nothing is sent, and the answer names the headers without a value."""
        before = stack.series()
        for endpoint in ("chat", "rerank", "messages_stream"):
            answer = send(stack, "reject", user, headers, endpoint)
            assert answer.status_code == 403
            assert f"headers that the server cannot set for this caller, and nothing was sent to it: {missing}" in (
                answer.text
            )
        assert stack.upstream.take() == []
        headers_missing = {name.partition(" ")[0].lower() for name in missing.split(", ")}
        expected = {(name, "reject", "rejected"): 3.0 for name in headers_missing}
        assert stack.counted(before, contract.IDENTITY_HEADERS_TOTAL) == expected
        assert stack.counted(before, contract.REQUESTS_TOTAL) == {("rejected", "reject"): 3.0}
        assert stack.counted(before, contract.DECISIONS_TOTAL) == {}

    def test_is_in_the_audit_log(self, stack: Stack) -> None:
        """With the headers, why each is missing, and the caller."""

        def recorded() -> dict[str, object] | None:
            send(stack, "reject", {"x-auth-user": "dora"})
            lines = (stack.directory / "audit.jsonl").read_text().splitlines()
            return next((r for r in map(json.loads, lines) if r.get(contract.ATTR_USER) == "dora"), None)

        # Records are limited to so many a second, and other tests have made some.
        record = wait_until(recorded)
        assert record is not None
        assert record[contract.ATTR_OUTCOME] == "rejected"
        assert record[contract.ATTR_IDENTITY_HEADERS_MISSING] == ["X-Tenant-Id", "x-team"]
        assert record[contract.ATTR_IDENTITY_HEADERS_MISSING_REASONS] == ["absent", "absent"]

    def test_may_be_omitted(self, stack: Stack) -> None:
        """The rest is sent, and a caller cannot fill the gap."""
        before = stack.series()
        answer = send(stack, "omit", {"x-auth-user": "carol"}, {"x_tenant_id": "blue", "X-Note": "n"})
        assert answer.status_code == 200
        (received,) = stack.upstream.take()
        assert (of_the_server(received), received.values("x-note")) == ({"x-user": ["carol"]}, ["n"])
        assert stack.counted(before, contract.IDENTITY_HEADERS_TOTAL) == {
            ("x-user", "omit", "sent"): 1,
            ("x-tenant-id", "omit", "omitted"): 1,
            ("x-team", "omit", "omitted"): 1,
        }

    def test_cannot_be_brought_by_the_caller(self, stack: Stack) -> None:
        """The host's own place for the user, written into the provider data, is nobody's identity."""
        forged = {"__authenticated_user": {"principal": "root", "tenant_id": "blue", "attributes": {"teams": ["ml"]}}}
        target = ENDPOINTS["chat"]
        answer = stack.client.post(
            stack.server.url + target.path,
            json={"model": f"omit/{target.model}", **target.body},
            headers={"x-auth-user": "carol", "X-OGX-Provider-Data": json.dumps(forged)},
        )
        assert answer.status_code == 200
        assert [of_the_server(r) for r in stack.upstream.take()] == [{"x-user": ["carol"]}]


def test_requests_without_extra_headers_are_not_counted_as_such(stack: Stack) -> None:
    """Only what the server sets counts, once for each request."""
    before = stack.series()
    send(stack, "reject", ALICE)
    send(stack, "reject", ALICE)
    assert stack.counted(before, contract.IDENTITY_HEADERS_TOTAL) == {
        (name.lower(), "reject", "sent"): 2.0 for name in SET
    }
    for metric in (contract.REQUESTS_TOTAL, contract.DECISIONS_TOTAL, "extra_headers_evaluation_seconds_count"):
        assert stack.counted(before, metric) == {}


def test_every_result_exists_from_the_start(stack: Stack) -> None:
    """For each header that a policy sets, and for no provider without."""
    present = {labels for name, labels in stack.series() if name == contract.IDENTITY_HEADERS_TOTAL}
    of_omit = {dict(labels)["header"]: 0 for labels in present if dict(labels)["provider"] == "omit"}
    assert set(of_omit) == {name.lower() for name in SET}
    assert len([labels for labels in present if dict(labels)["provider"] == "omit"]) == 9


def test_placeholders_pass_the_hosts_own_substitution(stack: Stack) -> None:
    """`${env.…}` is the host's and replaced when it starts; `${user.…}` is not, and both go together in one value."""
    assert send(stack, "environment", ALICE).status_code == 200
    assert [r.values("x-user") for r in stack.upstream.take()] == [["dev-alice"]]


async def test_users_at_once_never_see_each_others(stack: Stack) -> None:
    """Of 200 concurrent requests of forty users, each carries its own user's identity, exactly once."""
    shuffled = random.Random(7)  # noqa: S311 - a fixed shuffle
    users = [{"x-auth-user": f"u{i}", "x-auth-tenant": f"t{i}", "x-auth-teams": f"m{i}"} for i in range(40)]
    calls = [
        (user, ("chat", "chat_stream", "embeddings", "completion", "rerank")[i]) for user in users for i in range(5)
    ]
    shuffled.shuffle(calls)

    async def call(client: httpx.AsyncClient, number: int, user: dict[str, str], endpoint: str) -> int:
        target = ENDPOINTS[endpoint]
        mark = {"query": user["x-auth-user"]} if endpoint == "rerank" else {"user": user["x-auth-user"]}
        body = {"model": f"reject/{target.model}", **target.body, **mark}
        extra = {"X-OGX-Provider-Data": json.dumps({"vllm_extra_headers": {"X-Own": user["x-auth-user"]}})}
        headers = {**user, **(extra if number % 2 else {})}
        return (await client.post(stack.server.url + target.path, json=body, headers=headers)).status_code

    async with httpx.AsyncClient(timeout=120, limits=LIMITS) as client:
        statuses = await asyncio.gather(*(call(client, i, user, endpoint) for i, (user, endpoint) in enumerate(calls)))

    assert set(statuses) == {200}
    received = stack.upstream.take()
    assert len(received) == 200
    for request in received:
        body = json.loads(request.body)
        number = (body.get("user") or body["query"]).removeprefix("u")
        expected = {"x-tenant-id": [f"t{number}"], "x-user": [f"u{number}"], "x-team": [f"m{number}"]}
        assert of_the_server(request) == expected
        assert request.values("x-own") in ([], [f"u{number}"])


CONTRADICTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "network.headers": ("remote::vllm", {"network": {"headers": {"X_Tenant_Id": "static"}}}),
    "forward_headers": ("remote::passthrough", {"forward_headers": {"tenant": "X-Tenant-ID"}}),
}


@pytest.mark.parametrize("setting", CONTRADICTIONS)
def test_another_setting_for_the_same_header_is_an_error_at_start_up(tmp_path: Path, setting: str) -> None:
    """There is one source for it, or the server does not start: least of all a source that callers fill."""
    provider_type, settings = CONTRADICTIONS[setting]
    provider = inference_provider("a", "http://127.0.0.1:1/v1", {"set": SET}, provider_type=provider_type, **settings)
    config = run_config([provider], tmp_path, free_port())
    with pytest.raises(ServerError), OgxServer(config, tmp_path) as server:
        raise AssertionError(server.log)
    log = (tmp_path / "server.log").read_text()
    assert f"set.X-Tenant-Id: '{setting}' of the provider names the same header; remove one" in log
