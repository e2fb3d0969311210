"""What the fuzzer starts from: every case of the attack corpus, and the words of the blocklist."""

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
    # Found: keys were shown as they stand.
    {"\x7fon_malformed": "drop", "a\nb": 1, "limits": {"\u2028": 1}},
)
_WORDS = ('"', "{", "}", ":", ",", "\\\\u0041", "\\x0a", '"vllm_extra_headers":', "\\xe2\\x84\\xaa", "NaN", "null")


def seeds() -> list[bytes]:
    """Return the inputs: a setting, a line break, provider data."""
    attacks = [f"{json.dumps(dict(case.policy))}\n{case.provider_data}" for case in CASES]
    provider_data = '{"vllm_extra_headers": {"X-A": "1", "Cookie": "2"}}'
    settings = [f"{json.dumps(setting)}\n{provider_data}" for setting in _SETTINGS]
    encoded = [text.encode("utf-8", "surrogatepass") for text in attacks + settings]
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
