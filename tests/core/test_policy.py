"""The policy: its defaults, every way to get it wrong and what the operator is told, and that it never changes."""

import copy
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from extra_headers.forwarding import Limits, Policy, PolicyError
from extra_headers.forwarding import policy as policy_module
from extra_headers.forwarding.blocklist import CORE_BLOCKLIST, CoreRule
from extra_headers.forwarding.lint import NEVER_UNBLOCKED
from extra_headers.forwarding.names import is_prefix
from extra_headers.forwarding.policy import parse_policy

SUBJECT = "provider 'vllm' (remote::vllm)"


def complaint(setting: object) -> str:
    """Return what the operator is told about a setting that is unusable."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(setting, SUBJECT)
    # The library's own error shows its input; nothing of it may be chained.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


class TestDefaults:
    """What `extra_headers: true` means."""

    def test_are_those_of_the_design(self) -> None:
        """Every field, and no other."""
        assert Policy().model_dump() == {
            "enabled": True,
            "field": None,
            "allow": None,
            "block": (),
            "unblock": (),
            "on_blocked": "drop",
            "on_malformed": "reject",
            "limits": {"max_headers": 32, "max_name_bytes": 128, "max_value_bytes": 4096, "max_total_bytes": 16384},
            "set": {},
            "on_missing": "reject",
            "shadow": None,
        }

    @pytest.mark.parametrize("setting", [True, {}, {"enabled": True}, {"limits": {}}, MappingProxyType({})], ids=repr)
    def test_true_and_an_empty_mapping_are_the_defaults(self, setting: object) -> None:
        """A mapping changes only what it names."""
        assert parse_policy(setting, SUBJECT) == Policy()

    @pytest.mark.parametrize("setting", [False, None, {"enabled": False}], ids=repr)
    def test_false_and_null_disable(self, setting: object) -> None:
        """The provider behaves as the built-in one."""
        policy = parse_policy(setting, SUBJECT)
        assert not policy.enabled
        assert policy == Policy(enabled=False)


# A setting, and what the message about it must say: the entry, what is wrong, what would be right.
BAD_SETTINGS: dict[str, tuple[object, list[str]]] = {
    # not a setting at all
    "a string": ("true", ["must be true, false or a mapping", "not a string"]),
    "a number": (1, ["must be true, false or a mapping", "type int"]),
    "a list": (["x-*"], ["must be true, false or a mapping", '{allow: ["x-tenant-*"]}', "not a list"]),
    # unknown keys
    "an unknown key": ({"blocked": ["x-a"]}, ["blocked: unknown setting", "enabled, field, allow, block, unblock"]),
    "a key in upper case": ({"Allow": ["x-a"]}, ["Allow: unknown setting", "known are", "allow"]),
    "an unknown key with a line break": ({"a\nb": 1}, ["'a\\nb': unknown setting"]),
    "an unknown key with a control character": ({"\x7fx": 1}, ["'\\x7fx': unknown setting"]),
    "an unknown limit in other letters": ({"limits": {"m\u00e5x": 1}}, ["limits.'m\\xe5x': unknown setting"]),
    "an unknown limit": (
        {"limits": {"max_count": 1}},
        ["limits.max_count: unknown setting", "max_headers, max_name_bytes, max_value_bytes, max_total_bytes"],
    ),
    "a key that YAML reads as true": ({True: "drop"}, ["unknown setting", "known are enabled"]),
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
    "max_headers at zero": ({"limits": {"max_headers": 0}}, ["limits.max_headers: ", "greater than or equal to 1"]),
    "max_headers too large": ({"limits": {"max_headers": 1025}}, ["limits.max_headers: ", "equal to 1024"]),
    "max_name_bytes negative": ({"limits": {"max_name_bytes": -1}}, ["limits.max_name_bytes: ", "equal to 1"]),
    "max_name_bytes too large": ({"limits": {"max_name_bytes": 1025}}, ["limits.max_name_bytes: ", "equal to 1024"]),
    "max_value_bytes too large": ({"limits": {"max_value_bytes": 65537}}, ["limits.max_value_bytes: ", "to 65536"]),
    "max_total_bytes too large": ({"limits": {"max_total_bytes": 131073}}, ["limits.max_total_bytes: ", "to 131072"]),
    "a value limit that cannot be reached": (
        {"limits": {"max_total_bytes": 4095}},
        ["limits: max_value_bytes (4096) is larger than max_total_bytes (4095)", "lower the one or raise the other"],
    ),
    # entries that are no patterns
    "allow everything": ({"allow": ["*"]}, ["allow[0]: '*' matches every name", "leave `allow` out", "`allow: []`"]),
    "block everything": ({"block": ["*"]}, ["block[0]: '*' matches every name", "`allow: []` to block all"]),
    "an empty entry": ({"allow": [""]}, ["allow[0]: '' ", "is empty", "remove"]),
    "two stars": ({"allow": ["x-**"]}, ["allow[0]: 'x-**'", "only one `*`", "at the end", "x-*"]),
    "nothing but stars": ({"block": ["**"]}, ["block[0]: '**'", "only one `*`", "such as x-tenant-*"]),
    "a leading star": ({"block": ["*-secret"]}, ["block[0]: '*-secret'", "only one `*`", "such as x-tenant-*"]),
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
        ["unblock[1]: 'x-maas' has no effect", "the core blocklist does not hold it", "remove the entry"],
    ),
    "lift framing": ({"unblock": ["host"]}, ["unblock[0]: 'host' can never be lifted", "framing: RFC 9110", "remove"]),
    "lift a credential": ({"unblock": ["Authorization"]}, ["unblock[0]: 'Authorization' can never be", "credential"]),
    "lift a credential by its prefix": ({"unblock": ["X_Amz_Date"]}, ["'X_Amz_Date' can never be", "credential"]),
    "lift gateway control": ({"unblock": ["x-gateway-a"]}, ["'x-gateway-a' can never be lifted", "gateway"]),
    # entries that make no sense together
    "the same entry twice": ({"allow": ["x-a", "X_A"]}, ["allow[1] 'x-a'", "shadowed by 'x-a' at [0]", "remove"]),
    "a name within a prefix": ({"block": ["x-a-1", "x-a-*"]}, ["block[0] 'x-a-1'", "shadowed by 'x-a-*' at [1]"]),
    "a prefix within a prefix": ({"allow": ["x-*", "x-a-*"]}, ["allow[1] 'x-a-*'", "shadowed by 'x-*' at [0]"]),
    "the same lifted name twice": (
        {"unblock": ["openai-project", "OpenAI_Project"]},
        ["unblock[1] 'openai-project'", "shadowed by 'openai-project' at [0]"],
    ),
    "block a core name": (
        {"block": ["Authorization"]},
        ["block[0] 'authorization'", "the core blocklist has it (authorization)", "remove the entry"],
    ),
    "block within a core prefix": ({"block": ["x-amz-*"]}, ["block[0] 'x-amz-*'", "core blocklist has it (x-amz-*)"]),
    "block a part of a core prefix": ({"block": ["sec-fetch-*"]}, ["block[0] 'sec-fetch-*'", "has it (sec-*)"]),
    "allow a core name": (
        {"allow": ["x-tenant", "cookie"]},
        ["allow[1] 'cookie' can never match", "credential: cookie", "it cannot be lifted; remove the entry"],
    ),
    "allow a core name that can be lifted": (
        {"allow": ["user-agent"]},
        ["allow[0] 'user-agent' can never match", "sdk: user-agent", "lift it with `unblock`, or remove the entry"],
    ),
    "allow within a core prefix": (
        {"allow": ["x-forwarded-h*"]},
        ["allow[0] 'x-forwarded-h*' can never match", "client_identity: x-forwarded-*"],
    ),
    "allow what is blocked": (
        {"allow": ["x-a"], "block": ["X-A"]},
        ["allow[0] 'x-a' can never match", "'x-a' in `block` blocks it", "remove one"],
    ),
    "allow within what is blocked": (
        {"allow": ["x-a-*"], "block": ["x-*"]},
        ["allow[0] 'x-a-*' can never match", "'x-*' in `block` blocks it"],
    ),
    "lift what is blocked": (
        {"unblock": ["openai-project"], "block": ["openai-*"]},
        ["unblock[0] 'openai-project' has no effect", "'openai-*' in `block` blocks it", "remove one"],
    ),
    "lift what is not allowed": (
        {"unblock": ["openai-project"], "allow": ["x-*"]},
        ["unblock[0] 'openai-project' has no effect", "`allow` does not name it", "add it to `allow` or remove it"],
    ),
    "allow a name longer than any may be": (
        {"allow": ["x-" + "a" * 127]},
        ["allow[0] 'x-aaa", "can never match", "limits.max_name_bytes (128)", "shorten it or raise the limit"],
    ),
    "block a prefix longer than any name may be": (
        {"block": ["x-secret-*"], "limits": {"max_name_bytes": 8}},
        ["block[0] 'x-secret-*' can never match", "limits.max_name_bytes (8)"],
    ),
    "lift a name longer than any may be": (
        {"unblock": ["user-agent"], "limits": {"max_name_bytes": 9}},
        ["unblock[0] 'user-agent' can never match", "limits.max_name_bytes (9)"],
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
        for finding in ("allow[1] 'x-a'", "allow[2] 'cookie'", "block[1] 'x-b-1'", "block[2] 'host'"):
            assert finding in message

    def test_one_mistake_is_one_finding(self) -> None:
        """To lift a name and block its family is a contradiction, not also a repetition of the core blocklist."""
        message = complaint({"block": ["x-forwarded-*"], "unblock": ["x-forwarded-host"]})
        assert message == (
            f"extra_headers of {SUBJECT} is unusable:\n  - unblock[0] 'x-forwarded-host' has no effect: "
            "'x-forwarded-*' in `block` blocks it; remove one"
        )

    @pytest.mark.parametrize("rule", CORE_BLOCKLIST, ids=lambda rule: rule.pattern)
    def test_framing_credentials_and_gateway_control_can_never_be_lifted(self, rule: CoreRule) -> None:
        """Every other core name can, one by one."""
        name = rule.pattern.replace("*", "some")
        if rule.reason in NEVER_UNBLOCKED:
            assert f"'{name}' can never be lifted ({rule.reason}: {rule.source})" in complaint({"unblock": [name]})
        else:
            assert parse_policy({"unblock": [name]}, SUBJECT).unblock == (name,)

    @pytest.mark.parametrize("rule", CORE_BLOCKLIST, ids=lambda rule: rule.pattern)
    def test_a_core_entry_cannot_be_repeated_or_allowed(self, rule: CoreRule) -> None:
        """Either would do nothing, and its author believes otherwise."""
        assert "the core blocklist has it" in complaint({"block": [rule.pattern]})
        if not is_prefix(rule.pattern) or rule.reason in NEVER_UNBLOCKED:
            assert "can never match" in complaint({"allow": [rule.pattern]})

    @pytest.mark.parametrize(("setting", "expected"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
    def test_the_model_itself_refuses_the_same(self, setting: object, expected: list[str]) -> None:
        """`Policy(**mapping)` is no way around the checks, and its error shows no input of its own accord."""
        assert expected
        if isinstance(setting, Mapping) and all(isinstance(key, str) for key in setting):
            with pytest.raises(ValidationError) as caught:
                Policy(**setting)
            assert "input_value" not in str(caught.value)


USEFUL_SETTINGS: dict[str, dict[str, object]] = {
    "an allow list that overlaps the core blocklist in part": {"allow": ["x-*"]},
    "an allow list of one letter": {"allow": ["c*"]},
    "an empty allow list": {"allow": []},
    "a lifted name": {"unblock": ["openai-organization"]},
    "a lifted name and an allow list that names it": {
        "allow": ["x-tenant-*", "openai-organization"],
        "unblock": ["OpenAI_Organization"],
    },
    "a lifted name and an allow list that covers it": {"allow": ["openai-*"], "unblock": ["openai-project"]},
    "a lifted name and its whole family allowed": {"allow": ["x-forwarded-*"], "unblock": ["x-forwarded-host"]},
    "a lifted name while the operator blocks others": {"block": ["x-internal-*"], "unblock": ["user-agent"]},
    "a block list that overlaps the core blocklist in part": {"block": ["x-*"]},
    "a block entry within an allow entry": {"allow": ["x-*"], "block": ["x-internal-*"]},
    "an allow list and a block list apart": {"allow": ["x-a-*"], "block": ["x-b-*"]},
    "names that share a beginning": {"allow": ["x-a", "x-ab", "x-a-*"]},
    "every character of a token": {"allow": ["!#$%&'+-.^`|~0a"]},
    "assorted case and underscores": {"allow": ["X_Tenant_*"], "block": ["X-INTERNAL-*"]},
    "a tuple, from Python": {"allow": ("x-*",)},
    "all limits at their lowest": {
        "limits": {"max_headers": 1, "max_name_bytes": 1, "max_value_bytes": 1, "max_total_bytes": 1}
    },
    "all limits at their highest": {
        "limits": {"max_headers": 1024, "max_name_bytes": 1024, "max_value_bytes": 65536, "max_total_bytes": 131072}
    },
    "a name as long as any may be": {"allow": ["x" * 128]},
    "a prefix as long as any name may be": {"block": ["x" * 128 + "*"]},
    "another field": {"field": "Tenant2_headers"},
    "headers that the server sets": {"set": {"X-Tenant-Id": "${user.tenant}"}, "on_missing": "omit"},
    "a shadow policy": {"shadow": {"allow": ["X_Tenant_*"], "on_blocked": "reject", "limits": {"max_headers": 3}}},
    "everything at once": {
        "enabled": True,
        "field": "vllm_extra_headers",
        "allow": ["x-maas-*"],
        "block": ["x-internal-*"],
        "unblock": [],
        "on_blocked": "drop",
        "on_malformed": "reject",
        "limits": {"max_headers": 32, "max_name_bytes": 128, "max_value_bytes": 4096, "max_total_bytes": 16384},
    },
}


@pytest.mark.parametrize("setting", USEFUL_SETTINGS.values(), ids=USEFUL_SETTINGS)
class TestUsefulSettings:
    """What an operator may well mean is accepted, and means the same in a file and in Python."""

    def test_is_accepted(self, setting: dict[str, Any]) -> None:
        """By both ways of building a policy."""
        assert parse_policy(setting, SUBJECT) == Policy(**setting)

    def test_can_be_written_out_and_read_again(self, setting: dict[str, Any]) -> None:
        """A checked policy is a valid setting: folding happened once and for all."""
        policy = Policy(**setting)
        assert Policy(**policy.model_dump()) == policy
        assert parse_policy(policy.model_dump(mode="json"), SUBJECT).digest == policy.digest


def test_entries_are_kept_in_folded_form() -> None:
    """Order and number as written."""
    policy = Policy(allow=("X_B-*", "X-A", "OpenAI-Project"), block=("X_INTERNAL_*",), unblock=("OpenAI_Project",))
    assert policy.allow == ("x-b-*", "x-a", "openai-project")
    assert policy.block == ("x-internal-*",)
    assert policy.unblock == ("openai-project",)


class TestImmutability:
    """A policy is configuration: once built, the same for every request."""

    @pytest.mark.parametrize("field", Policy.model_fields)
    def test_no_field_can_be_set(self, field: str) -> None:
        """Nor deleted."""
        policy = Policy()
        with pytest.raises(ValidationError, match="frozen"):
            setattr(policy, field, getattr(policy, field))
        with pytest.raises(ValidationError, match="frozen"):
            delattr(policy, field)

    @pytest.mark.parametrize("field", Limits.model_fields)
    def test_no_limit_can_be_set(self, field: str) -> None:
        """The limits of a policy, and so the shared default, are as fixed as the policy."""
        with pytest.raises(ValidationError, match="frozen"):
            setattr(Policy().limits, field, 1)

    def test_no_field_can_be_added(self) -> None:
        """A misspelled assignment fails loudly."""
        with pytest.raises(ValidationError):
            Policy().alow = ("x-*",)  # type: ignore[attr-defined]

    def test_the_callers_lists_are_copied(self) -> None:
        """Changing the mapping that a policy was built from changes nothing."""
        setting: dict[str, Any] = {"allow": ["x-a"], "limits": {"max_headers": 3}}
        policy = parse_policy(setting, SUBJECT)
        setting["allow"].append("x-b")
        setting["limits"]["max_headers"] = 4
        assert (policy.allow, policy.limits.max_headers) == (("x-a",), 3)

    def test_a_changed_copy_is_checked_like_any_other_policy(self) -> None:
        """Pydantic's own copy would take `unblock: authorization` as it comes, and a block entry that never matches."""
        with pytest.raises(ValidationError, match="can never be lifted"):
            Policy().model_copy(update={"unblock": ("authorization",)})
        with pytest.raises(ValidationError, match="unknown"):
            Policy().model_copy(update={"unknown": 1})
        assert Policy().model_copy(update={"block": ["X_A"]}) == Policy(block=("x-a",))

    def test_a_changed_copy_has_its_own_digest(self) -> None:
        """The digest of the original, already asked for, is not carried over."""
        original = Policy(allow=("x-*",), limits=Limits(max_headers=3))
        assert original.digest
        changed = original.model_copy(update={"on_blocked": "reject"})
        assert changed == Policy(allow=("x-*",), limits=Limits(max_headers=3), on_blocked="reject")
        assert changed.digest == Policy(allow=("x-*",), limits=Limits(max_headers=3), on_blocked="reject").digest
        assert changed.digest != original.digest
        assert Policy().digest == copy.deepcopy(Policy()).digest == Policy().model_copy().digest


