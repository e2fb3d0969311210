"""The policy of one provider: the `extra_headers` mapping of a run config, checked when it is built.

Immutable once built, no I/O. What an entry matches is decided in `matching`; whether the entries of one policy make
sense together is decided in `lint`.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

from extra_headers.forwarding.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.lint import lint_lists, parse_pattern, parse_unblock

_STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)

type _PatternList = tuple[Annotated[str, AfterValidator(parse_pattern)], ...]
type _NameList = tuple[Annotated[str, AfterValidator(parse_unblock)], ...]


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


class Policy(BaseModel, frozen=True):
    """Which extra headers of a caller reach a provider, and what happens to a request with others.

    A pattern is a field name, or the start of one with a trailing `*`; case does not matter, and all but
    letters and digits is read as `-`.

    Raises:
        pydantic.ValidationError: an entry is wrong; `parse_policy` turns it into a `PolicyError` for people.

    """

    model_config = _STRICT

    enabled: bool = True
    """Whether extra headers are forwarded at all. When false, the provider behaves as the built-in one."""
    field: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=128)] | None = None
    """The key of the provider data that holds the headers. Default: the provider type and `_extra_headers`, for
    example `vllm_extra_headers`."""
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
        if findings := lint_lists(self.allow, self.block, self.unblock, self.limits.max_name_bytes):
            raise ValueError("; ".join(findings))
        return self

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that are equal on two replicas only if the same policy and core blocklist are in force."""
        effective = [self.model_dump(mode="json"), CORE_BLOCKLIST]
        return hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest()[:12]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002 - pydantic's
        """Return a policy with other settings, checked like any other; pydantic's own copy would skip the checks."""
        return type(self).model_validate({**self.model_dump(), **(update or {})})

    def __hash__(self) -> int:
        # Policies key the memory of judged names on every request; hashing every field each time would dominate it.
        return hash(self.digest)


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
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            known = Limits if error["loc"][0] == "limits" else Policy
            message = f"unknown setting; known are {', '.join(known.model_fields)}"
        case "bool_type" | "bool_parsing":
            message = "must be true or false"
        case "int_type":
            message = "must be a whole number, such as 32"
        case "tuple_type":
            example = "openai-organization" if location == "unblock" else "x-tenant-*"
            message = f'must be a list of names, such as {location}: ["{example}"]'
        case "string_type":
            message = "must be a string; quote it in the YAML"
        case "string_pattern_mismatch":
            message = "must start with a letter and hold only letters, digits and '_', such as vllm_extra_headers"
        case "model_type":
            message = "must be a mapping, such as {max_headers: 32}"
    return f"{location}: {message}" if location else message
