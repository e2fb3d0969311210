"""Whether the entries of a policy can do what their author meant: each alone, and all together.

Pure functions that return findings or raise `ValueError`, always with the entry, what is wrong and what would be right.
"""

from collections.abc import Collection, Mapping, Sequence

from .blocklist import CORE_BLOCKLIST, CoreRule
from .decision import Reason
from .field_names import is_prefix, is_token, normalize_name, wider_patterns

# Lifting one of these would hand the caller the message framing, the provider's account or the gateway.
NEVER_UNBLOCKED = frozenset({Reason.FRAMING, Reason.CREDENTIAL, Reason.GATEWAY})

# What editors can tell of an entry, as ECMA 262 regular expressions; the functions below tell more.
NAME_GRAMMAR = "^[!#$%&'+.^_`|~0-9A-Za-z-]+$"
PATTERN_GRAMMAR = r"^[!#$%&'+.^_`|~0-9A-Za-z-]+\*?$"

_CORE = {rule.pattern: rule for rule in CORE_BLOCKLIST}


def core_rule(pattern: str) -> CoreRule | None:
    """Return the entry of the core blocklist that blocks all that a normalized pattern matches: the narrowest one."""
    return next((_CORE[wide] for wide in wider_patterns(pattern) if wide in _CORE), None)


def parse_pattern(entry: str) -> str:
    """Return an entry of `allow` or `block` in normalized form.

    Raises:
        ValueError: it is neither a field name nor the start of one with a trailing `*`.

    """
    if entry == "*":
        raise ValueError("'*' matches every name; leave `allow` out to allow all, or set `allow: []` to block all")
    if not entry:
        raise ValueError("'' can never match: it is empty; remove it")
    stem = entry.removesuffix("*")
    if "*" in stem:
        raise ValueError(
            f"{entry!a}: only one `*` is possible, at the end, such as {stem.split('*')[0] or 'x-tenant-'}*"
        )
    if not is_token(stem):
        raise ValueError(
            f"{entry!a} can never match: it is not a header name; write ASCII letters, digits and '-', "
            "with at most one `*` at the end (no spaces, colons or regular expressions)"
        )
    return normalize_name(stem) + entry[len(stem) :]


def parse_unblock(entry: str) -> str:
    """Return an entry of `unblock` in normalized form.

    Raises:
        ValueError: it is not one name, is not on the core blocklist, or may never be lifted.

    """
    if is_prefix(entry) or not is_token(entry):
        raise ValueError(f"{entry!a}: only a single header name can be lifted, such as openai-organization")
    normalized = normalize_name(entry)
    rule = core_rule(normalized)
    if rule is None:
        raise ValueError(f"{entry!a} has no effect: the core blocklist does not hold it; remove the entry")
    if rule.reason in NEVER_UNBLOCKED:
        raise ValueError(f"{entry!a} can never be lifted ({rule.reason.value}: {rule.source}); remove the entry")
    return normalized


def parse_set_name(entry: str) -> str:
    """Return an entry's name in `set`, as spelled: so it is sent.

    Raises:
        ValueError: it is not a field name, or one that no setting may touch.

    """
    if "*" in entry or not is_token(entry):
        raise ValueError(f"{entry!a} is not one header name; write ASCII letters, digits and '-'")
    rule = core_rule(normalize_name(entry))
    if rule is not None and rule.reason in NEVER_UNBLOCKED:
        raise ValueError(f"{entry!a} can never be set ({rule.reason.value}: {rule.source}); remove the entry")
    return entry


def repeated_set_names(names: Sequence[str]) -> list[str]:
    """Return which names in `set` are one and the same to the provider."""
    first = {normalize_name(name): name for name in reversed(names)}
    return [
        f"set: {name!r} and {first[normalize_name(name)]!r} are the same header; remove one"
        for name in names
        if first[normalize_name(name)] != name
    ]


def set_conflicts(others: Mapping[str, str], names: Collection[str]) -> list[str]:
    """Return which names in `set` another setting of the provider makes it send, too, in whatever spelling.

    Args:
        others: the name of each such setting, by the name of the header.
        names: in `set`.

    """
    settings = {normalize_name(name): setting for name, setting in others.items()}
    return [
        f"set.{name}: {settings[normalize_name(name)]!r} of the provider names the same header; remove one"
        for name in names
        if normalize_name(name) in settings
    ]


def entries_shadowed_by_set(
    names: Sequence[str], allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str]
) -> list[str]:
    """Return the normalized entries that speak of an identity header, which no caller can send anyway."""
    identity_headers = {normalize_name(name) for name in names}
    return [
        f"{field}[{i}] {entry!r} {effect}: `set` sets it, and a caller's own is blocked (override); remove one"
        for field, entries, effect in (
            ("allow", allow or (), "can never match"),
            ("block", block, "has no effect"),
            ("unblock", unblock, "has no effect"),
        )
        for i, entry in enumerate(entries)
        if entry in identity_headers
    ]


