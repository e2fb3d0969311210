"""Identity headers from the authenticated user: their templates, and what they render to.

Pure functions over strings. A template is read once, when the server starts; a user is data, and nothing but the id,
the tenant and the lists of attributes is ever asked of it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from .decision import MissingIdentityError
from .field_names import is_field_value

_OPEN, _CLOSE = "${", "}"
_ATTRIBUTES = "user.attributes."
# Of an attribute: its name and which of its values. Bounded repetition, and no two parts match the same character.
_ATTRIBUTE = re.compile(r"([A-Za-z0-9_-]{1,64})\[(0|[1-9][0-9]?)\]")
_KNOWN = "known are ${user.id}, ${user.tenant} and, for one of a list, ${user.attributes.teams[0]}"
_SHOWN_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class User:
    """Whom the host authenticated. Shows nothing of it."""

    id: str | None = field(default=None, repr=False)
    tenant: str | None = field(default=None, repr=False)
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)


class _Placeholder(NamedTuple):
    """A `${user.…}` placeholder: id, tenant, or one value of an attribute."""

    part: str
    element: int | None = None

    def value(self, user: User) -> object:
        if self.element is None:
            return user.id if self.part == "id" else user.tenant
        values = user.attributes.get(self.part)
        # A string is a sequence, too, and its first character is nobody's team.
        return values[self.element] if isinstance(values, list | tuple) and self.element < len(values) else None


@dataclass(frozen=True, slots=True)
class Template:
    """The value of a header to set: literal text and placeholders, in order."""

    parts: tuple[str | _Placeholder, ...] = field(repr=False)

    @property
    def literal_length(self) -> int:
        """Length of the literal text in characters."""
        return sum(len(part) for part in self.parts if isinstance(part, str))

    @property
    def needs_user(self) -> bool:
        """Whether it has a placeholder."""
        return any(isinstance(part, _Placeholder) for part in self.parts)

    def render(self, user: User) -> str | None:
        """Return the value for a user; None where the user has not all that it asks for."""
        rendered: list[str] = []
        for part in self.parts:
            value = part if isinstance(part, str) else part.value(user)
            if type(value) is not str or not value:
                return None
            rendered.append(value)
        return "".join(rendered)


def parse_template(text: str) -> Template:
    """Return a template read from a run config.

    Raises:
        ValueError: it is not one. The message has the fault and the fix, and shows no literal text.

    """
    if not is_field_value(text) or not text:
        raise ValueError(
            "can never be sent: a header value is printable ASCII without leading or trailing white space, and not "
            "empty; write text and placeholders such as ${user.tenant}"
        )
    parts: list[str | _Placeholder] = []
    end = 0
    while (start := text.find(_OPEN, end)) >= 0:
        if start > end:
            parts.append(text[end:start])
        close = text.find(_CLOSE, start)
        if close < 0:
            raise ValueError(f"the '${{' at character {start + 1} has no '}}'; write ${{user.id}}, for example")
        parts.append(_placeholder(text[start + len(_OPEN) : close]))
        end = close + len(_CLOSE)
    if end < len(text):
        parts.append(text[end:])
    return Template(tuple(parts))


def _placeholder(inner: str) -> _Placeholder:
    if inner in ("user.id", "user.tenant"):
        return _Placeholder(inner.removeprefix("user."))
    if inner.startswith(_ATTRIBUTES):
        name = inner.removeprefix(_ATTRIBUTES)
        if found := _ATTRIBUTE.fullmatch(name):
            return _Placeholder(found[1], int(found[2]))
        if _ATTRIBUTE.fullmatch(f"{name}[0]"):
            raise ValueError(f"${{{inner}}} is a list; add an index, such as ${{{inner}[0]}} for the first value")
    shown = inner if len(inner) <= _SHOWN_CHARACTERS else f"{inner[:_SHOWN_CHARACTERS]}..."
    raise ValueError(f"${{{shown}}} is not a placeholder; {_KNOWN}")


class IdentityHeaderResult(StrEnum):
    """What becomes of an identity header from the authenticated caller. A closed set: a label's values."""

    __hash__ = str.__hash__

    SENT = "sent"
    OMITTED = "omitted"
    """The user lacks the value, and the request is sent without the header."""
    REJECTED = "rejected"
    """The caller has no such value, and nothing is sent to the provider."""


class MissingReason(StrEnum):
    """Why a header cannot be set for a caller."""

    ABSENT = "absent"
    """The host authenticated nobody, or somebody without the value that the header is made of."""
    UNUSABLE = "unusable"
    """The value is not printable ASCII, has white space at an edge, or is longer than `limits.max_value_bytes`."""


class MissingHeader(NamedTuple):
    """A header that the server cannot set for a caller."""

    name: str
    """As the policy spells it."""
    reason: MissingReason


@dataclass(frozen=True, slots=True)
class IdentityHeaders:
    """the identity headers on one request, from the authenticated user."""

    headers: Mapping[str, str] = field(repr=False)
    """Those to send. Empty where the request is rejected. Not shown in `repr`."""
    missing: tuple[MissingHeader, ...] = ()
    """Those that cannot be set."""
    rejected: bool = False
    """Whether the policy rejects the request for the missing ones."""

    def results(self) -> dict[str, IdentityHeaderResult]:
        """Return the result of each header; of a rejected request, only of the missing ones."""
        kind = IdentityHeaderResult.REJECTED if self.rejected else IdentityHeaderResult.OMITTED
        return {**dict.fromkeys(self.headers, IdentityHeaderResult.SENT), **{m.name: kind for m in self.missing}}

    def rejection(self, provider: str) -> MissingIdentityError | None:
        """Return the error of a rejected request, which names each missing header; None if the request is sent."""
        if not self.rejected:
            return None
        listed = ", ".join(f"{m.name} ({m.reason.value})" for m in self.missing)
        return MissingIdentityError(
            f"provider {provider!r} needs headers that the server cannot set for this caller, and nothing was sent to "
            f"it: {listed}"
        )


def render(templates: Mapping[str, Template], user: User, max_value_bytes: int, *, reject: bool) -> IdentityHeaders:
    """Return the identity headers for a user, and those that it cannot.

    Args:
        templates: by the name of the header.
        user: authenticated by the host; one without anything if there is none.
        max_value_bytes: a longer value counts as missing, like one that is not a field value: nothing is repaired.
        reject: whether a missing header rejects the request.

    """
    headers: dict[str, str] = {}
    missing: list[MissingHeader] = []
    for name, template in templates.items():
        value = template.render(user)
        if value is None:
            missing.append(MissingHeader(name, MissingReason.ABSENT))
        elif len(value) > max_value_bytes or not is_field_value(value):
            missing.append(MissingHeader(name, MissingReason.UNUSABLE))
        else:
            headers[name] = value
    rejected = reject and bool(missing)
    return IdentityHeaders({} if rejected else headers, tuple(missing), rejected)
