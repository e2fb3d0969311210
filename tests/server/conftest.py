"""One server for all tests of this folder: starting one takes seconds, and no test changes its state."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from extra_headers.forwarding.testing.processes import free_port, inference_provider
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.server.host import IS_OGX, SERVER, host_run_config, metrics_environment
from tests.server.stack import LIMITS, PROVIDER_KEY, Stack

# llama-stack has no Anthropic Messages, and no authentication by headers of a proxy: `tests/llama_stack` has its own.
collect_ignore = [] if IS_OGX else ["test_translated_messages.py", "test_identity_headers.py"]


def providers(base_url: str) -> list[dict[str, Any]]:
    """Return one provider for each setting of the flag that the tests look at."""

    def vllm(provider_id: str, extra_headers: object, **config: Any) -> dict[str, Any]:
        return inference_provider(provider_id, base_url, extra_headers, api_token=PROVIDER_KEY, **config)

    network = {"headers": {"X-Operator-Key": "the-operator-value", "X-Team": "the-team"}}
    allow = {"allow": ["x-maas-*", "X_Tenant"], "block": ["x-maas-internal-*"]}
    openai = inference_provider(
        "openai", base_url, extra_headers=True, provider_type="remote::openai", api_key=PROVIDER_KEY
    )
    return [
        vllm("on", True),
        vllm("reject_both", {"on_blocked": "reject", "on_malformed": "reject"}),
        vllm("drop_both", {"on_blocked": "drop", "on_malformed": "drop"}),
        vllm("off", False),
        vllm("disabled", {"enabled": False}),
        vllm("absent", None),
        inference_provider("another_type", base_url, provider_type="remote::groq", api_key=PROVIDER_KEY),
        vllm("own_field", {"field": "second_extra_headers"}),
        vllm("network", True, network=network),
        vllm("allowing", allow),
        vllm("unblocking", {"unblock": ["openai-organization", "x-real-ip"]}),
        vllm("plain", {"from_request": {"X-Subscription": "X-MaaS-Subscription", "X-Team": "X-Team"}}),
        openai,
    ]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a running server with `providers`, all served by one recording upstream."""
    directory = tmp_path_factory.mktemp("server")
    metrics_port = free_port()
    environment = metrics_environment(metrics_port)
    with RecordingProvider() as upstream:
        config = host_run_config(providers(upstream.base_url), directory, free_port())
        with (
            SERVER(config, directory, environment=environment, timeout=300) as server,
            httpx.Client(timeout=30, limits=LIMITS) as client,
        ):
            yield Stack(server, upstream, f"http://127.0.0.1:{metrics_port}/metrics", client, directory)


@pytest.fixture(autouse=True)
def _forget_earlier_requests(request: pytest.FixtureRequest) -> None:
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").upstream.take()
