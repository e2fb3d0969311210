"""Every way to get a policy wrong, and what the operator is told about it."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from extra_headers.forwarding import Policy
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.policy.entries import NEVER_UNBLOCKED
from extra_headers.forwarding.policy.field_names import is_prefix
from extra_headers.forwarding.policy.model import parse_policy
from tests.core.helpers import SUBJECT, complaint

# A setting, and what the message about it must say: the entry, what is wrong, what would be right.
BAD_SETTINGS: dict[str, tuple[object, list[str]]] = {
    # not a setting at all
    "a string": ("true", ["must be true, false or a mapping", "not a string"]),
    "a number": (1, ["must be true, false or a mapping", "type int"]),
    "a list": (["x-*"], ["must be true, false or a mapping", '{allow: ["x-tenant-*"]}', "not a list"]),
    # unknown keys
    "an unknown key": (
        {"blocked": ["x-a"]},
        ["blocked: unknown setting", "did you mean `block`?", "allow, block, unblock"],
    ),
    "a key in upper case": ({"Allow": ["x-a"]}, ["Allow: unknown setting", "known are", "allow"]),
    "an unknown key with a line break": ({"a\nb": 1}, ["'a\\nb': unknown setting"]),
    "an unknown key with a control character": ({"\x7fx": 1}, ["'\\x7fx': unknown setting"]),
    "an unknown limit in other letters": ({"limits": {"m\u00e5x": 1}}, ["limits.'m\\xe5x': unknown setting"]),
    "an unknown limit": (
        {"limits": {"max_count": 1}},
        ["limits.max_count: unknown setting", "max_headers, max_name_bytes, max_value_bytes, max_total_bytes"],
    ),
    "a key that YAML reads as true": ({True: "drop"}, ["unknown setting", "known are allow"]),
    "a limit's key that is a number": ({"limits": {5: 1}}, ["limits[5]: unknown setting", "known are max_headers"]),
    # wrong types
    "enabled as a word": ({"enabled": "maybe"}, ["enabled: must be true or false"]),
    "enabled as null": ({"enabled": None}, ["enabled: must be true or false"]),
    "enabled as a list": ({"enabled": []}, ["enabled: must be true or false"]),
    "field as a number": ({"field": 5}, ["field: must be a string"]),
    "field with a dash": ({"field": "vllm-extra"}, ["field: must start with a letter", "vllm_extra_headers"]),
    "field with a line feed": ({"field": "vllm\n"}, ["field: must start with a letter"]),
    "field empty": ({"field": ""}, ["field: must start with a letter"]),
    "field in other letters": ({"field": "v\u0131lm"}, ["field: must start with a letter"]),
    "field too long": ({"field": "x" * 129}, ["field: ", "at most 128 characters"]),
    "allow as a string": ({"allow": "x-*"}, ['allow: must be a list of names, such as allow: ["x-tenant-*"]']),
    "allow as a mapping": ({"allow": {"x-a": True}}, ["allow: must be a list of names"]),
    "allow of numbers": ({"allow": ["x-a", 5]}, ["allow[1]: must be a string; quote it"]),
    "allow of null": ({"allow": [None]}, ["allow[0]: must be a string; quote it"]),
    # What a file leaves empty must never mean: everything passes.
    "allow as null": ({"allow": None}, ["allow: is null, and would let every name pass", "write []", "leave it out"]),
    "a shadow with allow as null": ({"shadow": {"allow": None}}, ["shadow.allow: is null, and would let every name"]),
    "field as null": ({"field": None}, ["field: is null", "leave it out"]),
    "shadow as null": ({"shadow": None}, ["shadow: is null", "leave it out"]),
    "from_request as null": ({"from_request": None}, ["from_request: must be a list of names or a mapping"]),
    "set as null": ({"set": None}, ["set: must be a mapping"]),
    "unblock as null": ({"unblock": None}, ["unblock: must be a list of names"]),
    "on_blocked as null": ({"on_blocked": None}, ["on_blocked: "]),
    "on_malformed as null": ({"on_malformed": None}, ["on_malformed: "]),
    "on_missing as null": ({"on_missing": None}, ["on_missing: "]),
    # plain request headers
    "from_request as a word": ({"from_request": "x-a"}, ["from_request: must be a list of names or a mapping"]),
    "from_request of a number": (
        {"from_request": ["x-a", 7]},
        ["from_request[1]: must be a string", "(007, 1e5, true)"],
    ),
    "from_request twice": ({"from_request": ["X-A", "x-a"]}, ["from_request: 'x-a' and 'X-A' are the same header"]),
    "from_request twice, sent under two names": (
        {"from_request": {"X-A": "X-One", "x-a": "X-Two"}},
        ["from_request: 'x-a' and 'X-A' are the same header; remove one"],
    ),
    "from_request of no name": ({"from_request": ["a b"]}, ["from_request.a b: 'a b' is not one header name"]),
    "from_request of a prefix": ({"from_request": ["x-*"]}, ["from_request.x-*: 'x-*' is not one header name"]),
    "from_request of a credential": (
        {"from_request": {"Authorization": "x-user-token"}},
        ["from_request.Authorization: 'Authorization' can never be taken from a request (credential"],
    ),
    "from_request of the provider data": (
        {"from_request": ["x-ogx-provider-data"]},
        ["can never be taken from a request (gateway"],
    ),
    "from_request to a credential": (
        {"from_request": {"x-key": "X-Api-Key"}},
        ["from_request.x-key: 'X-Api-Key' can never pass: the core blocklist blocks it (credential", "cannot be un"],
    ),
    "from_request to a trace name": (
        {"from_request": ["traceparent"]},
        ["can never pass: the core blocklist blocks it (trace_context: traceparent); add it to `unblock`"],
    ),
    "from_request to a blocked name": (
        {"from_request": ["x-int-a"], "block": ["x-int-*"]},
        ["from_request.x-int-a: 'x-int-a' can never pass: 'x-int-*' in `block` blocks it"],
    ),
    "from_request to a name that is not allowed": (
        {"from_request": ["x-b"], "allow": ["x-a"]},
        ["from_request.x-b: 'x-b' can never pass: `allow` does not name it"],
    ),
    "from_request to an identity header": (
        {"from_request": {"x-t": "X_Tenant"}, "set": {"x-tenant": "${user.tenant}"}},
        ["from_request.x-t: 'X_Tenant' can never pass: `set` sets it"],
    ),
    "from_request against the shadow": (
        {"from_request": ["x-b"], "shadow": {"allow": ["x-a"]}},
        ["shadow.from_request.x-b: 'x-b' can never pass: `allow` does not name it"],
    ),
    "block as null": ({"block": None}, ["block: must be a list of names"]),
    "block of booleans": ({"block": [True]}, ["block[0]: must be a string; quote it"]),
    "unblock as a string": ({"unblock": "x"}, ['unblock: must be a list of names, such as unblock: ["openai-']),
    "on_blocked another word": ({"on_blocked": "block"}, ["on_blocked: ", "'drop' or 'reject'"]),
    "on_blocked in upper case": ({"on_blocked": "DROP"}, ["on_blocked: ", "'drop' or 'reject'"]),
    "on_malformed as a boolean": ({"on_malformed": True}, ["on_malformed: ", "'drop' or 'reject'"]),
    "limits as a number": ({"limits": 32}, ["limits: must be a mapping, such as {max_headers: 32}"]),
    "limits as null": ({"limits": None}, ["limits: must be a mapping, such as {max_headers: 32}"]),
    "a limit as a string": ({"limits": {"max_headers": "32"}}, ["limits.max_headers: must be a whole number"]),
    "a limit as a fraction": ({"limits": {"max_headers": 3.5}}, ["limits.max_headers: must be a whole number"]),
    "a limit as a boolean": ({"limits": {"max_headers": True}}, ["limits.max_headers: must be a whole number"]),
    "a limit as null": ({"limits": {"max_headers": None}}, ["limits.max_headers: must be a whole number"]),
    # ranges
    "max_headers at zero": ({"limits": {"max_headers": 0}}, ["limits.max_headers: ", "of headers from 1 to 1024"]),
    "max_headers too large": ({"limits": {"max_headers": 1025}}, ["limits.max_headers: ", "of headers from 1 to 1024"]),
    "max_name_bytes negative": ({"limits": {"max_name_bytes": -1}}, ["limits.max_name_bytes: ", "from 1 to 1024"]),
    "max_name_bytes too large": ({"limits": {"max_name_bytes": 1025}}, ["limits.max_name_bytes: ", "from 1 to 1024"]),
    "max_value_bytes too large": (
        {"limits": {"max_value_bytes": 65537}},
        ["limits.max_value_bytes: ", "from 1 to 65536"],
    ),
    "max_total_bytes too large": (
        {"limits": {"max_total_bytes": 131073}},
        ["limits.max_total_bytes: ", "from 1 to 131072"],
    ),
    "a value limit that cannot be reached": (
        {"limits": {"max_total_bytes": 4095}},
        ["limits: max_value_bytes is larger than max_total_bytes", "lower the one or raise the other"],
    ),
    # entries that are no patterns
    "allow everything": ({"allow": ["*"]}, ["allow[0]: '*' matches every name", "leave `allow` out", "`allow: []`"]),
    "block everything": ({"block": ["*"]}, ["block[0]: '*' matches every name", "`allow: []` to block all"]),
    "an empty entry": ({"allow": [""]}, ["allow[0]: '' ", "is empty", "remove"]),
    "two stars": ({"allow": ["x-**"]}, ["allow[0]: 'x-**'", "only one `*`", "at the end", "x-*"]),
    "nothing but stars": ({"block": ["**"]}, ["block[0]: '**'", "only one `*`", "such as x-tenant-*"]),
    "a leading star": ({"block": ["*-secret"]}, ["block[0]: '*-secret'", "only one `*`", "such as x-tenant-*"]),
    "a control character before a star": ({"block": ["x\x1b-*-y"]}, [r"block[0]: 'x\x1b-*-y'", "such as x-tenant-*"]),
    "a star inside": ({"block": ["x-*-secret"]}, ["block[0]: 'x-*-secret'", "only one `*`", "such as x-*"]),
    "a space": ({"allow": ["x tenant"]}, ["allow[0]: 'x tenant' can never match", "not a header name", "no spaces"]),
    "a trailing space": ({"block": ["x-a "]}, ["block[0]: 'x-a ' can never match", "no spaces"]),
    "name and value": ({"allow": ["x-a: 1"]}, ["allow[0]: 'x-a: 1' can never match", "colons"]),
    "a pseudo-header": ({"block": [":path"]}, ["block[0]: ':path' can never match", "colons"]),
    "a regular expression": ({"allow": ["x-(a|b)"]}, ["allow[0]: 'x-(a|b)' can never match", "regular expressions"]),
    "a question mark": ({"allow": ["x-?"]}, ["allow[0]: 'x-?' can never match"]),
    "the Kelvin sign": ({"block": ["\u212aeep"]}, ["block[0]: '\\u212aeep' can never match", "ASCII"]),
    "fullwidth letters": ({"allow": ["\uff58-a"]}, ["allow[0]: '\\uff58-a' can never match", "ASCII"]),
    "a terminal escape": ({"allow": ["x\x1b[2J"]}, ["allow[0]: 'x\\x1b[2J' can never match"]),
    # entries of unblock
    "lift a prefix": ({"unblock": ["openai-*"]}, ["unblock[0]: 'openai-*'", "only a single header name"]),
    "lift nothing": ({"unblock": [""]}, ["unblock[0]: ''", "only a single header name"]),
    "lift no name": ({"unblock": ["user agent"]}, ["unblock[0]: 'user agent'", "only a single header name"]),
    "lift what is not blocked": (
        {"unblock": ["user-agent", "x-maas"]},
        ["unblock[1]: 'x-maas' has no effect", "the core blocklist does not block it", "remove the entry"],
    ),
    "lift framing": (
        {"unblock": ["host"]},
        ["unblock[0]: 'host' can never be unblocked", "framing: RFC 9110", "remove"],
    ),
    "lift a credential": ({"unblock": ["Authorization"]}, ["unblock[0]: 'Authorization' can never be", "credential"]),
    "lift a credential by its prefix": ({"unblock": ["X_Amz_Date"]}, ["'X_Amz_Date' can never be", "credential"]),
    "lift gateway control": ({"unblock": ["x-gateway-a"]}, ["'x-gateway-a' can never be unblocked", "gateway"]),
    # entries that make no sense together
    "the same entry twice": ({"allow": ["x-a", "X_A"]}, ["allow[1]: 'x-a'", "shadowed by 'x-a' at [0]", "remove"]),
    "a name within a prefix": ({"block": ["x-a-1", "x-a-*"]}, ["block[0]: 'x-a-1'", "shadowed by 'x-a-*' at [1]"]),
    "a prefix within a prefix": ({"allow": ["x-*", "x-a-*"]}, ["allow[1]: 'x-a-*'", "shadowed by 'x-*' at [0]"]),
    "the same lifted name twice": (
        {"unblock": ["openai-project", "OpenAI_Project"]},
        ["unblock[1]: 'openai-project'", "shadowed by 'openai-project' at [0]"],
    ),
    "block a core name": (
        {"block": ["Authorization"]},
        ["block[0]: 'authorization'", "the core blocklist has it (authorization)", "remove the entry"],
    ),
    "block within a core prefix": ({"block": ["x-amz-*"]}, ["block[0]: 'x-amz-*'", "core blocklist has it (x-amz-*)"]),
    "block a part of a core prefix": ({"block": ["sec-fetch-*"]}, ["block[0]: 'sec-fetch-*'", "has it (sec-*)"]),
    "allow a core name": (
        {"allow": ["x-tenant", "cookie"]},
        ["allow[1]: 'cookie' can never match", "credential: cookie", "it cannot be unblocked; remove the entry"],
    ),
    "allow a core name that can be lifted": (
        {"allow": ["user-agent"]},
        ["allow[0]: 'user-agent' can never match", "sdk: user-agent", "add it to `unblock`, or remove the entry"],
    ),
    "allow within a core prefix": (
        {"allow": ["x-forwarded-h*"]},
        ["allow[0]: 'x-forwarded-h*' can never match", "client_identity: x-forwarded-*"],
    ),
    "allow what is blocked": (
        {"allow": ["x-a"], "block": ["X-A"]},
        ["allow[0]: 'x-a' can never match", "'x-a' in `block` blocks it", "remove one"],
    ),
    "allow within what is blocked": (
        {"allow": ["x-a-*"], "block": ["x-*"]},
        ["allow[0]: 'x-a-*' can never match", "'x-*' in `block` blocks it"],
    ),
    "lift what is blocked": (
        {"unblock": ["openai-project"], "block": ["openai-*"]},
        ["unblock[0]: 'openai-project' has no effect", "'openai-*' in `block` blocks it", "remove one"],
    ),
    "lift what is not allowed": (
        {"unblock": ["openai-project"], "allow": ["x-*"]},
        ["unblock[0]: 'openai-project' has no effect", "`allow` does not name it", "add it to `allow` or remove it"],
    ),
    "allow a name longer than any may be": (
        {"allow": ["x-" + "a" * 127]},
        ["allow[0]: 'x-aaa", "can never match", "limits.max_name_bytes; ", "shorten it or raise the limit"],
    ),
    "block a prefix longer than any name may be": (
        {"block": ["x-secret-*"], "limits": {"max_name_bytes": 8}},
        ["block[0]: 'x-secret-*' can never match", "limits.max_name_bytes; "],
    ),
    "lift a name longer than any may be": (
        {"unblock": ["user-agent"], "limits": {"max_name_bytes": 9}},
        ["unblock[0]: 'user-agent' can never match", "limits.max_name_bytes; "],
    ),
}


class TestUnusableSettings:
    """Checked when the server starts; the operator learns what to change."""

    @pytest.mark.parametrize(("setting", "expected"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
    def test_the_message_says_what_is_wrong_and_what_would_be_right(self, setting: object, expected: list[str]) -> None:
        """It names whose setting it is, the entry by its place, the fault and the remedy."""
        message = complaint(setting)
        assert message.startswith(f"extra_headers of {SUBJECT}")
        assert [fragment for fragment in expected if fragment not in message] == []
        assert message.isascii()
        assert message.replace("\n  - ", "").isprintable()

    def test_every_finding_is_listed_at_once(self) -> None:
        """Nobody restarts a server once for each wrong entry."""
        message = complaint(
            {
                "allow": ["a b", "x-ok", "c:d"],
                "block": ["*"],
                "unblock": ["host", "cookie"],
                "on_blocked": "no",
                "limits": {"max_headers": 0, "max_foo": 1},
                "foo": 1,
            }
        )
        for place in (
            "allow[0]",
            "allow[2]",
            "block[0]",
            "unblock[0]",
            "unblock[1]",
            "on_blocked",
            "limits.max_headers",
            "limits.max_foo",
            "foo",
        ):
            assert f"\n  - {place}: " in message

    def test_every_finding_about_entries_together_is_listed_at_once(self) -> None:
        """The same for entries that are each valid alone."""
        message = complaint({"allow": ["x-a", "x-a", "cookie"], "block": ["x-b-*", "x-b-1", "host"]})
        for finding in ("allow[1]: 'x-a'", "allow[2]: 'cookie'", "block[1]: 'x-b-1'", "block[2]: 'host'"):
            assert finding in message

    def test_one_mistake_is_one_finding(self) -> None:
        """To lift a name and block its family is a contradiction, not also a repetition of the core blocklist."""
        message = complaint({"block": ["x-forwarded-*"], "unblock": ["x-forwarded-host"]})
        assert message == (
            f"extra_headers of {SUBJECT} is unusable:\n  - unblock[0]: 'x-forwarded-host' has no effect: "
            "'x-forwarded-*' in `block` blocks it; remove one"
        )

    def test_framing_credentials_and_gateway_control_can_never_be_lifted(self) -> None:
        """Every other core name can, one by one."""
        names = {rule.pattern.replace("*", "some"): rule for rule in CORE_BLOCKLIST}
        never = {name: rule for name, rule in names.items() if rule.reason in NEVER_UNBLOCKED}
        told = {name: f"'{name}' can never be unblocked ({rule.reason}: {rule.source})" for name, rule in never.items()}
        assert [name for name in never if told[name] not in complaint({"unblock": [name]})] == []
        lifted = names.keys() - never.keys()
        assert [name for name in lifted if parse_policy({"unblock": [name]}, SUBJECT).unblock != (name,)] == []

    def test_a_core_rule_cannot_be_repeated_or_allowed(self) -> None:
        """Either entry would do nothing, although its author expects otherwise."""
        patterns = [rule.pattern for rule in CORE_BLOCKLIST]
        assert [p for p in patterns if "the core blocklist has it" not in complaint({"block": [p]})] == []
        closed = [r.pattern for r in CORE_BLOCKLIST if not is_prefix(r.pattern) or r.reason in NEVER_UNBLOCKED]
        assert [p for p in closed if "can never match" not in complaint({"allow": [p]})] == []

    def test_the_model_itself_refuses_the_same(self) -> None:
        """`Policy(**mapping)` makes the same checks, but that None means left out; its error shows no input."""
        for name, (setting, _) in BAD_SETTINGS.items():
            if name.endswith(("allow as null", "field as null", "shadow as null")):
                continue
            if isinstance(setting, Mapping) and all(isinstance(key, str) for key in setting):
                with pytest.raises(ValidationError) as caught:
                    Policy(**setting)
                assert "input_value" not in str(caught.value)
