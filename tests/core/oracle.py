"""The design, read naively: a second implementation of every decision, to compare the real one with."""

import string
from collections.abc import Sequence
from functools import cache

from extra_headers.forwarding import Policy, Reason
from tests.core.test_blocklist import DESIGN
from tests.core.test_names import TCHAR

type Headers = list[tuple[str, object]]


@cache
def compared(name: str) -> str:
    """Return the form in which tokens are compared."""
    return "".join(c if c in string.digits + string.ascii_lowercase else "-" for c in name.lower())


def matching(patterns: Sequence[str], name: str) -> bool:
    """Whether any pattern matches."""
    return any(
        compared(name).startswith(compared(p[:-1])) if p.endswith("*") else compared(name) == compared(p)
        for p in patterns
    )


def is_name(name: object, policy: Policy) -> bool:
    """Whether it is a token within the limit."""
    return isinstance(name, str) and 0 < len(name) <= policy.limits.max_name_bytes and all(c in TCHAR for c in name)


def is_value(value: object) -> bool:
    """Whether it may be the value of a header, size aside."""
    if not isinstance(value, str):
        return False
    return all(c == "\t" or " " <= c <= "~" for c in value) and not value[:1].isspace() and not value[-1:].isspace()


@cache
def core_reason(name: str) -> Reason | None:
    """Return why the core blocklist blocks a name: an exact entry decides before a prefix, then the longest prefix."""
    found = [
        (not pattern.endswith("*"), len(pattern), reason)
        for reason, patterns in DESIGN.items()
        for pattern in patterns.split(", ")
        if matching([pattern], name)
    ]
    return max(found)[2] if found else None


def expected_reason(name: str, value: object, headers: Headers, policy: Policy, outbound: frozenset[str]) -> Reason:
    """Return the reason that the design gives for one header, total size aside."""
    limits = policy.limits
    core = core_reason(name) if is_name(name, policy) and not matching(policy.unblock, name) else None
    twins = [n for n, _ in headers if is_name(n, policy) and compared(n) == compared(name)]
    checks = [
        (not isinstance(value, str), Reason.TYPE),
        (len(headers) > limits.max_headers, Reason.TOO_MANY),
        (len(name) > limits.max_name_bytes, Reason.TOO_LARGE),
        (not is_name(name, policy), Reason.NAME),
        (len(twins) > 1, Reason.DUPLICATE),
        (core is not None, core),
        (matching(policy.block, name), Reason.OPERATOR),
        (matching([*outbound, *policy.set], name), Reason.OVERRIDE),
        (policy.allow is not None and not matching(policy.allow, name), Reason.NOT_ALLOWED),
        (isinstance(value, str) and len(value) > limits.max_value_bytes, Reason.TOO_LARGE),
        (not is_value(value), Reason.VALUE),
    ]
    return next((reason for applies, reason in checks if applies and reason), Reason.ALLOWED)


def expected_reasons(headers: Headers, policy: Policy, outbound: frozenset[str]) -> list[Reason]:
    """Return the reasons that the design gives for all headers of a request."""
    found = [expected_reason(name, value, headers, policy, outbound) for name, value in headers]
    passing = [(n, v) for (n, v), reason in zip(headers, found, strict=True) if reason is Reason.ALLOWED]
    if sum(len(n) + len(str(v)) for n, v in passing) > policy.limits.max_total_bytes:
        return [Reason.TOO_LARGE if reason is Reason.ALLOWED else reason for reason in found]
    return found
