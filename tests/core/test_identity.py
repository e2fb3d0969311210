"""Identity headers: the grammar of their values, what they render to, what an operator gets wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from extra_headers.forwarding import Policy, Reason
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.policy.decision import MissingIdentityError
from extra_headers.forwarding.policy.entries import NEVER_SET
from extra_headers.forwarding.policy.field_names import is_prefix
from extra_headers.forwarding.policy.identity import (
    IdentityHeaderResult,
    IdentityHeaders,
    MissingHeader,
    MissingReason,
    User,
    parse_template,
    render,
)
from extra_headers.forwarding.policy.model import parse_policy
from tests.core.helpers import SUBJECT, complaint, reason, reasons, spellings

ALICE = User("alice", "blue", {"teams": ["ml", "ops"], "a_b-c9": ["x"], "empty": []})


def identity_headers(
    setting: dict[str, str], user: User = ALICE, limit: int = 64, *, reject: bool = True
) -> IdentityHeaders:
    """Return what a `set` renders to."""
    return render(Policy(set=setting).templates, user, limit, reject=reject)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${user.id}", "alice"),
        ("${user.tenant}", "blue"),
        ("${user.attributes.teams[0]}", "ml"),
        ("${user.attributes.teams[1]}", "ops"),
        ("${user.attributes.a_b-c9[0]}", "x"),
        ("a ${user.tenant}/${user.id} z", "a blue/alice z"),
        ("${user.id}${user.id}", "alicealice"),
        ("no placeholder", "no placeholder"),
        ("$5 {} $ ${user.id} $", "$5 {} $ alice $"),
        ("}${user.id}", "}alice"),
    ],
)
def test_a_template_is_text_and_placeholders(text: str, value: str) -> None:
    """A `$` without a brace and a brace without a `$` are text."""
    assert parse_template(text).render(ALICE) == value


@pytest.mark.parametrize(
    "text", ["${user.attributes.teams[2]}", "${user.attributes.roles[0]}", "${user.attributes.empty[0]}"]
)
def test_an_attribute_that_the_user_has_not_is_absent(text: str) -> None:
    """Whether the list is missing, empty or shorter."""
    assert parse_template(f"x-{text}").render(ALICE) is None


@pytest.mark.parametrize("text", ["${user.id}", "${user.tenant}", "t-${user.attributes.teams[0]}"])
@pytest.mark.parametrize("user", [User(), User("", "", {"teams": [""]})], ids=["nobody", "empty"])
def test_nobody_has_nothing(text: str, user: User) -> None:
    """Nor does a user whose values are empty: a header is never sent with a part of it missing."""
    assert parse_template(text).render(user) is None


def test_only_strings_in_lists_are_values() -> None:
    """Whatever a host's auth provider puts there: a string is no list of letters, and nothing is converted."""
    odd: Any = {"teams": "ml", "roles": [7], "names": {0: "x"}, "none": None}
    user = User("alice", None, odd)
    assert [parse_template(f"${{user.attributes.{name}[0]}}").render(user) for name in odd] == [None] * 4


WRONG_TEMPLATES = {
    "${user.name}": "${user.name} is not a placeholder; known are ${user.id}, ${user.tenant} and",
    "${}": "${} is not a placeholder",
    "${user.\tid}": r"${user.\tid} is not a placeholder",
    "${ user.id }": "${ user.id } is not a placeholder",
    "${user.id.__class__}": "is not a placeholder",
    "${user.attributes.teams}": "is a list; add an index, such as ${user.attributes.teams[0]}",
    "${user.attributes.teams[-1]}": "is not a placeholder",
    "${user.attributes.teams[00]}": "is not a placeholder",
    "${user.attributes.teams[100]}": "is not a placeholder",
    "${user.attributes.[0]}": "is not a placeholder",
    "${user.attributes.a.b[0]}": "is not a placeholder",
    "${user.attributes.teams[0]}${user.ID}": "${user.ID} is not a placeholder",
    "${${user.id}}": "${${user.id} is not a placeholder",
    "${env.TENANT}": "${env.TENANT} is not a placeholder",
    "abc ${user.id": "the '${' at character 5 has no '}'",
    "": "can never be sent",
    " ${user.id}": "can never be sent",
    "${user.id}\t": "can never be sent",
    "a\r\nb": "can never be sent",
    "n\u00e4me": "can never be sent",
}


