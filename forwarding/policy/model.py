"""The policy of one provider: the `extra_headers` mapping of a run config, checked when it is built.

Immutable once built, no I/O. What an entry matches is decided in `matcher`; whether the entries of one policy work
together is decided in `entries`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from .blocklist import CORE_BLOCKLIST
from .entries import (
    NAME_GRAMMAR,
    PATTERN_GRAMMAR,
    entries_shadowed_by_set,
    ineffective_entries,
    parse_pattern,
    parse_set_name,
    parse_unblock,
    repeated_set_names,
)
from .errors import EntriesError, PolicyError, PolicyFinding, findings_of
from .from_request import FromRequest, names_that_never_pass
from .identity import IdentityHeaders, Template, User, parse_template, render
from .limits import Limits

__all__ = ["Limits", "Policy", "PolicyError", "PolicyFinding", "ShadowPolicy", "default_field", "parse_policy"]

_CORE_BLOCKLIST_JSON: Final = json.dumps(CORE_BLOCKLIST)
"""Of every policy's digest the same part, and the larger one."""
_STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _check_template(text: str) -> str:
    parse_template(text)
    return text


_Pattern = Annotated[str, AfterValidator(parse_pattern), Field(json_schema_extra={"pattern": PATTERN_GRAMMAR})]
_UnblockedName = Annotated[str, AfterValidator(parse_unblock), Field(json_schema_extra={"pattern": NAME_GRAMMAR})]
_SetName = Annotated[str, AfterValidator(parse_set_name), Field(json_schema_extra={"pattern": NAME_GRAMMAR})]
_Template = Annotated[str, AfterValidator(_check_template)]
_FieldKey = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=128)]


class _Rules(BaseModel, frozen=True):
    """What decides on a caller's headers, in a policy and in a shadow policy alike."""

    model_config = _STRICT

    allow: Annotated[
        tuple[_Pattern, ...] | None,
        Field(
            description="If given, only names that match one of these patterns pass. If omitted, every name that is "
            "not blocked passes.",
            examples=[["x-maas-*", "x-tenant-id"]],
        ),
    ] = None
    block: Annotated[
        tuple[_Pattern, ...],
        Field(description="Patterns to block in addition to the core blocklist.", examples=[["x-maas-internal-*"]]),
    ] = ()
    unblock: Annotated[
        tuple[_UnblockedName, ...],
        Field(
            description="Single names of the core blocklist to unblock. Names that frame messages, carry credentials "
            "or control a gateway stay blocked.",
            examples=[["openai-organization"]],
        ),
    ] = ()
    on_blocked: Annotated[
        Literal["drop", "reject"],
        Field(description="`drop` forwards the other headers; `reject` answers 403 and sends nothing to the provider."),
    ] = "drop"
    on_malformed: Annotated[
        Literal["drop", "reject"],
        Field(description="`reject` answers 400 and sends nothing to the provider; `drop` forwards the other headers."),
    ] = "reject"
    limits: Annotated[Limits, Field(description="How much a caller may send.")] = Limits()

    @model_validator(mode="after")
    def _entries_make_sense_together(self) -> Self:
        _raise_for(ineffective_entries(self.allow, self.block, self.unblock, self.limits.max_name_bytes))
        return self


class ShadowPolicy(_Rules, frozen=True):
    """A policy that is evaluated alongside the live one. Its decisions are counted and traced, and never enforced.

    It decides on the same headers as the live policy, with the same identity headers.
    """