def ineffective_entries(
    allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str], max_name_bytes: int
) -> list[str]:
    """Return what is wrong with normalized entries that are each valid alone: dead, shadowed or overlapping ones."""
    findings: list[str] = []
    for field, entries in (("allow", allow or ()), ("block", block), ("unblock", unblock)):
        findings += _too_long(field, entries, max_name_bytes)
        findings += _shadowed(field, entries)
    return [
        *findings,
        *_redundant_block(block, unblock),
        *_redundant_unblock(allow, block, unblock),
        *_redundant_allow(allow, block, unblock),
    ]


def ineffective_block_entries(allow: Sequence[str] | None, block: Sequence[str]) -> list[str]:
    """Return the entries of `block` that change nothing about what passes, because `allow` stops the same names.

    They are not among `ineffective_entries`, which stop a server: such an entry does match. Its names are counted as
    `operator` instead of `not_allowed`, and it continues to block when `allow` is widened.
    """
    if allow is None:
        return []
    allowed = set(allow)
    reach_an_allowed_name = _wider_patterns_of_any(allow)
    return [
        f"block[{i}] {entry!r} changes nothing about what passes: no entry of `allow` matches such a name; "
        "remove the entry"
        for i, entry in enumerate(block)
        if not _narrowest_match(entry, allowed) and entry not in reach_an_allowed_name
    ]


def _redundant_block(block: Sequence[str], unblock: Sequence[str]) -> list[str]:
    reach_a_lifted_name = _wider_patterns_of_any(unblock)
    return [
        f"block[{i}] {entry!r}: the core blocklist has it ({rule.pattern}); remove the entry"
        for i, entry in enumerate(block)
        if (rule := core_rule(entry)) and entry not in reach_a_lifted_name
    ]


def _redundant_unblock(allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str]) -> list[str]:
    blocked, allowed = set(block), set(allow or ())
    findings = []
    for i, name in enumerate(unblock):
        if blocker := _narrowest_match(name, blocked):
            findings.append(f"unblock[{i}] {name!r} has no effect: {blocker!r} in `block` blocks it; remove one")
        if allow is not None and not _narrowest_match(name, allowed):
            findings.append(
                f"unblock[{i}] {name!r} has no effect: `allow` does not name it; add it to `allow` or remove it here"
            )
    return findings


def _redundant_allow(allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str]) -> list[str]:
    blocked, reach_a_lifted_name = set(block), _wider_patterns_of_any(unblock)
    findings = []
    for i, entry in enumerate(allow or ()):
        if blocker := _narrowest_match(entry, blocked):
            findings.append(f"allow[{i}] {entry!r} can never match: {blocker!r} in `block` blocks it; remove one")
        elif (rule := core_rule(entry)) and entry not in reach_a_lifted_name:
            findings.append(
                f"allow[{i}] {entry!r} can never match: the core blocklist blocks it "
                f"({rule.reason.value}: {rule.pattern}); {_remedy(rule)}"
            )
    return findings


def _too_long(field: str, entries: Sequence[str], max_name_bytes: int) -> list[str]:
    return [
        f"{field}[{i}] {entry!r} can never match: it is longer than limits.max_name_bytes ({max_name_bytes}); "
        "shorten it or raise the limit"
        for i, entry in enumerate(entries)
        if len(entry.removesuffix("*")) > max_name_bytes
    ]


def _shadowed(field: str, entries: Sequence[str]) -> list[str]:
    position = {entry: i for i, entry in reversed(list(enumerate(entries)))}
    findings = []
    for i, entry in enumerate(entries):
        # Of two equal entries, only the second is reported.
        wider = next((p for p in wider_patterns(entry) if position.get(p, i) != i), None)
        if wider is not None:
            findings.append(f"{field}[{i}] {entry!r} is shadowed by {wider!r} at [{position[wider]}]; remove the entry")
    return findings


def _narrowest_match(pattern: str, patterns: Collection[str]) -> str | None:
    """Return the narrowest of `patterns` that matches all that `pattern` matches."""
    return next((wide for wide in wider_patterns(pattern) if wide in patterns), None)


def _wider_patterns_of_any(names: Sequence[str]) -> Collection[str]:
    """Return every pattern that matches one of `names`."""
    return {pattern for name in names for pattern in wider_patterns(name)}


def _remedy(rule: CoreRule) -> str:
    if rule.reason in NEVER_UNBLOCKED:
        return "it cannot be lifted; remove the entry"
    return "lift it with `unblock`, or remove the entry"
