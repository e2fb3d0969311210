"""The policy of one provider: the `extra_headers` mapping of a run config, checked when it is built.

Immutable once built, no I/O. What an entry matches is decided in `matching`; whether the entries of one policy make
sense together is decided in `lint`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

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
from .identity import IdentityHeaders, Template, User, parse_template, render

__all__ = ["Limits", "Policy", "PolicyError", "PolicyFinding", "ShadowPolicy", "default_field", "parse_policy"]

# What stands under a setting is its description in the generated reference and in the JSON Schema, too: `cli.models`.
_STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)

_Pattern = Annotated[str, AfterValidator(parse_pattern), Field(json_schema_extra={"pattern": PATTERN_GRAMMAR})]
_Name = Annotated[str, AfterValidator(parse_unblock), Field(json_schema_extra={"pattern": NAME_GRAMMAR})]


def _check_template(text: str) -> str:
    parse_template(text)
    return text


_SetName = Annotated[str, AfterValidator(parse_set_name), Field(json_schema_extra={"pattern": NAME_GRAMMAR})]
_Template = Annotated[str, AfterValidator(_check_template)]


class Limits(BaseModel, frozen=True):
    """How much a caller may send. A header beyond a limit is malformed, never cut short."""

    model_config = _STRICT

    max_headers: Annotated[StrictInt, Field(ge=1, le=1024)] = 32
    """Extra headers in one request."""
    max_name_bytes: Annotated[StrictInt, Field(ge=1, le=1024)] = 128
    """Length of one field name in bytes."""
    max_value_bytes: Annotated[StrictInt, Field(ge=1, le=65536)] = 4096
    """Length of one field value in bytes."""
    max_total_bytes: Annotated[StrictInt, Field(ge=1, le=131072)] = 16384
    """Names and values of all headers that would be forwarded, in bytes."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.max_value_bytes > self.max_total_bytes:
            raise ValueError(
                f"max_value_bytes ({self.max_value_bytes}) is larger than max_total_bytes ({self.max_total_bytes}), so "
                "it can never be reached; lower the one or raise the other"
            )
        return self


class _Rules(BaseModel, frozen=True):
    """What decides on a caller's headers, in a policy and in a shadow policy alike."""

    model_config = _STRICT

    allow: Annotated[tuple[_Pattern, ...] | None, Field(examples=[["x-maas-*", "x-tenant-id"]])] = None
    """When given, only names that match one of these patterns pass. When omitted, every name that is not blocked."""
    block: Annotated[tuple[_Pattern, ...], Field(examples=[["x-maas-internal-*"]])] = ()
    """Patterns to block in addition to the core blocklist."""
    unblock: Annotated[tuple[_Name, ...], Field(examples=[["openai-organization"]])] = ()
    """Single names to lift from the core blocklist. Names that frame messages, carry credentials or control a gateway
    cannot be lifted."""
    on_blocked: Literal["drop", "reject"] = "drop"
    """`drop` forwards the other headers; `reject` answers 403 and sends nothing to the provider."""
    on_malformed: Literal["drop", "reject"] = "reject"
    """`reject` answers 400 and sends nothing to the provider; `drop` forwards the other headers."""
    limits: Limits = Limits()
    """How much a caller may send."""

    @model_validator(mode="after")
    def _entries_make_sense_together(self) -> Self:
        _raise_for(ineffective_entries(self.allow, self.block, self.unblock, self.limits.max_name_bytes))
        return self


class ShadowPolicy(_Rules, frozen=True):
    """A policy that is evaluated alongside the live one: its decisions are counted and traced, and never enforced.

    It decides on the same headers as the live policy, beside the same identity headers.
    """


class _Setting(BaseModel, frozen=True):
    """What a provider's setting has before its rules."""

    model_config = _STRICT

    enabled: bool = True
    """Whether extra headers are forwarded at all. When false, the provider behaves as the built-in one."""
    field: Annotated[
        Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=128)] | None,
        Field(examples=["vllm_extra_headers"]),
    ] = None
    """The key of the provider data that holds the headers. Default: the provider type and `_extra_headers`, for
    example `vllm_extra_headers`."""