class Policy(_Rules, frozen=True):
    """Which extra headers of a caller reach a provider, and what happens to a request with others.

    A pattern is a header name, or a prefix followed by `*`. Matching ignores case and treats every character except
    letters and digits as `-`.
    """

    # A wrong entry is pydantic's `ValidationError`; `parse_policy` turns it into a `PolicyError` for people.

    enabled: Annotated[
        bool,
        Field(description="Whether extra headers are forwarded at all. If false, the provider is the built-in one."),
    ] = True
    field: Annotated[
        _FieldKey | None,
        Field(
            description="The key of the provider data that contains the headers. Default: the provider type and "
            "`_extra_headers`, for example `vllm_extra_headers`.",
            examples=["vllm_extra_headers"],
        ),
    ] = None
    from_request: Annotated[
        FromRequest,
        Field(
            description="Plain request headers to take up, in addition to the headers in the provider data: a list of "
            "names, or a mapping from the name received to the name sent. Both sources are decided together. A name "
            "that comes from both is malformed as a `duplicate`. A name that could never pass is an error at start-up.",
            examples=[["x-maas-subscription"]],
        ),
    ] = Field(default_factory=dict)
    set: Annotated[
        Mapping[_SetName, _Template],
        Field(
            description="Identity headers on every request to the provider, from the authenticated user: text and the "
            "placeholders `${user.id}`, `${user.tenant}` and `${user.attributes.NAME[INDEX]}`. They replace headers of "
            "the same name set by the provider's HTTP client. A caller's own header of such a name is blocked with "
            "reason `override`.",
            examples=[{"x-user": "${user.id}"}],
        ),
    ] = Field(default_factory=dict, repr=False)
    on_missing: Annotated[
        Literal["reject", "omit"],
        Field(
            description="What to do if the user lacks a value for a header in `set`, or the value is not a valid "
            "field value: `reject` answers 403 and sends nothing to the provider; `omit` sends the request without the "
            "header."
        ),
    ] = "reject"
    on_redirect: Annotated[
        Literal["drop", "keep"],
        Field(
            description="What to do if the provider redirects a call to another origin: `drop` follows without the "
            "caller's headers and the identity headers; `keep` sends them to the other origin, too."
        ),
    ] = "drop"
    shadow: Annotated[
        ShadowPolicy | None,
        Field(
            description="A shadow policy with its own `allow`, `block`, `unblock`, `on_blocked`, `on_malformed` and "
            "`limits`. Its decisions are counted and traced where they differ, and never enforced.",
            examples=[{"allow": ["x-maas-*"]}],
        ),
    ] = None

    @model_validator(mode="after")
    def _taken_names_can_pass(self) -> Self:
        for rules, within in ((self, ()), (self.shadow, ("shadow",))):
            if rules is not None:
                lists = (rules.allow, rules.block, rules.unblock)
                _raise_for(names_that_never_pass(self.from_request, *lists, tuple(self.set)), within)
        return self

    @model_validator(mode="after")
    def _set_headers_are_the_servers_alone(self) -> Self:
        names = tuple(self.set)
        _raise_for(repeated_set_names(names))
        for rules, within in ((self, ()), (self.shadow, ("shadow",))):
            if rules is not None:
                findings = entries_shadowed_by_set(names, rules.allow, rules.block, rules.unblock)
                _raise_for([*findings, *self._too_long(rules.limits.max_value_bytes)], within)
        return self

    def _too_long(self, maximum: int) -> list[PolicyFinding]:
        return [
            PolicyFinding(("limits", "max_value_bytes"), f"is less than the text of {name!r} in `set` alone; raise it")
            for name, template in self.templates.items()
            if template.literal_length > maximum
        ]

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that are equal on two replicas only if the same policy and core blocklist are active."""
        return self._fingerprint[:12]

    @cached_property
    def _fingerprint(self) -> str:
        own = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(f"[{own}, {_CORE_BLOCKLIST_JSON}]".encode()).hexdigest()

    @cached_property
    def templates(self) -> Mapping[str, Template]:
        """The parsed values of `set`."""
        return {name: parse_template(text) for name, text in self.set.items()}

    @cached_property
    def shadow_policy(self) -> "Policy | None":
        """The policy with the rules of the shadow policy; its digest is the one to expect."""
        return None if self.shadow is None else self.with_changes(**self.shadow.model_dump(), shadow=None)

    def identity_headers(self, user: User) -> IdentityHeaders | None:
        """Return the identity headers for a user; None where the policy sets none."""
        if not self.set:
            return None
        return render(self.templates, user, self.limits.max_value_bytes, reject=self.on_missing == "reject")

    def with_changes(self, **settings: Any) -> Self:
        """Return a policy with other settings, checked like any other: pydantic's `model_copy` skips the checks.

        Raises:
            pydantic.ValidationError: a setting is unusable.

        """
        return type(self).model_validate({**self.model_dump(), **settings})

    # Policies key the memory of decided names on every request; asking every field each time would dominate it.

    def __hash__(self) -> int:
        return hash(self._fingerprint)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Policy) and self._fingerprint == other._fingerprint)


def _raise_for(findings: Sequence[PolicyFinding], within: tuple[str, ...] = ()) -> None:
    if findings:
        raise EntriesError([PolicyFinding((*within, *path), text) for path, text in findings])


def parse_policy(setting: object, subject: str) -> Policy:
    """Build the policy from the value of `extra_headers` in a run config: a bool, null or a mapping.

    Args:
        setting: the value as the host read it.
        subject: what the setting belongs to, for the error: "provider 'vllm' (remote::vllm)".

    Raises:
        PolicyError: the setting is unusable; names `subject`, each entry, what is wrong and what would be right.

    """
    if setting is None or isinstance(setting, bool):
        return Policy(enabled=bool(setting))
    if not isinstance(setting, Mapping):
        message = f'must be true, false or a mapping such as {{allow: ["x-tenant-*"]}}, not {_yaml_type(setting)}'
        raise PolicyError(f"extra_headers of {subject}: {message}", [PolicyFinding((), message)])
    findings = list(_nulls(setting))
    try:
        policy = Policy.model_validate(dict(setting))
    except ValidationError as error:
        findings += findings_of(error, Policy)
    if findings:
        raise unusable(subject, findings)
    return policy


def _nulls(setting: Mapping[Any, Any], path: tuple[str, ...] = ()) -> Iterator[PolicyFinding]:
    """Yield each setting that a file leaves empty: all its lines commented out, or an empty variable."""
    for name, text in _NULLS.items():
        if name in setting and setting[name] is None:
            yield PolicyFinding((*path, name), text)
    if not path and isinstance(shadow := setting.get("shadow"), Mapping):
        yield from _nulls(shadow, ("shadow",))


_NULLS = {
    "allow": "is null, and would let every name pass that is not blocked; write [] to let none pass, or leave it out",
    "field": "is null; write a key such as vllm_extra_headers, or leave it out",
    "shadow": "is null, so there is no shadow policy; write one, or leave it out",
}


def unusable(subject: str, findings: Sequence[PolicyFinding]) -> PolicyError:
    """Return the error that lists every finding about the setting of `subject`."""
    listed = "\n".join(f"  - {finding.message}" for finding in findings)
    return PolicyError(f"extra_headers of {subject} is unusable:\n{listed}", findings)


def default_field(provider_type: str) -> str:
    """Return the provider-data key of a provider type: `vllm_extra_headers` for `remote::vllm`."""
    return provider_type.rpartition("::")[2].replace("-", "_") + "_extra_headers"


def _yaml_type(value: object) -> str:
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list | tuple) else f"a value of type {type(value).__name__}"
