"""Whether the entries of a policy can do what their author meant: each alone, and all together.

Pure functions that return findings or raise `ValueError`, always with the entry, what is wrong and what would be right.
Each is linear in the length of an entry.
"""

from collections.abc import Collection, Mapping, Sequence

from .blocklist import BLOCKLIST_BY_PATTERN, CoreRule
from .decision import Reason
from .errors import PolicyFinding
from .field_names import PatternSet, is_prefix, is_token, normalize_name

# Lifting one of these would hand the caller the message framing, the provider's account or the gateway.
NEVER_UNBLOCKED = frozenset({Reason.FRAMING, Reason.CREDENTIAL, Reason.GATEWAY})
# A gateway may need to know the user, and only the operator can set these.
NEVER_SET = NEVER_UNBLOCKED - {Reason.GATEWAY}

# What an editor can check, as ECMA 262 regular expressions; the functions below check more.
NAME_GRAMMAR = "^[!#$%&'+.^_`|~0-9A-Za-z-]+$"
PATTERN_GRAMMAR = r"^[!#$%&'+.^_`|~0-9A-Za-z-]+\*?$"

_CORE = PatternSet(BLOCKLIST_BY_PATTERN)
_MAX_QUOTED = 128


def core_rule(pattern: str) -> CoreRule | None:
    """Return the narrowest rule of the core blocklist that blocks everything that a normalized pattern matches."""
    narrowest = _CORE.narrowest(pattern)
    return None if narrowest is None else BLOCKLIST_BY_PATTERN[narrowest]


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
        start = stem.split("*")[0][:_MAX_QUOTED]
        start = start if is_token(start) else "x-tenant-"
        raise ValueError(f"{quote(entry)}: only one `*` is possible, at the end, such as {start}*")
    if not is_token(stem):
        raise ValueError(
            f"{quote(entry)} can never match: it is not a header name; write ASCII letters, digits and '-', "
            "with at most one `*` at the end (no spaces, colons or regular expressions)"
        )
    return normalize_name(stem) + entry[len(stem) :]


def parse_unblock(entry: str) -> str:
    """Return an entry of `unblock` in normalized form.

    Raises:
        ValueError: it is not one name, is not on the core blocklist, or may never be unblocked.

    """
    if is_prefix(entry) or not is_token(entry):
        raise ValueError(f"{quote(entry)}: only a single header name can be unblocked, such as openai-organization")
    normalized = normalize_name(entry)
    rule = core_rule(normalized)
    if rule is None:
        raise ValueError(f"{quote(entry)} has no effect: the core blocklist does not block it; remove the entry")
    if rule.reason in NEVER_UNBLOCKED:
        raise ValueError(
            f"{quote(entry)} can never be unblocked ({rule.reason.value}: {rule.source}); remove the entry"
        )
    return normalized


def parse_set_name(entry: str) -> str:
    """Return the name of an entry in `set` as spelled, because that is how it is sent.

    Raises:
        ValueError: it is not a field name, or one that no setting may touch.

    """
    if "*" in entry or not is_token(entry):
        raise ValueError(f"{quote(entry)} is not one header name; write ASCII letters, digits and '-'")
    rule = core_rule(normalize_name(entry))
    if rule is not None and rule.reason in NEVER_SET:
        raise ValueError(f"{quote(entry)} can never be set ({rule.reason.value}: {rule.source}); remove the entry")
    return entry


def repeated_set_names(names: Sequence[str]) -> list[PolicyFinding]:
    """Return the names in `set` that look the same to the provider as another one there."""
    first = {normalize_name(name): name for name in reversed(names)}
    return [
        PolicyFinding(
            ("set",),
            f"{quote(name)} and {quote(first[normalize_name(name)])} are the same header; remove one",
        )
        for name in names
        if first[normalize_name(name)] != name
    ]


def set_conflicts(others: Mapping[str, str], names: Collection[str]) -> list[PolicyFinding]:
    """Return the names in `set` that another setting of the provider sends, too, in whatever spelling.

    Args:
        others: the name of each such setting, by the name of the header.
        names: the names in `set`.

    """
    settings = {normalize_name(name): setting for name, setting in others.items()}
    return [
        PolicyFinding(
            ("set", name), f"{settings[normalize_name(name)]!r} of the provider names the same header; remove one"
        )
        for name in names
        if normalize_name(name) in settings
    ]