# For each field of a policy, a setting that differs from the default in that field alone.
CHANGES: dict[str, dict[str, object]] = {
    "enabled": {"enabled": False},
    "field": {"field": "other"},
    "allow": {"allow": []},
    "block": {"block": ["x-a"]},
    "unblock": {"unblock": ["user-agent"]},
    "on_blocked": {"on_blocked": "reject"},
    "on_malformed": {"on_malformed": "drop"},
    "limits": {"limits": {"max_headers": 33}},
    "limits.max_name_bytes": {"limits": {"max_name_bytes": 129}},
    "limits.max_value_bytes": {"limits": {"max_value_bytes": 4097}},
    "limits.max_total_bytes": {"limits": {"max_total_bytes": 16385}},
    "set": {"set": {"x-tenant-id": "${user.tenant}"}},
    "set.another": {"set": {"x-tenant-id": "${user.id}"}},
    "on_missing": {"on_missing": "omit"},
    "shadow": {"shadow": {}},
    "shadow.allow": {"shadow": {"allow": []}},
}


class TestDigest:
    """Twelve hex digits that tell two replicas with different policies apart."""

    def test_is_short_and_says_nothing(self) -> None:
        """A label value, not the policy."""
        digest = Policy(allow=("x-tenant-*",)).digest
        assert len(digest) == 12
        assert set(digest) <= set("0123456789abcdef")

    def test_every_field_has_a_change_here(self) -> None:
        """A field that is added to the policy needs a case below."""
        assert {name.partition(".")[0] for name in CHANGES} == set(Policy.model_fields)

    def test_changes_with_every_field(self) -> None:
        """No two of these policies share one."""
        digests = [Policy().digest, *(parse_policy(setting, SUBJECT).digest for setting in CHANGES.values())]
        assert len(set(digests)) == len(digests)

    def test_changes_with_the_core_blocklist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replicas of different versions may block different names under the same run config."""
        before = Policy().digest
        monkeypatch.setattr(policy_module, "CORE_BLOCKLIST", CORE_BLOCKLIST[1:])
        assert Policy().digest != before

    def test_does_not_change_with_spelling(self) -> None:
        """Settings that mean the same have the same digest: drift is an alert."""
        written_out = parse_policy({"allow": ["X_Tenant_*"], "limits": {"max_headers": 32}, "block": []}, SUBJECT)
        assert written_out.digest == Policy(allow=("x-tenant-*",)).digest

    def test_is_the_same_in_every_process(self) -> None:
        """Whatever seeds the hashes of strings."""
        code = (
            "from extra_headers.forwarding import Policy; "
            "print(Policy(allow=('x-a', 'x-b'), unblock=(), block=('x-a-1',)).digest)"
        )
        digests = {
            subprocess.run(  # noqa: S603 - this interpreter and a constant
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert digests == {Policy(allow=("x-a", "x-b"), block=("x-a-1",)).digest + "\n"}

    def test_equal_policies_have_equal_hashes(self) -> None:
        """Policies are keys of the memory of names."""
        assert hash(Policy(allow=("X_A",))) == hash(Policy(allow=("x-a",)))
        assert Policy(allow=("x-a",)) != Policy(allow=("x-b",))
