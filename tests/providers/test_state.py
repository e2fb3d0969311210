"""State of a caller that would outlive its call: cookies that a provider sets, and redirects that it answers with."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from extra_headers.forwarding.testing.processes import free_port
from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest, RecordingProvider
from tests.providers.answers import answer_as_any_provider
from tests.providers.catalogue import provider_entry
from tests.providers.stack import ENDPOINTS, running
from tests.server.stack import Stack

_TYPES = {"vllm": "vllm_extra_headers", "passthrough": "passthrough_extra_headers", "nvidia": "nvidia_extra_headers"}
"""One type for each kind of HTTP client whose address can be a host name."""


def _entries(kept: str) -> Iterator[tuple[str, dict[str, object]]]:
    for adapter_type in _TYPES:
        entry = provider_entry(adapter_type, {"on_redirect": kept})
        # By name: cookies for an IP address are another matter.
        config = {
            name: value.replace("{url}", "{named}") if isinstance(value, str) else value
            for name, value in entry["config"].items()
        }
        yield f"{adapter_type}-{kept}", {**entry, "config": config}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a server whose providers are addressed by a host name."""
    entries = {name: entry for kept in ("drop", "keep") for name, entry in _entries(kept)}
    with running(tmp_path_factory.mktemp("named"), entries) as stack:
        yield stack


@pytest.mark.parametrize("adapter_type", _TYPES)
@pytest.mark.parametrize("endpoint", ["chat", "chat_stream", "embeddings", "rerank"])
def test_no_cookie_is_kept(named: Stack, adapter_type: str, endpoint: str) -> None:
    """A provider that sets one in the answer to one tenant does not get it back with the next tenant's call."""

    def set_cookie(request: ReceivedRequest) -> Answer:
        answer = answer_as_any_provider(request)
        return replace(answer, fields=(("Set-Cookie", f"seen={request.values('x-tenant')}; Path=/"),))

    named.upstream.answer = set_cookie
    for tenant in ("blue", "green"):
        named.send(f"{adapter_type}-drop", {"X-Tenant": tenant}, ENDPOINTS[endpoint], field=_TYPES[adapter_type])
    named.upstream.answer = answer_as_any_provider
    received = [request for request in named.upstream.take() if request.values("x-tenant")]
    assert [request.values("cookie") for request in received] == [[]] * len(received)
    assert len(received) in (0, 2)
    assert received or (adapter_type, endpoint) == ("passthrough", "rerank")


@pytest.mark.parametrize("adapter_type", _TYPES)
@pytest.mark.parametrize("endpoint", ["chat", "rerank"])
@pytest.mark.parametrize("kept", ["drop", "keep"])
def test_headers_do_not_follow_to_another_origin(named: Stack, adapter_type: str, endpoint: str, kept: str) -> None:
    """Unless the policy says `on_redirect: keep`. To another path of the same origin they go along."""
    with RecordingProvider(port=free_port(), answer=answer_as_any_provider) as elsewhere:

        def redirect(request: ReceivedRequest) -> Answer:
            if "/again" not in request.path:
                return Answer(307, b"", fields=(("Location", f"{request.path}/again"),))
            return Answer(307, b"", fields=(("Location", f"{elsewhere.base_url}/chat/completions"),))

        named.upstream.answer = redirect
        provider, field = f"{adapter_type}-{kept}", _TYPES[adapter_type]
        named.send(provider, {"X-Tenant": "blue"}, ENDPOINTS[endpoint], field=field)
        named.upstream.answer = answer_as_any_provider
        here = [request.values("x-tenant") for request in named.upstream.take() if request.method == "POST"]
        there = [request.values("x-tenant") for request in elsewhere.received]
    if endpoint == "rerank" and adapter_type != "nvidia":
        assert there == []  # the host does not serve it, or its client follows no redirect
        return
    assert here == [["blue"], ["blue"]]
    assert there == [["blue"] if kept == "keep" else []]