# Of two bases, pydantic takes the fields of the last one first: the order in which people read them.
class Policy(_Rules, _Setting, frozen=True):
    """Which extra headers of a caller reach a provider, and what happens to a request with others.

    A pattern is a field name, or the start of one with a trailing `*`; case does not matter, and all but
    letters and digits is read as `-`.

    Raises:
        pydantic.ValidationError: an entry is wrong; `parse_policy` turns it into a `PolicyError` for people.

    """

    set: Annotated[Mapping[_SetName, _Template], Field(examples=[{"x-user": "${user.id}"}])] = Field(
        default_factory=dict, repr=False
    )
    """Identity headers on every request to the provider, from the caller whom the host authenticated: text
    and the placeholders `${user.id}`, `${user.tenant}` and `${user.attributes.NAME[INDEX]}`. They replace what the
    provider's client sends of itself; a caller's own header of such a name is blocked with reason `override`."""
    on_missing: Literal["reject", "omit"] = "reject"
    """What to do where the caller has no value for a header in `set`, or one that no header can hold: `reject` answers
    403 and sends nothing to the provider; `omit` sends the request without the header."""
    shadow: Annotated[ShadowPolicy | None, Field(examples=[{"allow": ["x-maas-*"]}])] = None
    """A shadow policy with its own `allow`, `block`, `unblock`, `on_blocked`, `on_malformed` and
    `limits`. What would differ under it is counted and traced; it never acts."""

    @model_validator(mode="after")
    def _set_headers_are_the_servers_alone(self) -> Self:
        names = tuple(self.set)
        _raise_for(repeated_set_names(names))
        for rules, within in ((self, ()), (self.shadow, ("shadow",))):
            if rules is not None:
                findings = entries_shadowed_by_set(names, rules.allow, rules.block, rules.unblock)
                _raise_for([*findings, *self._too_long(rules.limits.max_value_bytes)], within)
        return self

    def _too_long(self, maximum: int) -> list[str]:
        return [
            f"limits.max_value_bytes ({maximum}): less than the text of {name!r} in `set` alone; raise it"
            for name, template in self.templates.items()
            if template.literal_length > maximum
        ]

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that are equal on two replicas only if the same policy and core blocklist are in force."""
        return self._fingerprint[:12]

    @cached_property
    def _fingerprint(self) -> str:
        effective = [self.model_dump(mode="json"), CORE_BLOCKLIST]
        return hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest()

    @cached_property
    def templates(self) -> Mapping[str, Template]:
        """The values of `set`, read."""
        return {name: parse_template(text) for name, text in self.set.items()}

    @cached_property
    def shadow_policy(self) -> "Policy | None":
        """The policy as it would be with the rules of the shadow policy in force; its digest is the one to expect."""
        return None if self.shadow is None else self.model_copy(update={**self.shadow.model_dump(), "shadow": None})

    def identity_headers(self, user: User) -> IdentityHeaders | None:
        """Return the identity headers for a user; None where the policy sets none."""
        if not self.set:
            return None
        return render(self.templates, user, self.limits.max_value_bytes, reject=self.on_missing == "reject")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002 - pydantic's
        """Return a policy with other settings, checked like any other; pydantic's own copy would skip the checks."""
        return type(self).model_validate({**self.model_dump(), **(update or {})})

    # Policies key the memory of decided names on every request; asking every field each time would dominate it.

    def __hash__(self) -> int:
        return hash(self._fingerprint)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Policy) and self._fingerprint == other._fingerprint)


def _raise_for(findings: Sequence[str], within: tuple[str, ...] = ()) -> None:
    if findings:
        raise EntriesError(findings, within)


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
    try:
        return Policy.model_validate(dict(setting))
    except ValidationError as error:
        findings = findings_of(error, {None: Policy, "limits": Limits, "shadow": ShadowPolicy})
        listed = "\n".join(f"  - {finding.message}" for finding in findings)
        raise PolicyError(f"extra_headers of {subject} is unusable:\n{listed}", findings) from None


def default_field(provider_type: str) -> str:
    """Return the provider-data key of a provider type: `vllm_extra_headers` for `remote::vllm`."""
    return provider_type.rpartition("::")[2].replace("-", "_") + "_extra_headers"


def _yaml_type(value: object) -> str:
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list | tuple) else f"a value of type {type(value).__name__}"
