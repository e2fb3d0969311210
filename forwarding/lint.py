"""Whether the entries of a policy can do what their author meant: each alone, and all together.

Pure functions that return findings or raise `ValueError`, always with the entry, what is wrong and what would be right.
"""

from collections.abc import Sequence

from extra_headers.forwarding.blocklist import CORE_BLOCKLIST, CoreRule
from extra_headers.forwarding.decisions import Reason
from extra_headers.forwarding.names import covers, fold, is_prefix, is_token, matches

# Lifting one of these would hand the caller the message framing, the provider's account or the gateway.
NEVER_UNBLOCKED = frozenset({Reason.FRAMING, Reason.CREDENTIAL, Reason.GATEWAY})


def core_rule(folded: str) -> CoreRule | None:
    """Return the entry of the core blocklist that decides a folded name: the exact one, else the longest prefix."""
    best: CoreRule | None = None
    for rule in CORE_BLOCKLIST:
        if rule.pattern == folded:
            return rule
        if matches(rule.pattern, folded) and (best is None or len(rule.pattern) > len(best.pattern)):
            best = rule
    return best


def parse_pattern(index: int, entry: str) -> str:
    """Return an entry of `allow` or `block` in folded form.

    Raises:
        ValueError: it is neither a field name nor the start of one with a trailing `*`.

    """
    stem = entry.removesuffix("*")
    if not stem:
        raise ValueError(
            f"[{index}] {entry!r} matches every name; leave `allow` out to allow all, or set `allow: []` to block all"
        )
    if "*" in stem:
        raise ValueError(f"[{index}] {entry!r}: only one `*` is possible, at the end, such as {stem.split('*')[0]}*")
    if not is_token(stem):
        raise ValueError(
            f"[{index}] {entry!r} can never match: it is not a header name; write ASCII letters, digits and '-', "
            "with at most one `*` at the end (no spaces, colons or regular expressions)"
        )
    return fold(entry)


def parse_unblock(index: int, entry: str) -> str:
    """Return an entry of `unblock` in folded form.

    Raises:
        ValueError: it is not one name, is not on the core blocklist, or may never be lifted.

    """
    if is_prefix(entry) or not is_token(entry):
        raise ValueError(f"[{index}] {entry!r}: only a single header name can be lifted, such as openai-organization")
    folded = fold(entry)
    rule = core_rule(folded)
    if rule is None:
        raise ValueError(f"[{index}] {entry!r} has no effect: the core blocklist does not hold it; remove the entry")
    if rule.reason in NEVER_UNBLOCKED:
        raise ValueError(
            f"[{index}] {entry!r} can never be lifted ({rule.reason.value}: {rule.source}); remove the entry"
        )
    return folded


def lint_lists(allow: Sequence[str] | None, block: Sequence[str], unblock: Sequence[str]) -> list[str]:
    """Return what is wrong with folded entries that are each valid alone: dead, shadowed or overlapping ones."""
    findings = [*_shadowed("allow", allow or ()), *_shadowed("block", block), *_shadowed("unblock", unblock)]
    for i, entry in enumerate(block):
        if (rule := _core_cover(entry)) and not any(matches(entry, name) for name in unblock):
            findings.append(f"block[{i}] {entry!r}: the core blocklist has it ({rule.pattern}); remove the entry")
    for i, name in enumerate(unblock):
        if blocker := next((b for b in block if matches(b, name)), None):
            findings.append(f"unblock[{i}] {name!r} has no effect: {blocker!r} in `block` blocks it; remove one")
    for i, entry in enumerate(allow or ()):
        if entry in unblock:
            continue
        if blocker := next((b for b in block if covers(b, entry)), None):
            findings.append(f"allow[{i}] {entry!r} can never match: {blocker!r} in `block` blocks it; remove one")
        elif (rule := _core_cover(entry)) and not any(matches(entry, name) for name in unblock):
            findings.append(
                f"allow[{i}] {entry!r} can never match: the core blocklist blocks it "
                f"({rule.reason.value}: {rule.pattern}); {_remedy(rule)}"
            )
    if allow is not None:
        findings += [
            f"unblock[{i}] {name!r} has no effect: `allow` does not name it; add it to `allow` or remove it here"
            for i, name in enumerate(unblock)
            if not any(matches(entry, name) for entry in allow)
        ]
    return findings


def _shadowed(field: str, entries: Sequence[str]) -> list[str]:
    findings = []
    for i, entry in enumerate(entries):
        for j, other in enumerate(entries):
            # Of two equal entries, only the second is reported.
            if i != j and covers(other, entry) and (other != entry or j < i):
                findings.append(f"{field}[{i}] {entry!r} is shadowed by {other!r} at [{j}]; remove the entry")
                break
    return findings


def _core_cover(pattern: str) -> CoreRule | None:
    """Return an entry of the core blocklist that blocks every name which matches `pattern`."""
    return next((rule for rule in CORE_BLOCKLIST if covers(rule.pattern, pattern)), None)


def _remedy(rule: CoreRule) -> str:
    if rule.reason in NEVER_UNBLOCKED:
        return "it cannot be lifted; remove the entry"
    return "lift it with `unblock`, or remove the entry"
