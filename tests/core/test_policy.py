"""The policy: its defaults, the settings that it takes, that it never changes, and its digest."""

import copy
import json
import os
import re
import subprocess
import sys
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from extra_headers.forwarding import Limits, Policy
from extra_headers.forwarding.policy import model as policy_module
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.policy.model import parse_policy
from tests.core.helpers import SUBJECT


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
            "limits": {"max_headers": 32, "max_name_bytes": 128, "max_value_bytes": 4096, "max_total_bytes": 6144},
            "from_request": {},
            "set": {},
            "on_missing": "reject",
            "on_redirect": "drop",
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
    "identity headers": {"set": {"X-Tenant-Id": "${user.tenant}"}, "on_missing": "omit"},
    "plain headers": {"from_request": ["X-Subscription"], "allow": ["x-subscription"]},
    "plain headers under other names": {"from_request": {"X-Sub": "X-MaaS-Sub", "x-sub-old": "X-MaaS-Sub"}},
    "a plain header that is unblocked": {"from_request": ["openai-organization"], "unblock": ["openai-organization"]},
    "a shadow policy": {"shadow": {"allow": ["X_Tenant_*"], "on_blocked": "reject", "limits": {"max_headers": 3}}},
    "everything at once": {
        "enabled": True,
        "field": "vllm_extra_headers",
        "allow": ["x-maas-*"],
        "block": ["x-internal-*"],
        "unblock": [],
        "on_blocked": "drop",
        "on_malformed": "reject",
        "limits": {"max_headers": 32, "max_name_bytes": 128, "max_value_bytes": 4096, "max_total_bytes": 6144},
    },
}


@pytest.mark.parametrize("setting", USEFUL_SETTINGS.values(), ids=USEFUL_SETTINGS)
class TestUsefulSettings:
    """What an operator may well mean is accepted, and means the same in a file and in Python."""

    def test_is_accepted(self, setting: dict[str, Any]) -> None:
        """By both ways of building a policy."""
        assert parse_policy(setting, SUBJECT) == Policy(**setting)

    def test_can_be_written_out_and_read_again(self, setting: dict[str, Any]) -> None:
        """A checked policy is a valid setting: normalizing happened once and for all."""
        policy = Policy(**setting)
        assert Policy(**policy.model_dump()) == policy
        assert parse_policy(policy.model_dump(mode="json", exclude_none=True), SUBJECT).digest == policy.digest


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
        with pytest.raises(ValidationError, match="can never be unblocked"):
            Policy().with_changes(unblock=("authorization",))
        with pytest.raises(ValidationError, match="unknown"):
            Policy().with_changes(unknown=1)
        assert Policy().with_changes(block=["X_A"]) == Policy(block=("x-a",))

    def test_a_changed_copy_has_its_own_digest(self) -> None:
        """The digest of the original, already asked for, is not carried over."""
        original = Policy(allow=("x-*",), limits=Limits(max_headers=3))
        assert original.digest
        changed = original.with_changes(on_blocked="reject")
        assert changed == Policy(allow=("x-*",), limits=Limits(max_headers=3), on_blocked="reject")
        assert changed.digest == Policy(allow=("x-*",), limits=Limits(max_headers=3), on_blocked="reject").digest
        assert changed.digest != original.digest
        assert Policy().digest == copy.deepcopy(Policy()).digest == Policy().with_changes().digest


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
    "from_request": {"from_request": ["x-tenant"]},
    "from_request, sent under another name": {"from_request": {"x-tenant": "x-maas-tenant"}},
    "set": {"set": {"x-tenant-id": "${user.tenant}"}},
    "set.another": {"set": {"x-tenant-id": "${user.id}"}},
    "on_missing": {"on_missing": "omit"},
    "on_redirect": {"on_redirect": "keep"},
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
        assert {re.split("[.,]", name)[0] for name in CHANGES} == set(Policy.model_fields)

    def test_changes_with_every_field(self) -> None:
        """No two of these policies share one."""
        digests = [Policy().digest, *(parse_policy(setting, SUBJECT).digest for setting in CHANGES.values())]
        assert len(set(digests)) == len(digests)

    def test_changes_with_the_core_blocklist(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replicas of different versions may block different names under the same run config."""
        before = Policy().digest
        assert json.loads(policy_module._CORE_BLOCKLIST_JSON) == [list(rule) for rule in CORE_BLOCKLIST]
        monkeypatch.setattr(policy_module, "_CORE_BLOCKLIST_JSON", json.dumps(CORE_BLOCKLIST[1:]))
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
