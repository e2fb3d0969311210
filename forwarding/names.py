"""Header field names: the RFC 9110 grammar, folding for comparison, and the patterns of a policy.

Pure functions over strings; nothing here knows a policy, a host or telemetry.
"""

import re
from collections.abc import Iterator

# RFC 9110 section 5.6.2: token = 1*tchar. `re.ASCII` is not needed: the class lists its characters.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def is_token(name: str) -> bool:
    """Whether `name` is an RFC 9110 token, the grammar of a field name. Nothing is trimmed or mapped first."""
    return _TOKEN.fullmatch(name) is not None


def fold(name: str) -> str:
    r"""Return the form in which field names are compared: lower case, `_` as `-`.

    Field names are case-insensitive (RFC 9110 section 5.1). CGI and WSGI servers cannot tell `X_Forwarded_For` from
    `X-Forwarded-For` (RFC 3875 section 4.1.18), so the two must be treated alike.

    Call it on tokens only: outside ASCII, lower-casing invents names (`"\u212aeep-alive".lower()` is `keep-alive`).
    """
    return name.lower().replace("_", "-")


def is_prefix(pattern: str) -> bool:
    """Whether `pattern` matches every name that starts with it (one trailing `*`) rather than one exact name."""
    return pattern.endswith("*")


def covering(pattern: str) -> Iterator[str]:
    """Yield every pattern that matches all that `pattern` matches: itself, then ever shorter prefixes."""
    stem = pattern.removesuffix("*")
    if not is_prefix(pattern):
        yield pattern
    for length in range(len(stem), 0, -1):
        yield f"{stem[:length]}*"
