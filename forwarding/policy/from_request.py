"""Plain request headers that a policy takes up: which names may be listed, and whether they can ever pass."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from .entries import NAME_GRAMMAR, NEVER_UNBLOCKED, core_rule, quote, remedy
from .errors import NOT_A_STRING, EntriesError, PolicyFinding
from .field_names import PatternSet, is_token, normalize_name


def as_mapping(names: object) -> object:
    """Return a list of names as the mapping that it means; anything else as it is.

    Raises:
        EntriesError: an entry of the list is not a string.
        ValueError: one name is received twice, in whatever case.

    """
    if isinstance(names, list | tuple):
        wrong = [i for i, name in enumerate(names) if not isinstance(name, str)]
        if wrong:
            raise EntriesError([PolicyFinding((i,), NOT_A_STRING) for i in wrong])
    elif not isinstance(names, Mapping):
        return names
    first: dict[str, str] = {}
    for name in names:
        if isinstance(name, str):
            if (same := first.get(name.lower())) is not None:
                raise ValueError(f"{quote(name)} and {quote(same)} are the same header; remove one")
            first[name.lower()] = name
    return names if isinstance(names, Mapping) else {name: name for name in names}


def parse_received_name(entry: str) -> str:
    """Return the name of a request header in lower case, as servers read it.

    Raises:
        ValueError: it is not one field name, or its value is not for a provider, whatever name it would be sent under.

    """
    if "*" in entry or not is_token(entry):
        raise ValueError(f"{quote(entry)} is not one header name; list each name, such as x-maas-subscription")
    rule = core_rule(normalize_name(entry))
    if rule is not None and rule.reason in NEVER_UNBLOCKED:
        raise ValueError(
            f"{quote(entry)} can never be taken from a request ({rule.reason.value}: {rule.source}); remove the entry"
        )
    return entry.lower()


def parse_sent_name(entry: str) -> str:
    """Return the name to send as spelled.

    Raises:
        ValueError: it is not one field name.

    """
    if "*" in entry or not is_token(entry):
        raise ValueError(f"{quote(entry)} is not one header name; write ASCII letters, digits and '-'")
    return entry


_NAME_SCHEMA = {"type": "string", "pattern": NAME_GRAMMAR}
FromRequest = Annotated[
    Mapping[Annotated[str, AfterValidator(parse_received_name)], Annotated[str, AfterValidator(parse_sent_name)]],
    BeforeValidator(as_mapping),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _NAME_SCHEMA},
                {"type": "object", "propertyNames": _NAME_SCHEMA, "additionalProperties": _NAME_SCHEMA},
            ]
        }
    ),
]
"""The setting: a list of names, or a mapping from the name received to the name sent."""


def names_that_never_pass(
    from_request: Mapping[str, str],
    allow: Sequence[str] | None,
    block: Sequence[str],
    unblock: Sequence[str],
    identity_names: Sequence[str],
) -> list[PolicyFinding]:
    """Return the names to send that other settings block, whatever a caller sends."""
    blocked, allowed = PatternSet(block), PatternSet(allow or ())
    identity = {normalize_name(name) for name in identity_names}
    findings = []
    for received, sent in from_request.items():
        name = normalize_name(sent)
        if name in identity:
            text = "`set` sets it, and a caller's own is blocked (override); remove one"
        elif (rule := core_rule(name)) and name not in unblock:
            text = f"the core blocklist blocks it ({rule.reason.value}: {rule.pattern}); {remedy(rule)}"
        elif blocker := blocked.narrowest(name):
            text = f"{quote(blocker)} in `block` blocks it; remove one"
        elif allow is not None and not allowed.narrowest(name):
            text = "`allow` does not name it; add it to `allow` or remove it here"
        else:
            continue
        findings.append(PolicyFinding(("from_request", received), f"{quote(sent)} can never pass: {text}"))
    return findings