def entries_shadowed_by_set(
    names: Sequence[str], allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str]
) -> list[PolicyFinding]:
    """Return the normalized entries that name an identity header, which no caller can send anyway."""
    identity_headers = {normalize_name(name) for name in names}
    return [
        PolicyFinding(
            (field, i), f"{quote(entry)} {effect}: `set` sets it, and a caller's own is blocked (override); remove one"
        )
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
) -> list[PolicyFinding]:
    """Return what is wrong with normalized entries that are each valid alone: dead, shadowed or overlapping ones."""
    findings: list[PolicyFinding] = []
    for field, entries in (("allow", allow or ()), ("block", block), ("unblock", unblock)):
        findings += _too_long(field, entries, max_name_bytes)
        findings += _shadowed(field, entries)
    return [
        *findings,
        *_redundant_block(block, unblock),
        *_redundant_unblock(allow, block, unblock),
        *_redundant_allow(allow, block, unblock),
    ]


def ineffective_block_entries(allow: Sequence[str] | None, block: Sequence[str]) -> list[PolicyFinding]:
    """Return the entries of `block` that change nothing about what passes, because `allow` stops the same names.

    They are not among `ineffective_entries`, which stop a server: such an entry does match. Its names are counted as
    `operator` instead of `not_allowed`, and it continues to block when `allow` is widened.
    """
    if allow is None:
        return []
    allowed = PatternSet(allow)
    return [
        PolicyFinding(
            ("block", i),
            f"{quote(entry)} changes nothing about what passes: no entry of `allow` matches such a name; "
            "remove the entry",
        )
        for i, entry in enumerate(block)
        if not allowed.narrowest(entry) and not allowed.any_within(entry)
    ]


def _redundant_block(block: Sequence[str], unblock: Sequence[str]) -> list[PolicyFinding]:
    unblocked = PatternSet(unblock)
    return [
        PolicyFinding(
            ("block", i), f"{quote(entry)} has no effect: the core blocklist has it ({rule.pattern}); remove the entry"
        )
        for i, entry in enumerate(block)
        if (rule := core_rule(entry)) and not unblocked.any_within(entry)
    ]


def _redundant_unblock(
    allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str]
) -> list[PolicyFinding]:
    blocked, allowed = PatternSet(block), PatternSet(allow or ())
    findings = []
    for i, name in enumerate(unblock):
        effect = f"{quote(name)} has no effect"
        if blocker := blocked.narrowest(name):
            text = f"{effect}: {quote(blocker)} in `block` blocks it; remove one"
            findings.append(PolicyFinding(("unblock", i), text))
        if allow is not None and not allowed.narrowest(name):
            text = f"{effect}: `allow` does not name it; add it to `allow` or remove it here"
            findings.append(PolicyFinding(("unblock", i), text))
    return findings


def _redundant_allow(allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str]) -> list[PolicyFinding]:
    blocked, unblocked = PatternSet(block), PatternSet(unblock)
    findings = []
    for i, entry in enumerate(allow or ()):
        effect = f"{quote(entry)} can never match"
        if blocker := blocked.narrowest(entry):
            text = f"{effect}: {quote(blocker)} in `block` blocks it; remove one"
            findings.append(PolicyFinding(("allow", i), text))
        elif (rule := core_rule(entry)) and not unblocked.any_within(entry):
            text = f"{effect}: the core blocklist blocks it ({rule.reason.value}: {rule.pattern}); {remedy(rule)}"
            findings.append(PolicyFinding(("allow", i), text))
    return findings


def _too_long(field: str, entries: Sequence[str], max_name_bytes: int) -> list[PolicyFinding]:
    return [
        PolicyFinding(
            (field, i),
            f"{quote(entry)} can never match: it is longer than limits.max_name_bytes; shorten it or raise the limit",
        )
        for i, entry in enumerate(entries)
        if len(entry.removesuffix("*")) > max_name_bytes
    ]


def _shadowed(field: str, entries: Sequence[str]) -> list[PolicyFinding]:
    position = {entry: i for i, entry in reversed(list(enumerate(entries)))}
    patterns = PatternSet(entries)
    findings = []
    for i, entry in enumerate(entries):
        # Of two equal entries, only the second is reported.
        wider = next((p for p in patterns.matching_all_of(entry) if position[p] != i), None)
        if wider is not None:
            text = f"{quote(entry)} is shadowed by {quote(wider)} at [{position[wider]}]; remove the entry"
            findings.append(PolicyFinding((field, i), text))
    return findings


def quote(entry: str) -> str:
    """Return an entry as findings show it: ASCII, and not at full length."""
    return ascii(entry if len(entry) <= _MAX_QUOTED else f"{entry[:_MAX_QUOTED]}...")


def remedy(rule: CoreRule) -> str:
    """Return what to do about an entry that a rule of the core blocklist blocks."""
    if rule.reason in NEVER_UNBLOCKED:
        return "it cannot be unblocked; remove the entry"
    return "add it to `unblock`, or remove the entry"
