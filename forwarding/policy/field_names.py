"""Header fields: the RFC 9110 grammar of names and values, normalizing for comparison, and the patterns of a policy.

Pure functions over strings; nothing here knows a policy, a host or telemetry.
"""

import re
import string
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from operator import countOf

# RFC 9110 section 5.6.2: token = 1*tchar. `re.ASCII` is not needed: the class lists its characters.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# Leaves the bytes of visible characters as they are, and no other.
_VISIBLE = bytes(byte if 0x21 <= byte <= 0x7E else ord("!") for byte in range(256))

_NORMALIZED = str.maketrans(string.ascii_uppercase + "!#$%&'*+.^_`|~", string.ascii_lowercase + "-" * 14)


def is_token(name: str) -> bool:
    """Whether `name` is an RFC 9110 token, the grammar of a field name. Nothing is trimmed or mapped first."""
    return _TOKEN.fullmatch(name) is not None


def is_field_value(value: str) -> bool:
    """Whether a value may be sent: RFC 9110 section 5.5 without obs-text, so that one character is one byte."""
    # For ASCII, printable means 0x20 to 0x7E. Beside tab, that leaves space for `strip` to find at the edges.
    return (
        value.isascii() and (value.isprintable() or value.replace("\t", " ").isprintable()) and value.strip() == value
    )


def is_visible(text: str) -> bool:
    """Whether every character is visible ASCII (RFC 5234: VCHAR). Values that are may be sent, one by one as together.

    False for some that may be sent, too: those with white space within.
    """
    # `isprintable` alone takes four times as long as this.
    return text.isascii() and (octets := text.encode()).translate(_VISIBLE) == octets


def are_strings(values: Collection[object]) -> bool:
    """Whether all are of type `str` itself.

    A subclass may be compared, or looked at, as one string, and sent as another.
    """
    return countOf(map(type, values), str) == len(values)


def normalize_name(name: str) -> str:
    """Return the form in which field names are compared: lower case, all but letters and digits as `-`.

    Field names are case-insensitive (RFC 9110 section 5.1). Behind a server that makes variables of them (RFC 3875
    section 4.1.18), `X_Forwarded_For` is `X-Forwarded-For`; behind some, such as lighttpd and Apache httpd 2.2, so is
    `X.Forwarded+For`. What one such server may take for the other is treated alike.

    Characters outside ASCII stay as they are: `str.lower` would make `keep-alive` of a name with a Kelvin sign.
    """
    return name.translate(_NORMALIZED)


def normalize_pattern(pattern: str) -> str:
    """Return the normalized form of a name, or of a prefix with its trailing `*`."""
    return f"{normalize_name(pattern[:-1])}*" if is_prefix(pattern) else normalize_name(pattern)


def is_prefix(pattern: str) -> bool:
    """Whether `pattern` matches every name that starts with it (one trailing `*`) rather than one exact name."""
    return pattern.endswith("*")


class PatternSet:
    """Normalized patterns, asked which of them match all, or some, of what another pattern matches.

    Every answer is linear in the length of that pattern.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._sorted = sorted(set(patterns))
        self._patterns = frozenset(self._sorted)
        prefixes = {len(pattern) - 1 for pattern in self._patterns if is_prefix(pattern)}
        self._prefix_lengths = sorted(prefixes, reverse=True)

    def matching_all_of(self, pattern: str) -> Iterator[str]:
        """Yield the patterns that match everything that `pattern` matches, the narrowest first."""
        stem = pattern.removesuffix("*")
        if not is_prefix(pattern) and pattern in self._patterns:
            yield pattern
        for length in self._prefix_lengths:
            if length <= len(stem) and (wider := f"{stem[:length]}*") in self._patterns:
                yield wider

    def narrowest(self, pattern: str) -> str | None:
        """Return the narrowest of the patterns that match everything that `pattern` matches."""
        return next(self.matching_all_of(pattern), None)

    def any_within(self, pattern: str) -> bool:
        """Whether `pattern` matches everything that one of the patterns matches."""
        if not is_prefix(pattern):
            return pattern in self._patterns
        stem = pattern.removesuffix("*")
        # Names with a common start are neighbours.
        position = bisect_left(self._sorted, stem)
        return position < len(self._sorted) and self._sorted[position].startswith(stem)
