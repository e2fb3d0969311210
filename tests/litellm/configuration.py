"""The configuration of the proxy that most tests share."""

import json
from collections.abc import Sequence
from typing import Any

from tests.attacks.corpus import CASES, Case
from tests.litellm.keys import MASTER_KEY

PROVIDER_KEY = "the-provider-key"
POLICY = {"block": ["x-internal-*"]}
"""The default policy."""


def model(name: str, kind: str = "openai/test-model", policy: object = None, **params: object) -> dict[str, Any]:
    """Return an entry of `model_list`; `{v1}` and `{root}` in it are the recording provider's URL."""
    entry: dict[str, Any] = {
        "model_name": name,
        "litellm_params": {"model": kind, "api_key": PROVIDER_KEY, "api_base": "{v1}", **params},
    }
    if policy is not None:
        entry["model_info"] = {"extra_headers": policy}
    return entry


MODELS = [
    model("gpt", extra_headers={"X-Operator": "the-operators"}),
    model("claude", "anthropic/test-model", api_base="{root}"),
    model("vllm", "hosted_vllm/test-model"),
    model("azure", "azure/test-model", api_base="{root}", api_version="2024-02-01"),
    model("reranker", "cohere/test-model", api_base="{v1}/rerank"),
    model("strict", policy={"allow": ["x-maas-*"], "on_blocked": "reject"}),
    # Of one name with two policies. LiteLLM takes entries with equal parameters for one deployment.
    model("pair", policy={"allow": ["x-a"]}),
    model("pair", policy={"allow": ["x-b"]}, timeout=601),
    model("off", policy=False),
    model("identified", policy={"set": {"x-tenant-id": "${user.tenant}", "x-key": "${user.attributes.key_alias[0]}"}}),
    model("attributed", policy={"set": {"x-cost-center": "${user.attributes.cost-center[0]}"}, "on_missing": "omit"}),
    model("dropping", policy={"on_malformed": "drop"}),
    model("own-key", configurable_clientside_auth_params=["api_key"]),
    model("failing", "openai/failing"),
    model("flaky", "openai/flaky"),
    model("cookie", "openai/cookie"),
    model("cookie-vllm", "hosted_vllm/cookie"),
    model("cookie-claude", "anthropic/cookie", api_base="{root}"),
]


def _by_policy() -> dict[str, list[Case]]:
    """Return the attack corpus by the model that each case is sent to, of one operator's settings each."""
    found: dict[str, list[Case]] = {}
    for case in CASES:
        found.setdefault(json.dumps([case.policy, case.outbound]), []).append(case)
    return {f"corpus-{number}": cases for number, cases in enumerate(found.values())}


CORPUS = _by_policy()
SHARED_MODELS = MODELS + [
    # LiteLLM takes entries with equal parameters for one deployment.
    model(
        name,
        policy=dict(cases[0].policy) or True,
        extra_headers=dict.fromkeys(cases[0].outbound, "the-operators"),
        timeout=700 + number,
    )
    for number, (name, cases) in enumerate(CORPUS.items())
]


def configuration(models: Sequence[dict[str, Any]], **sections: Any) -> dict[str, Any]:
    """Return the proxy's config.yaml; `sections` are merged into it."""
    config: dict[str, Any] = {
        "model_list": list(models),
        "litellm_settings": {"callbacks": ["extra_headers.forwarding.litellm.callback"], "num_retries": 0},
        "callback_settings": {"extra_headers": POLICY},
        "general_settings": {
            "master_key": MASTER_KEY,
            "custom_auth": "tests.litellm.auth.authenticate",
            "forward_client_headers_to_llm_api": True,
            "pass_through_endpoints": [
                {
                    "path": path,
                    "target": "{v1}/embeddings",
                    "headers": {"Authorization": f"Bearer {PROVIDER_KEY}", "X-Operator": "the-operators"},
                    "forward_headers": forward,
                    "auth": True,
                }
                for path, forward in (("/custom", False), ("/custom-forwarding", True))
            ],
        },
        "router_settings": {"fallbacks": [{"strict": ["gpt"]}, {"failing": ["gpt"]}]},
    }
    for name, section in sections.items():
        config[name] = {**config.get(name, {}), **section} if isinstance(section, dict) else section
    return config
