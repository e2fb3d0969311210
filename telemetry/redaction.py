"""Keeps the values of extra headers out of spans that HTTP instrumentations and frameworks write to.

A span cannot be changed once it has ended, so the values are taken out on their way in: of captured request and
response headers, and of the exceptions that a span records. Only the values as they were sent are recognized, not
encoded or changed ones.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from opentelemetry.trace import Span, Status

from . import contract

_CALLS = "_extra_headers_redactions"
_COVERED = "_extra_headers_covered"
_PREFIXES = (contract.HTTP_REQUEST_HEADER_PREFIX, contract.HTTP_RESPONSE_HEADER_PREFIX)
_MIN_CHARACTERS_IN_TEXT = 6
"""A shorter value would be found in the line numbers and words of any exception."""


def redact(span: Span, names: Collection[str], values: Collection[str] = ()) -> None:
    """Overwrite headers in a span's attributes, those that are there and those that will be set.

    Args:
        span: recording.
        names: of headers, in any spelling.
        values: of headers, which a provider may repeat under another name or in an error.

    """
    state: dict[str, Any] | None = getattr(span, "__dict__", None)
    if state is None:
        return
    if _CALLS not in state:
        # Methods set on the span would refer to it, and a cycle leaves every span to the garbage collector.
        try:
            object.__setattr__(span, "__class__", _redacting(type(span)))
        except TypeError:  # nothing may be derived from it: of no SDK, and not worth a request
            return
        state[_CALLS] = []
    state[_CALLS].append((names, values))
    # Reading attributes is the SDK's; the API can only write them.
    attributes: Any = getattr(span, "attributes", None) or {}
    if hasattr(attributes, "copy"):
        attributes = attributes.copy()  # to iterate the SDK's is slow
    if _may_have_captured(attributes):
        for key in [key for key in attributes if key.startswith(_PREFIXES)]:
            span.set_attribute(key, attributes[key])


@cache
def _redacting(of: Any) -> type:
    """Return a class of spans whose methods that write text redact it first."""

    def set_attribute(span: Any, key: str, value: Any) -> None:
        of.set_attribute(span, key, _redacted(span, key, value))

    def set_attributes(span: Any, attributes: Mapping[str, Any]) -> None:
        if _may_have_captured(attributes):
            attributes = {key: _redacted(span, key, value) for key, value in attributes.items()}
        of.set_attributes(span, attributes)

    def add_event(
        span: Any, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        if attributes:
            attributes = {key: _without_values(span, value) for key, value in attributes.items()}
        of.add_event(span, name, attributes, timestamp)

    def set_status(span: Any, status: Any, description: str | None = None) -> None:
        if isinstance(status, Status) and status.description:
            status = Status(status.status_code, _without_values(span, status.description))
        of.set_status(span, status, _without_values(span, description))

    methods = (set_attribute, set_attributes, add_event, set_status)
    # Without slots it has the layout of the class, which it can then replace.
    return type(of.__name__, (of,), {"__slots__": (), **{method.__name__: method for method in methods}})


class _Covered(NamedTuple):
    """What a span must not show."""

    calls: int
    """Of `redact` for the span."""
    names: frozenset[str]
    values: frozenset[str]
    whole: re.Pattern[str] | None
    """A value that is not within a longer word or number: `1` is not part of `content-length: 21`."""


def _covered(span: Any) -> _Covered:
    """Return what a span must not show: only where it matters, because most have no captured header or exception."""
    state = span.__dict__
    calls = state[_CALLS]
    covered: _Covered | None = state.get(_COVERED)
    if covered is None or covered.calls != len(calls):
        names = frozenset(_comparable(name) for names, _ in calls for name in names)
        values = frozenset(value for _, values in calls for value in values if value)
        alternatives = "|".join(map(re.escape, values))
        whole = re.compile(f"(?<![A-Za-z0-9])(?:{alternatives})(?![A-Za-z0-9])") if values else None
        covered = state[_COVERED] = _Covered(len(calls), names, values, whole)
    return covered


def _redacted(span: Any, key: str, value: Any) -> Any:
    """Return what a header's attribute may show: nothing, if its name is covered or a value is part of it."""
    if not key.startswith(_PREFIXES):
        return value
    name = key.removeprefix(next(prefix for prefix in _PREFIXES if key.startswith(prefix)))
    covered = _covered(span)
    texts = [value] if isinstance(value, str) else value
    if _comparable(name) in covered.names or (
        covered.whole is not None and any(isinstance(text, str) and covered.whole.search(text) for text in texts)
    ):
        return [contract.REDACTED]
    return value


def _without_values[T](span: Any, text: T) -> T | str:
    """Return a text with none of the values in it that are long enough to be recognized; anything else as it is."""
    if not isinstance(text, str):
        return text
    shown: str = text
    for value in sorted(_covered(span).values, key=len, reverse=True):
        if len(value) >= _MIN_CHARACTERS_IN_TEXT:
            shown = shown.replace(value, contract.REDACTED)
    return shown


def _may_have_captured(attributes: Iterable[str]) -> bool:
    """Return whether a key may be that of a captured header: one look at all keys, because most spans have none."""
    return ".header." in "\n".join(attributes)


def _comparable(header_name: str) -> str:
    """Return a name as instrumentations spell it: they differ in `-` or `_`, and in case."""
    return header_name.lower().replace("-", "_")
