"""What the caller of the current request sent for each provider, for as long as the request lasts.

Knows neither a policy nor a client. `ExtraHeaders` declares what its provider reads; nothing else of a request is kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..policy.provider_data import headers_in, merged, names_of, read_fields, taken_from_request


@dataclass(frozen=True, slots=True)
class _Declared:
    """What the providers of this process read of a request."""

    fields: frozenset[str] = frozenset()
    """Keys of the provider data."""
    plain: Mapping[bytes, str] = field(default_factory=dict)
    """Plain request headers, in lower case: as on the wire, and as text."""


_declared = _Declared()


def declare(provider_field: str, from_request: Mapping[str, str]) -> None:
    """Keep, of each request to come, one field of the provider data and the plain headers that a policy takes up."""
    global _declared  # noqa: PLW0603 - replaced as a whole, so that a request sees one state of it
    plain = {name.encode("ascii"): name for name in from_request}
    _declared = _Declared(_declared.fields | {provider_field}, {**_declared.plain, **plain})


def declared() -> _Declared:
    """Return what the providers of this process read of a request."""
    return _declared


class CallerHeaders:
    """What one caller sent for one provider, not decided on yet. Shows nothing of it; hand it to `with_headers`."""

    __slots__ = ("_request", "_value", "from_request")

    def __init__(self, value: object, from_request: Iterable[str] = (), request: "CallerRequest | None" = None) -> None:
        self._value = value
        self._request = request
        self.from_request = tuple(from_request)
        """Names of the headers that came as plain headers of the request."""

    @property
    def value(self) -> object:
        """The headers as decoded from JSON.

        Raises:
            RuntimeError: the request is over.

        """
        if self._request is not None:
            self._request.raise_if_over()
        return self._value


class CallerRequest:
    """One request: what it contains for the providers, until it is over.

    Args:
        provider_data: as decoded; None where it cannot be read.
        plain: its own headers that some provider takes up, names in lower case, in order of arrival.

    """

    def __init__(self, provider_data: Mapping[str, object] | None, plain: Iterable[tuple[str, str]]) -> None:
        self._declared = _declared
        self._fields = None if provider_data is None else read_fields(provider_data, _declared.fields)
        self._plain = tuple(plain)
        self._over = False

    def headers(self, provider_field: str, from_request: Mapping[str, str]) -> CallerHeaders | None:
        """Return what the caller sent for one provider; None for nothing.

        Raises:
            RuntimeError: the request is over, or began before anyone declared that field.

        """
        self.raise_if_over()
        if provider_field not in self._declared.fields:
            raise RuntimeError(
                f"nobody read {provider_field!r} when this request began; make each `ExtraHeaders` when the service "
                "starts, not in a request"
            )
        plain = taken_from_request(self._plain, from_request)
        value = merged((), headers_in(self._fields, provider_field), plain)
        return None if value is None else CallerHeaders(value, names_of(plain), self)

    def raise_if_over(self) -> None:
        """Raise where the request is over.

        Raises:
            RuntimeError: it is.

        """
        if self._over:
            raise RuntimeError(
                "the request whose extra headers are asked for is over; a task that outlives its request must not send "
                "the caller's headers"
            )

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the current request for what is called within; then forget all of it.

        Tasks that the request leaves behind have a copy of its context.
        """
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self._over, self._fields, self._plain = True, None, ()


_current: ContextVar[CallerRequest | None] = ContextVar("extra_headers_caller_request", default=None)


def headers_of_current_request(provider_field: str, from_request: Mapping[str, str]) -> CallerHeaders | None:
    """Return what the caller of the current request sent for one provider; None for nothing.

    Raises:
        RuntimeError: the middleware is missing, or the request is over.

    """
    if (request := _current.get()) is None:
        raise RuntimeError("there is no ProviderDataMiddleware around this code, so nobody decoded the provider data")
    return request.headers(provider_field, from_request)
