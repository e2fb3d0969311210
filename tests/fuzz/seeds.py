"""What the fuzzer starts from: every case of the attack corpus, run configs, and the words of the blocklist."""

import json
from pathlib import Path

from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from tests.attacks.corpus import CASES

MAX_BYTES = 2048
"""Of an input: enough for every kind of case, and small enough to try many."""

_SETTINGS: tuple[object, ...] = (
    {"allow": ["x-a*", "X_Tenant"], "block": ["x-a-b*"], "unblock": ["openai-project"], "on_blocked": "reject"},
    {"enabled": False, "field": "vllm_extra_headers", "on_malformed": "drop"},
    {"limits": {"max_headers": 2, "max_name_bytes": 9, "max_value_bytes": 3, "max_total_bytes": 20}},
    {"allow": ["*", "a b", 5, None], "block": "x", "unblock": ["host", "x-*"], "limits": 1, "unknown": {}},
    {"allow": ["x-a", "X_A", "cookie"], "block": ["x-b-*", "x-b-1", "host"], "unblock": ["via"]},
    [1, "true", None],
    {"from_request": {"x-tenant": "X-A", "X-B": "X-B"}, "set": {"X-User": "${user.id}"}, "shadow": {"allow": ["x-*"]}},
    {"from_request": ["X-Tenant"], "set": {"X-User": "a ${user.attributes.teams[0]}"}, "on_missing": "omit"},
    # Found: keys were shown as they stand.
    {"\x7fon_malformed": "drop", "a\nb": 1, "limits": {"\u2028": 1}},
    # Found: the start of an entry was suggested as it stands.
    {"block": ["x-\u05a8\x1b[2J\n*-*"]},
    # Found: a tab may be in a header value, and so was in the message on its placeholder.
    {"set": {"X-A": "a ${user.attributes\t}"}},
)
_RUN_CONFIGS: tuple[object, ...] = (
    {
        "server": {"auth": {"provider_config": {"type": "custom"}}},
        "providers": {
            "inference": [
                {
                    "provider_id": "${env.A:=vllm}",
                    "provider_type": "remote::vllm",
                    "module": "extra_headers.forwarding",
                    "config": {
                        "extra_headers": {"allow": ["${env.A}"]},
                        "network": {"headers": {"X-A": "${env.B:+1}"}},
                    },
                },
                {"provider_id": "b", "provider_type": "remote::openai", "config": {"extra-headers": True}},
                # Found: a value of the environment was shown in what should have been text.
                {"provider_id": ["${env.A}"], "provider_type": {"a": "${env.A}"}, "extra_headers": True},
            ],
            "tool_runtime": [{"provider_id": "mcp", "provider_type": "remote::model-context-protocol"}],
            "responses": [
                {
                    "provider_id": "r",
                    "provider_type": "inline::builtin",
                    "module": "extra_headers.forwarding==1",
                    "config": {"extra_headers": {"set": {"X-User": "${user.id}"}}},
                    "extra_headers": True,
                }
            ],
        },
    },
    {
        "model_list": [
            {
                "model_name": "os.environ/A",
                "litellm_params": {"model": "openai/gpt", "extra_headers": {"X-A": "os.environ/A"}},
                "model_info": {"extra_headers": {"allow": ["x-a"], "set": {"X-User": "${user.id}"}}},
            }
        ],
        "litellm_settings": {"callbacks": ["extra_headers.forwarding.litellm.callback"]},
        "callback_settings": {"extra_headers": {"on_blocked": "os.environ/A"}},
        "general_settings": {"master_key": "os.environ/A", "forward_client_headers_to_llm_api": True},
    },
)
_WORDS = ('"', "{", "}", ":", ",", "\\\\u0041", "\\x0a", '"vllm_extra_headers":', "\\xe2\\x84\\xaa", "NaN", "null")


def seeds() -> list[bytes]:
    """Return the inputs: a setting, provider data, plain headers, each on lines of its own; and run configs."""
    attacks = [f"{json.dumps(dict(case.policy))}\n{case.provider_data}" for case in CASES]
    request = '{"vllm_extra_headers": {"X-A": "1", "Cookie": "2"}}\nX-Tenant: a\nx-tenant: b\nX-B:\tc'
    settings = [f"{json.dumps(setting)}\n{request}" for setting in _SETTINGS]
    run_configs = [json.dumps(run_config) for run_config in _RUN_CONFIGS]
    encoded = [text.encode("utf-8", "surrogatepass") for text in attacks + settings + run_configs]
    return [data for data in encoded if len(data) <= MAX_BYTES]


def write_seeds(directory: Path) -> None:
    """Write each input into a file of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(seeds()):
        (directory / f"seed-{i:04}").write_bytes(data)


def write_dictionary(path: Path) -> None:
    """Write the words that the fuzzer is to combine, in libFuzzer's format."""
    words = [word.replace('"', '\\"') for word in _WORDS]
    words += [rule.pattern for rule in CORE_BLOCKLIST]
    path.write_text("".join(f'"{word}"\n' for word in words), encoding="ascii")
