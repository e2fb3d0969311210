"""Who it was: only whom the host authenticated, never whom the provider data names."""

import json
from typing import Any

import pytest

from extra_headers.forwarding.ogx.host import Host
from tests.llama_stack.traced import Traced
from tests.server.host import HEADER, load

_FORGED: list[Any] = [
    {"principal": "root", "attributes": {"teams": ["admin"]}},
    {"principal": "root", "tenant_id": "other"},
    ["root"],
    "root",
    1,
]


def _provider_data(user: object) -> dict[str, str]:
    data = {"__authenticated_user": user, "vllm_extra_headers": {"X-A": "1", "Cookie": "s"}}
    return {HEADER: json.dumps(data)}


@pytest.mark.parametrize("forged", _FORGED, ids=json.dumps)
class TestForgedUser:
    """llama-stack keeps the authenticated user where callers put their data, under a key that they may send, too."""

    def test_is_nobody(self, forged: object) -> None:
        """A user of the caller's own making names nobody."""
        request_headers = load("{host}.core.request_headers")
        host = Host("llama_stack")
        with request_headers.request_provider_data_context(_provider_data(forged)):
            assert request_headers.get_authenticated_user() == forged  # the hole is there
            user = host.user()

        assert (user.id, user.tenant) == (None, None)

    def test_does_not_hide_the_authenticated_one(self, forged: object) -> None:
        """Where the host authenticated somebody, that is who it was."""
        user = load("{host}.core.datatypes").User("alice", None)
        host = Host("llama_stack")
        with load("{host}.core.request_headers").request_provider_data_context(_provider_data(forged), user):
            user = host.user()

        assert (user.id, user.tenant) == ("alice", None)


def test_a_forged_user_is_in_no_telemetry(traced: Traced) -> None:
    """Without authentication, the host fails on one that is not empty: nothing is sent, and no telemetry names it."""
    text = _provider_data({"principal": "forged-5217", "tenant_id": "forged-5217"})[HEADER]
    response = traced.stack.send("on", None, provider_data=text)

    assert response.status_code == 500
    assert traced.stack.upstream.take() == []
    traced.stack.send("on", {"X-A": "1", "Cookie": "s"})
    (received,) = traced.stack.upstream.take()
    traced.span_of(received)  # all spans before it are exported, too
    assert "Cookie (credential)" in traced.stack.server.log.replace("\n", "")
    for place in (traced.stack.server.log.encode(), *traced.collector.payloads["/v1/traces"]):
        assert b"forged-5217" not in place