@pytest.mark.parametrize(("text", "told"), WRONG_TEMPLATES.items(), ids=ascii)
def test_a_wrong_template_is_an_error_at_start_up(text: str, told: str) -> None:
    """The error says which entry, what is wrong and what would be right."""
    said = complaint({"set": {"x-a": text}})
    assert f"  - set.x-a: {told}" in said or ("  - set.x-a: " in said and told in said)


def test_the_error_shows_no_text_of_a_template() -> None:
    """It may be a secret; only what stands in a placeholder is shown, and not without end."""
    said = complaint(
        {"set": {"x-a": "sesame ${user.id", "x-b": "sesame \u00e4", "x-c": "sesame ${" + "n" * 5000 + "}"}}
    )
    assert "sesame" not in said
    assert len(said) < 800
    assert "sesame" not in repr(Policy(set={"x-a": "sesame"}))


def test_which_core_names_can_be_set() -> None:
    """The operator may state who the client is, also to a gateway, but not frame messages or replace credentials."""
    for rule in CORE_BLOCKLIST:
        name = rule.pattern
        if is_prefix(name):
            continue
        if rule.reason in NEVER_SET:
            assert f"set.{name}: '{name}' can never be set ({rule.reason.value}: " in complaint({"set": {name: "v"}})
        else:
            assert dict(Policy(set={name: "v"}).set) == {name: "v"}
    assert "'Api-Key' can never be set (credential: " in complaint({"set": {"Api-Key": "v"}})
    policy = Policy(set={"Helicone-User-Id": "${user.id}"})
    found = [reason(name, policy=policy) for name in ("helicone_user_id", "helicone-auth")]
    assert found == [Reason.OVERRIDE, Reason.GATEWAY]


WRONG_SETS: dict[str, tuple[dict[str, Any], str]] = {
    "no mapping": ({"set": ["x-a"]}, 'set: must be a mapping, such as {x-tenant-id: "${user.tenant}"}'),
    "no string": ({"set": {"x-a": 5}}, "set.x-a: must be a string"),
    "no name": ({"set": {"x a": "v"}}, "set.x a: 'x a' is not one header name"),
    "a pattern": ({"set": {"x-a*": "v"}}, "set.x-a*: 'x-a*' is not one header name"),
    "in another spelling": ({"set": {"API_Key": "v"}}, "'API_Key' can never be set (credential"),
    "twice": ({"set": {"x-a": "v", "X_A": "w"}}, "set: 'X_A' and 'x-a' are the same header; remove one"),
    "allowed": ({"set": {"X_A": "v"}, "allow": ["x-b", "x-a"]}, "allow[1]: 'x-a' can never match: `set` sets it"),
    "blocked": ({"set": {"X_A": "v"}, "block": ["x-a"]}, "block[0]: 'x-a' has no effect: `set` sets it"),
    "lifted": ({"set": {"Via": "v"}, "unblock": ["via"]}, "unblock[0]: 'via' has no effect: `set` sets it"),
    "allowed by the shadow": (
        {"set": {"x-a": "v"}, "shadow": {"allow": ["X_A"]}},
        "shadow.allow[0]: 'x-a' can never match: `set` sets it",
    ),
    "too long": (
        {"set": {"x-a": "v" * 11 + "${user.id}"}, "limits": {"max_value_bytes": 10}},
        "limits.max_value_bytes: is less than the text of 'x-a' in `set` alone; raise it",
    ),
    "too long for the shadow": (
        {"set": {"x-a": "v" * 11}, "shadow": {"limits": {"max_value_bytes": 10}}},
        "shadow.limits.max_value_bytes: is less than the text of 'x-a' in `set` alone",
    ),
    "on_missing": ({"on_missing": "drop"}, "on_missing: must be 'reject' or 'omit'"),
}


@pytest.mark.parametrize(("setting", "told"), WRONG_SETS.values(), ids=WRONG_SETS)
def test_what_an_operator_can_get_wrong(setting: dict[str, Any], told: str) -> None:
    """Every contradiction is found when the server starts."""
    assert told in complaint(setting)


