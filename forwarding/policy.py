"""The policy of one provider: the `extra_headers` mapping of a run config, checked when it is built.

Immutable once built, no I/O. What an entry matches is decided in `matching`; whether the entries of one policy make
sense together is decided in `lint`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    ValidationError,
    model_validator,
)

from extra_headers.forwarding.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.decisions import ServerSet
from extra_headers.forwarding.identity import Template, User, parse_template, render
from extra_headers.forwarding.lint import (
    lint_lists,
    lint_lists_beside_set,
    lint_set,
    parse_pattern,
    parse_set_name,
    parse_unblock,
)

_STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)

type _PatternList = tuple[Annotated[str, AfterValidator(parse_pattern)], ...]
type _NameList = tuple[Annotated[str, AfterValidator(parse_unblock)], ...]


def _check_template(text: str) -> str:
    parse_template(text)
    return text


type _ServerSetHeaders = Mapping[
    Annotated[str, AfterValidator(parse_set_name)], Annotated[str, AfterValidator(_check_template)]
]


class PolicyError(ValueError):
    """The `extra_headers` setting of a provider is unusable. The message lists every finding."""


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

    allow: _PatternList | None = None
    """When given, only names that match one of these patterns pass. When omitted, every name that is not blocked."""
    block: _PatternList = ()
    """Patterns to block in addition to the core blocklist."""
    unblock: _NameList = ()
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
        _raise_for(lint_lists(self.allow, self.block, self.unblock, self.limits.max_name_bytes), self)
        return self


class ShadowPolicy(_Rules, frozen=True):
    """A candidate policy: what would be decided under it is counted and traced beside the live policy, and never done.

    It judges the same headers as the live policy, beside the same headers that the server sets.
    """


class _Setting(BaseModel, frozen=True):
    """What a provider's setting has before its rules."""

    model_config = _STRICT

    enabled: bool = True
    """Whether extra headers are forwarded at all. When false, the provider behaves as the built-in one."""
    field: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=128)] | None = None
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

    set: _ServerSetHeaders = Field(default_factory=dict, repr=False)
    """Headers that the server sets on every request to the provider, from the caller whom the host authenticated: text
    and the placeholders `${user.id}`, `${user.tenant}` and `${user.attributes.NAME[INDEX]}`. They replace what the
    provider's client sends of itself; a caller's own header of such a name is blocked with reason `override`."""
    on_missing: Literal["reject", "omit"] = "reject"
    """What to do where the caller has no value for a header in `set`, or one that no header can hold: `reject` answers
    403 and sends nothing to the provider; `omit` sends the request without the header."""
    shadow: ShadowPolicy | None = None
    """A candidate policy with settings of its own for `allow`, `block`, `unblock`, `on_blocked`, `on_malformed` and
    `limits`. What would differ under it is counted and traced; it never acts."""

    @model_validator(mode="after")
    def _set_headers_are_the_servers_alone(self) -> Self:
        names = tuple(self.set)
        _raise_for(lint_set(names))
        for rules in (self, self.shadow):
            if rules is not None:
                findings = lint_lists_beside_set(names, rules.allow, rules.block, rules.unblock)
                _raise_for([*findings, *self._too_long(rules.limits.max_value_bytes)], rules)
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
        effective = [self.model_dump(mode="json"), CORE_BLOCKLIST]
        return hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def templates(self) -> Mapping[str, Template]:
        """The values of `set`, read."""
        return {name: parse_template(text) for name, text in self.set.items()}

    @cached_property
    def candidate(self) -> "Policy | None":
        """The policy as it would be with the rules of the shadow policy in force; its digest is the one to expect."""
        return None if self.shadow is None else self.model_copy(update={**self.shadow.model_dump(), "shadow": None})

    def server_set(self, user: User) -> ServerSet | None:
        """Return the headers that the server sets for a user; None where the policy sets none."""
        if not self.set:
            return None
        return render(self.templates, user, self.limits.max_value_bytes, reject=self.on_missing == "reject")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002 - pydantic's
        """Return a policy with other settings, checked like any other; pydantic's own copy would skip the checks."""
        return type(self).model_validate({**self.model_dump(), **(update or {})})

    def __hash__(self) -> int:
        # Policies key the memory of judged names on every request; hashing every field each time would dominate it.
        return hash(self.digest)


def _raise_for(findings: Sequence[str], rules: _Rules | None = None) -> None:
    if findings:
        location = "shadow." if isinstance(rules, ShadowPolicy) else ""
        raise ValueError("; ".join(location + finding for finding in findings))


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
        raise PolicyError(
            f"extra_headers of {subject}: must be true, false or a mapping such as "
            f'{{allow: ["x-tenant-*"]}}, not {_yaml_type(setting)}'
        )
    try:
        return Policy.model_validate(dict(setting))
    except ValidationError as error:
        findings = "\n".join(f"  - {_finding(e)}" for e in error.errors(include_url=False, include_input=False))
        raise PolicyError(f"extra_headers of {subject} is unusable:\n{findings}") from None


def _yaml_type(value: object) -> str:
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list | tuple) else f"a value of type {type(value).__name__}"


def _finding(error: Any) -> str:
    """One line for one pydantic error: where, what, and what would be right."""
    location = ""
    for part in error["loc"]:
        key = part if isinstance(part, int) or (part.isascii() and part.isprintable()) else ascii(part)
        location += f"[{key}]" if isinstance(part, int) else f".{key}" if location else key
    location = location.removesuffix(".[key]")
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            message = _unknown_setting(error["loc"])
        case "bool_type" | "bool_parsing":
            message = "must be true or false"
        case "int_type":
            message = "must be a whole number, such as 32"
        case "tuple_type":
            example = "openai-organization" if error["loc"][-1] == "unblock" else "x-tenant-*"
            message = f'must be a list of names, such as {error["loc"][-1]}: ["{example}"]'
        case "string_type":
            message = "must be a string; quote it in the YAML"
        case "string_pattern_mismatch":
            message = "must start with a letter and hold only letters, digits and '_', such as vllm_extra_headers"
        case "model_type" | "dict_type" | "mapping_type":
            message = f"must be a mapping, such as {_EXAMPLES[error['loc'][-1]]}"
    # The findings of a whole shadow policy say themselves where each is.
    return f"{location}: {message}" if location and not message.startswith(f"{location}.") else message


_EXAMPLES = {
    "limits": "{max_headers: 32}",
    "shadow": '{allow: ["x-tenant-*"]}',
    "set": '{x-tenant-id: "${user.tenant}"}',
}


def _unknown_setting(location: Sequence[str | int]) -> str:
    within = location[-2] if len(location) > 1 else None
    models: Mapping[object, type[BaseModel]] = {"limits": Limits, "shadow": ShadowPolicy}
    what = "unknown setting"
    if within == "shadow" and location[-1] in Policy.model_fields:
        what = "a shadow policy has no such setting: it judges the headers of the live one and never acts"
    return f"{what}; known are {', '.join(models.get(within, Policy).model_fields)}"
