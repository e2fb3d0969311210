"""Keeps the values of extra headers out of spans that HTTP instrumentations and frameworks write to.

A span cannot be changed once it has ended, so the values are taken out on their way in: of captured request and
response headers, and of the exceptions that a span records. Only the values as they were sent are recognized, not
encoded or changed ones.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import ref

from opentelemetry.trace import Span, Status
from opentelemetry.util.types import AttributeValue

from . import contract

_MARK = "_extra_headers_redaction"
_PREFIXES = (contract.HTTP_REQUEST_HEADER_PREFIX, contract.HTTP_RESPONSE_HEADER_PREFIX)
_MIN_CHARACTERS_IN_TEXT = 6
"""A shorter value would be found in the line numbers and words of any exception."""


def redact(span: Span, names: Iterable[str], values: Iterable[str] = ()) -> None:
    """Overwrite headers in a span's attributes, those that are there and those that will be set.

    Args:
        span: recording.
        names: of headers, in any spelling.
        values: of headers, which a provider may repeat under another name or in an error.

    """
    state: dict[str, Any] | None = getattr(span, "__dict__", None)
    if state is None:
        return
    redaction = state.get(_MARK)
    if not isinstance(redaction, _Redaction):
        redaction = state[_MARK] = _Redaction(span)
        state["set_attribute"], state["set_attributes"] = redaction.set_attribute, redaction.set_attributes
        state["add_event"], state["set_status"] = redaction.add_event, redaction.set_status
    redaction.cover(names, values)
    # Reading attributes is the SDK's; the API can only write them.
    attributes: Mapping[str, AttributeValue] = getattr(span, "attributes", None) or {}
    if _may_have_captured(attributes):
        for key in [key for key in attributes if key.startswith(_PREFIXES)]:
            redaction.set_attribute(key, attributes[key])


class _Redaction:
    """Takes the place of the methods of one span that write text to it."""

    __slots__ = ("_covered", "_names", "_of_class", "_span", "_values", "_whole")

    def __init__(self, span: Span) -> None:
        self._span = ref(span)  # which refers to this object: a cycle would leave every span to the garbage collector
        self._of_class: Any = type(span)
        self._covered: list[tuple[Iterable[str], Iterable[str]]] = []
        self._names: frozenset[str] = frozenset()
        self._values: frozenset[str] = frozenset()
        self._whole: re.Pattern[str] | None = None

    def cover(self, names: Iterable[str], values: Iterable[str]) -> None:
        """Redact these names and values, too."""
        self._covered.append((names, values))

    def _look(self) -> None:
        """Read what is covered: not before it matters, because most spans have no captured header and no exception."""
        while self._covered:
            names, values = self._covered.pop()
            self._names = self._names.union(map(_comparable, names))
            self._values = self._values.union(filter(None, values))
            self._whole = None

    def set_attribute(self, key: str, value: Any) -> None:
        self._of_class.set_attribute(self._span(), key, self._redacted(key, value))

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        if _may_have_captured(attributes):
            attributes = {key: self._redacted(key, value) for key, value in attributes.items()}
        self._of_class.set_attributes(self._span(), attributes)

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        if attributes:
            attributes = {key: self._without_values(value) for key, value in attributes.items()}
        self._of_class.add_event(self._span(), name, attributes, timestamp)

    def set_status(self, status: Any, description: str | None = None) -> None:
        if isinstance(status, Status) and status.description:
            status = Status(status.status_code, self._without_values(status.description))
        self._of_class.set_status(self._span(), status, self._without_values(description))

    def _redacted(self, key: str, value: Any) -> Any:
        """Return what a header's attribute may show: nothing, if its name is covered or a value is part of it."""
        if not key.startswith(_PREFIXES):
            return value
        prefix = next(prefix for prefix in _PREFIXES if key.startswith(prefix))
        self._look()
        texts = [value] if isinstance(value, str) else value
        if _comparable(key.removeprefix(prefix)) in self._names or any(self._has_value(text) for text in texts):
            return [contract.REDACTED]
        return value

    def _has_value(self, text: object) -> bool:
        if not self._values or not isinstance(text, str):
            return False
        if self._whole is None:
            # Not within a longer word or number: `1` is not part of `content-length: 21`.
            alternatives = "|".join(map(re.escape, self._values))
            self._whole = re.compile(f"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])")
        return self._whole.search(text) is not None

    def _without_values[T](self, text: T) -> T | str:
        if not isinstance(text, str):
            return text
        self._look()
        shown: str = text
        for value in sorted(self._values, key=len, reverse=True):
            if len(value) >= _MIN_CHARACTERS_IN_TEXT:
                shown = shown.replace(value, contract.REDACTED)
        return shown


def _may_have_captured(attributes: Iterable[str]) -> bool:
    """Return whether a key may be that of a captured header: one look at all keys, because most spans have none."""
    return ".header." in "\n".join(attributes)


def _comparable(header_name: str) -> str:
    """Return a name as instrumentations spell it: they differ in `-` or `_`, and in case."""
    return header_name.lower().replace("-", "_")