@pytest.mark.parametrize("pattern", ["x-a*", "x-*"])
def test_a_prefix_that_reaches_a_set_name_is_no_contradiction(pattern: str) -> None:
    """It speaks of other names, too."""
    assert Policy(set={"x-a": "v"}, allow=(pattern,)).allow == (pattern,)
    assert Policy(set={"x-a": "v"}, block=(pattern,)).block == (pattern,)


class TestTheCallersOwn:
    """A caller's header of a name that the server sets."""

    @pytest.mark.parametrize("name", spellings("x-tenant-id"))
    def test_is_an_override_in_any_spelling(self, name: str) -> None:
        """Whatever the lists say of names like it."""
        for settings in ({}, {"allow": ("x-tenant-*",)}, {"allow": ()}, {"block": ("x-tenant-*",)}):
            policy = Policy(set={"X_Tenant-ID": "${user.tenant}"}, **settings)
            assert reason(name, policy=policy) is Reason.OVERRIDE

    def test_of_the_core_blocklist_is_an_override_too(self) -> None:
        """A spoof of what the server states is told from a header that nobody may send."""
        policy = Policy(set={"x-forwarded-user": "${user.id}"})
        assert reason("X_Forwarded_User", policy=policy) is Reason.OVERRIDE
        assert reason("X-Forwarded-For", policy=policy) is Reason.CLIENT_IDENTITY

    def test_twice_is_a_duplicate(self) -> None:
        """The earlier check decides, and rejects by default."""
        policy = Policy(set={"x-a": "v"})
        assert reasons({"X-A": "1", "x_a": "2"}, policy) == [Reason.DUPLICATE, Reason.DUPLICATE]


class TestRendering:
    """From templates and a user to headers."""

    def test_names_are_sent_as_spelled(self) -> None:
        """And in order."""
        found = identity_headers({"X-Tenant_Id": "${user.tenant}", "x-user": "${user.id}"})
        assert list(found.headers.items()) == [("X-Tenant_Id", "blue"), ("x-user", "alice")]
        assert not found.rejected
        assert found.rejection("vllm") is None

    @pytest.mark.parametrize(
        "value", ["\u00e4lice", "a\r\nx-admin: 1", "a\nb", "a\x00", " a", "a\t", "\u212a", "a" * 65, "a\x7f"], ids=ascii
    )
    def test_a_value_that_no_header_can_hold_counts_as_missing(self, value: str) -> None:
        """It is never repaired or cut short, and the reason tells it from one that is not there."""
        found = identity_headers({"x-user": "${user.id}"}, User(value))
        assert found.missing == (MissingHeader("x-user", MissingReason.UNUSABLE),)
        assert found.headers == {}

    def test_reject_sends_nothing(self) -> None:
        """Not even the headers that could be set; the error names what is missing and shows no value."""
        found = identity_headers({"x-tenant": "${user.tenant}", "x-user": "${user.id}"}, User("alice"))
        assert (found.rejected, dict(found.headers)) == (True, {})
        assert found.results() == {"x-tenant": IdentityHeaderResult.REJECTED}
        error = found.rejection("vllm")
        assert isinstance(error, MissingIdentityError)
        assert str(error) == (
            "provider 'vllm' needs headers that the server cannot set for this caller, and nothing was sent to it: "
            "x-tenant (absent)"
        )

    def test_omit_sends_the_rest(self) -> None:
        """A missing header is not sent, with or without an empty value."""
        found = identity_headers({"x-tenant": "${user.tenant}", "x-user": "${user.id}"}, User("alice"), reject=False)
        assert (found.rejected, dict(found.headers)) == (False, {"x-user": "alice"})
        assert found.results() == {"x-user": IdentityHeaderResult.SENT, "x-tenant": IdentityHeaderResult.OMITTED}
        assert found.rejection("vllm") is None

    def test_shows_no_value(self) -> None:
        """Neither the user nor what was rendered."""
        assert "alice" not in repr(ALICE) + repr(identity_headers({"x-user": "${user.id}"}))


def test_the_example_of_the_documentation() -> None:
    """Its run config is valid, and sets what it says."""
    text = (Path(__file__).parents[2] / "docs" / "identity-headers.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    found = parse_policy(yaml.safe_load(block)["extra_headers"], SUBJECT).identity_headers(ALICE)
    assert found is not None
    assert dict(found.headers) == {"x-tenant-id": "blue", "x-user": "alice", "x-team": "team ml"}
