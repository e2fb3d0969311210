"""An OGX server that authenticates its callers by headers of a trusted proxy, with providers told who they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from extra_headers.forwarding.testing.processes import inference_provider, run_config
from tests.server.stack import PROVIDER_KEY

SET = {"X-Tenant-Id": "${user.tenant}", "x-user": "${user.id}", "x-team": "${user.attributes.teams[0]}"}
ALICE = {"x-auth-user": "alice", "x-auth-tenant": "blue", "x-auth-teams": "ml"}
BOB = {"x-auth-user": "bob", "x-auth-tenant": "green", "x-auth-teams": '["ops", "ml"]'}

_AUTH = {
    "type": "upstream_header",
    "principal_header": "x-auth-user",
    "tenant_header": "x-auth-tenant",
    "attribute_headers": {"x-auth-teams": "teams"},
}


def sent_for(user: Mapping[str, str], team: str) -> dict[str, list[str]]:
    """Return what the provider must get of `SET` for a user."""
    return {"x-tenant-id": [user["x-auth-tenant"]], "x-user": [user["x-auth-user"]], "x-team": [team]}


def providers(base_url: str) -> list[dict[str, Any]]:
    """Return one provider for each way to set headers that the tests look at."""

    def vllm(provider_id: str, extra_headers: object) -> dict[str, Any]:
        return inference_provider(provider_id, base_url, extra_headers, api_token=PROVIDER_KEY)

    openai = inference_provider("openai", base_url, {"set": SET}, provider_type="remote::openai", api_key=PROVIDER_KEY)
    passthrough = inference_provider(
        "passthrough",
        base_url.removesuffix("/v1"),
        {"set": SET},
        provider_type="remote::passthrough",
        api_key=PROVIDER_KEY,
        forward_headers={"note": "X-Note"},
    )
    return [
        vllm("reject", {"set": SET}),
        vllm("omit", {"set": SET, "on_missing": "omit"}),
        vllm("sdk", {"set": {"user-agent": "ogx for ${user.id}", "Openai_Organization": "org-${user.tenant}"}}),
        vllm(
            "forwarded",
            {"set": {"x-forwarded-user": "${user.id}", "helicone-user-id": "${user.id}"}, "on_blocked": "reject"},
        ),
        vllm("environment", {"set": {"x-user": "${env.EXTRA_HEADERS_TEST_PREFIX:=dev}-${user.id}"}}),
        openai,
        passthrough,
    ]


def authenticating_config(base_url: str, directory: Path, port: int) -> dict[str, Any]:
    """Return the run config."""
    config = run_config(providers(base_url), directory, port)
    return {**config, "server": {**config["server"], "auth": {"provider_config": _AUTH}}}
