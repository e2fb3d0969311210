"""The shadow policy as a setting: what it may hold, how its findings are told, and the policy that it would become."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from extra_headers.forwarding import Limits, Policy, Reason
from extra_headers.forwarding.policy.model import ShadowPolicy, parse_policy
from tests.core.helpers import SUBJECT, complaint, reason

LIVE_ONLY = ("enabled", "field", "from_request", "shadow", "set", "on_missing", "on_redirect")


@pytest.mark.parametrize("setting", LIVE_ONLY)
def test_what_a_shadow_policy_cannot_have(setting: str) -> None:
    """It decides on the headers of the live policy and never acts, and so has nothing to switch, read or send."""
    assert (
        f"  - shadow.{setting}: a shadow policy has no such setting: it decides on the headers of the live one and "
        "never acts; known are allow, block, unblock, on_blocked, on_malformed, limits"
    ) in complaint({"shadow": {setting: None}})


def test_it_has_every_other_setting() -> None:
    """A setting that is added to the policy is one that can be tried first, unless it is listed above."""
    assert {*ShadowPolicy.model_fields, *LIVE_ONLY} == set(Policy.model_fields)


FINDINGS: dict[str, tuple[Any, str]] = {
    "no mapping": (True, 'shadow: must be a mapping, such as {allow: ["x-tenant-*"]}'),
    "an unknown setting": ({"alow": []}, "shadow.alow: unknown setting; did you mean `allow`? known are allow, block"),
    "an unknown limit": ({"limits": {"max": 1}}, "shadow.limits.max: unknown setting; known are max_headers"),
    "no pattern": ({"allow": ["x-a", "x a"]}, "shadow.allow[1]: 'x a' can never match: it is not a header name"),
    "no list": (
        {"unblock": "via"},
        'shadow.unblock: must be a list of names, such as unblock: ["openai-organization"]',
    ),
    "a limit": ({"limits": {"max_headers": 0}}, "shadow.limits.max_headers: must be a whole number of headers"),
    "a dead entry": ({"allow": ["cookie"]}, "  - shadow.allow[0]: 'cookie' can never match: the core blocklist"),
    "a shadowed entry": ({"block": ["x-a*", "x-ab"]}, "  - shadow.block[1]: 'x-ab' is shadowed by 'x-a*' at [0]"),
}


@pytest.mark.parametrize(("setting", "told"), FINDINGS.values(), ids=FINDINGS)
def test_findings_say_where_they_are(setting: object, told: str) -> None:
    """Each entry is checked as in a live policy."""
    assert told in complaint({"allow": ["x-b"], "shadow": setting})


def test_the_shadow_policy_is_the_policy_that_enforcing_would_give() -> None:
    """The shadow's rules with the rest of the live policy: its digest is the one to expect on the day after."""
    live = Policy(
        field="own",
        allow=("x-a",),
        set={"x-tenant": "${user.tenant}"},
        on_missing="omit",
        shadow=ShadowPolicy(block=("x-b",), on_blocked="reject", limits=Limits(max_headers=3)),
    )
    enforced = Policy(
        field="own",
        block=("x-b",),
        on_blocked="reject",
        limits=Limits(max_headers=3),
        set={"x-tenant": "${user.tenant}"},
        on_missing="omit",
    )
    assert live.shadow_policy == enforced
    assert live.shadow_policy is not None
    assert live.shadow_policy.digest == enforced.digest
    assert reason("X-Tenant", policy=live.shadow_policy) is Reason.OVERRIDE


def test_without_a_shadow_there_is_no_shadow_policy() -> None:
    """And an empty one is all defaults."""
    assert Policy().shadow_policy is None
    assert Policy(allow=(), shadow=ShadowPolicy()).shadow_policy == Policy()


def test_the_roll_out_guide_enforces_what_it_compares() -> None:
    """Its run configs are valid, and the last one has the digest that the first one's shadow policy announced."""
    text = (Path(__file__).parents[2] / "docs" / "roll-out.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    first, from_nothing, enforced = [parse_policy(yaml.safe_load(b)["extra_headers"], SUBJECT) for b in blocks]
    assert first.shadow_policy is not None
    assert first.shadow_policy.digest == enforced.digest
    assert (from_nothing.allow, from_nothing.shadow_policy) == ((), Policy(allow=("x-maas-*",)))
