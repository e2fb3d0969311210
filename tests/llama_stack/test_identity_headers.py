"""Identity headers from the user whom it authenticated: by a token, which its custom endpoint looks up."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from extra_headers.forwarding.testing.loopback import LoopbackServer, Posted
from extra_headers.forwarding.testing.processes import inference_provider
from tests.server.host import HEADER
from tests.server.stack import ENDPOINTS, PROVIDER_KEY, Stack
from tests.telemetry.servers import running

_USERS = {
    "token-of-alice": {"principal": "alice", "attributes": {"teams": ["ml"]}},
    "token-of-bob": {"principal": "bob", "attributes": {"teams": ["ops", "ml"]}},
}
_SET = {"X-User": "${user.id}", "X-Team": "${user.attributes.teams[0]}"}


def _authenticate(request: Posted) -> tuple[int, bytes]:
    user = _USERS.get(json.loads(request.body)["api_key"])
    return 401 if user is None else 200, json.dumps(user).encode()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a running server that authenticates its callers."""
    with LoopbackServer(_authenticate) as authenticator:

        def configure(config: dict[str, Any]) -> None:
            base_url = config["providers"]["inference"][0]["config"]["base_url"]
            config["providers"]["inference"] = [
                inference_provider(name, base_url, {"set": headers}, api_token=PROVIDER_KEY)
                for name, headers in {"known": _SET, "tenant": {**_SET, "X-Tenant": "${user.tenant}"}}.items()
            ]
            endpoint = f"{authenticator.url}/"
            config["server"]["auth"] = {"provider_config": {"type": "custom", "endpoint": endpoint}}

        with running(tmp_path_factory.mktemp("authenticating"), change=configure) as running_stack:
            yield running_stack


def _send(
    stack: Stack, token: str, provider_data: Mapping[str, object] | None = None, provider: str = "known"
) -> httpx.Response:
    target = ENDPOINTS["chat"]
    return stack.client.post(
        stack.server.url + target.path,
        json={"model": f"{provider}/{target.model}", **target.body},
        headers={"Authorization": f"Bearer {token}", HEADER: json.dumps(provider_data)},
    )


def test_each_caller_is_named(stack: Stack) -> None:
    """The provider gets each header once, of the user whose token it was, beside the caller's own that pass."""
    assert _send(stack, "token-of-alice").status_code == 200
    data = {"vllm_extra_headers": {"X-Note": "n", "x_user": "root", "X-Team": "root"}}
    assert _send(stack, "token-of-bob", data).status_code == 200
    assert _send(stack, "made-up").status_code == 401

    received = [(r.values("x-user"), r.values("x-team"), r.values("x-note")) for r in stack.upstream.take()]
    assert received == [(["alice"], ["ml"], []), (["bob"], ["ops"], ["n"])]


def test_a_forged_user_is_nobody(stack: Stack) -> None:
    """The host's own place for the user, written into the provider data, does not hide the authenticated one."""
    forged = {"principal": "root", "attributes": {"teams": ["admin"]}}
    assert _send(stack, "token-of-alice", {"__authenticated_user": forged}).status_code == 200
    assert [(r.values("x-user"), r.values("x-team")) for r in stack.upstream.take()] == [(["alice"], ["ml"])]


def test_there_are_no_tenants(stack: Stack) -> None:
    """The users of this host have no tenant: what is made of it is missing for everyone, and nothing is sent."""
    response = _send(stack, "token-of-alice", {"__authenticated_user": {"tenant_id": "blue"}}, "tenant")
    assert response.status_code == 403
    assert "X-Tenant (absent)" in response.text
    assert stack.upstream.take() == []
