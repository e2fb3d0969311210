"""One request of a caller: what it sent for the providers, and what was decided on it.

The host decodes a provider-data header to a dict that it hands around by a context variable, and sometimes copies. It
forgets a header that is not a JSON object, keeps the last of two equal keys, and never sees plain headers again. So a
`RequestState` is put into that dict under its own key: it is there wherever the host takes up the request again
(background responses, batches), and distinguishes two requests where two dicts may be copies of one.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, wraps
from types import ModuleType
from typing import Any

from pydantic import ConfigDict

from extra_headers.telemetry.recorder import record_unread_field
from extra_headers.telemetry.spans import request_started

from ..policy.provider_data import (
    JSON_WHITE_SPACE,
    NOT_AN_OBJECT,
    decode_object,
    headers_in,
    read_fields,
    taken_from_request,
    unread_fields,
)

# A caller can send this key, but no value of that type.
_STATE_KEY = "__extra_headers_request"
_HOOK = "_extra_headers_hook"

type ProviderData = dict[str, Any]
type _RawHeaders = Sequence[tuple[bytes, bytes]]


@dataclass(slots=True, eq=False)
class RequestState:
    """One request. Shows nothing of it."""

    malformed: bool = False
    """Whether its provider data cannot be read."""
    fields: Mapping[str, object] | None = field(default=None, repr=False)
    """The provider data under the keys that some provider reads, equal keys kept; None for provider data that this
    module did not decode."""
    plain: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Its own headers that some provider takes up: names in lower case, in order of arrival."""
    decisions: dict[object, Any] = field(default_factory=dict, repr=False)
    """What was decided, by what it depends on."""

    def headers(self, provider_data: Mapping[str, object], key: str) -> object | None:
        """Return the extra headers in the provider data under `key`; None where there are none.

        Where they are malformed beyond being read, the answer is an object that is not a mapping.
        """
        if self.malformed:
            return NOT_AN_OBJECT
        return headers_in(provider_data if self.fields is None else self.fields, key)

    def taken_up(self, from_request: Mapping[str, str]) -> object | None:
        """Return the plain headers that a policy takes up, under the names to send; None where there are none."""
        return taken_from_request(self.plain, from_request)

    def next_turn(self) -> "RequestState":
        """Return the state of another request with the same headers."""
        return RequestState(self.malformed, self.fields, self.plain)


class _Received:
    """What a request's own task knows of it, until the host has read its provider data."""

    __slots__ = ("headers", "path")

    def __init__(self, headers: _RawHeaders, path: str) -> None:
        self.headers = headers
        self.path = path


_NOTHING_RECEIVED = _Received((), "")


class RequestHook:
    """Puts a `RequestState` into each request of a host, and gives out that of the current one.

    Args:
        request_headers: the host's module of that name.
        provider_data_header: the header that the host decodes.
        other_headers: provider-data headers of other hosts, which nobody reads here.

    """

    def __init__(
        self,
        request_headers: ModuleType,
        provider_data_header: str,
        other_headers: Sequence[str],
    ) -> None:
        self._module: Any = request_headers
        self._header = provider_data_header
        self._lower_header = provider_data_header.lower()
        self._header_bytes = self._lower_header.encode("ascii")
        self._other = {name.lower().encode("ascii") for name in other_headers}
        self._installed = False
        self._fields: set[str] = set()
        self._plain: dict[bytes, str] = {}
        self._looked_for = {self._header_bytes, *self._other}
        self._received: ContextVar[_Received] = ContextVar("extra_headers_received", default=_NOTHING_RECEIVED)

    @classmethod
    def of(cls, request_headers: ModuleType, provider_data_header: str, other_headers: Sequence[str]) -> "RequestHook":
        """Return the hook of a host: one for each process, like the module."""
        hook: RequestHook | None = getattr(request_headers, _HOOK, None)
        if hook is None:
            hook = cls(request_headers, provider_data_header, other_headers)
            setattr(request_headers, _HOOK, hook)
        return hook

    def read(self, key: str, from_request: Mapping[str, str]) -> None:
        """Keep, of each request to come, the provider data under a key and the plain headers that a policy takes up."""
        self._fields.add(key)
        self._plain |= {name.lower().encode("ascii"): name.lower() for name in from_request}
        self._looked_for.update(self._plain)

    @property
    def path(self) -> str:
        """The path of the current request; empty outside of one."""
        return self._received.get().path

    def has_nothing(self, key: str) -> bool:
        """Return whether the current request has nothing under `key`, and no plain headers that some provider takes up.

        Most requests have nothing, so they are recognized with the least work.
        """
        provider_data: ProviderData | None = self._module.PROVIDER_DATA_VAR.get()
        return not provider_data or (_STATE_KEY not in provider_data and key not in provider_data)

    def current(self) -> tuple[ProviderData | None, RequestState]:
        """Return the provider data and the state of the current request; outside of one, none and an empty state."""
        provider_data: ProviderData | None = self._module.PROVIDER_DATA_VAR.get()
        if provider_data is None:
            return None, RequestState()
        state = provider_data.get(_STATE_KEY)
        if not isinstance(state, RequestState):
            # None, or provider data that came by another way than a header.
            return provider_data, RequestState()
        return provider_data, state

    def keep(self, provider_data: ProviderData, state: RequestState) -> None:
        """Keep a state for the calls that follow: in the dict that lives as long as the request."""
        provider_data[_STATE_KEY] = state

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Treat what is called within as a separate request: a WebSocket has one handshake and many turns."""
        provider_data, state = self.current()
        token = self._module.PROVIDER_DATA_VAR.set({**(provider_data or {}), _STATE_KEY: state.next_turn()})
        try:
            yield
        finally:
            self._module.PROVIDER_DATA_VAR.reset(token)

    def install(self, middleware: type[Any], websocket_routes: Any = None) -> None:
        """Record what each request to come sends; has an effect once for each process.

        Args:
            middleware: the host's ASGI middleware that reads provider data: the last place that knows a request's
                headers as they came.
            websocket_routes: the host's module with Responses over WebSocket, where it has one.

        """
        if self._installed:
            return
        self._installed = True
        self._module.parse_request_provider_data = self._recording(self._module.parse_request_provider_data)
        self._module.instantiate_class_type = _showing_no_input(self._module.instantiate_class_type)
        middleware.__call__ = self._keeping_raw_headers(middleware.__call__)
        if (turn := getattr(websocket_routes, "_handle_ws_responses_turn", None)) is not None:
            websocket_routes._handle_ws_responses_turn = self._as_turn(turn)  # noqa: SLF001 - the host's

    def _recording(self, decode: Callable[[Mapping[str, str]], ProviderData | None]) -> Callable[..., Any]:
        @wraps(decode)
        def parse_request_provider_data(headers: Mapping[str, str]) -> ProviderData | None:
            received = self._received.get()
            # Tasks that the request starts inherit its context, and may outlive it.
            raw, received.headers = received.headers, ()
            # The two spellings that the hosts look for, in their order.
            text = headers.get(self._header) or headers.get(self._lower_header) or ""
            state = None
            if text or not self._looked_for.isdisjoint([name.lower() for name, _ in raw]):
                state = self._state(text, raw)
            if state is None:
                return decode(headers)
            # The host logs what it cannot decode. Deep nesting and endless numbers raise in its decoder.
            decoded = None
            with contextlib.suppress(ValueError, RecursionError):
                decoded = decode(headers)
            return {_STATE_KEY: state} if state.malformed else {**(decoded or {}), _STATE_KEY: state}

        return parse_request_provider_data

    def _state(self, text: str, raw: _RawHeaders) -> RequestState | None:
        """Return the state of a request; None for one with nothing for any provider."""
        plain: list[tuple[str, str]] = []
        lines = 0
        for name, value in raw:
            lowered = name.lower()
            if (listed := self._plain.get(lowered)) is not None:
                plain.append((listed, value.decode("latin-1")))
            lines += lowered == self._header_bytes
            if lowered in self._other:
                record_unread_field(lowered.decode("ascii"))
        has_data = lines > 1 or (bool(text) and text.strip(JSON_WHITE_SPACE) != "null")
        if not has_data and not plain:
            return None
        request_started([self._header, *{name for name, _ in plain}])
        if not has_data:
            return RequestState(fields={}, plain=tuple(plain))
        decoded = None if lines > 1 else decode_object(text)
        for key in unread_fields(decoded, self._fields):
            record_unread_field(key)
        kept = {} if decoded is None else read_fields(decoded, self._fields)
        return RequestState(decoded is None, kept, tuple(plain))

    def _keeping_raw_headers(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        async def __call__(middleware: Any, scope: Any, receive: Any, send: Any) -> Any:  # noqa: N807 - the host's
            token = self._received.set(_Received(scope.get("headers", ()), scope.get("path", "")))
            try:
                return await call(middleware, scope, receive, send)
            finally:
                self._received.reset(token)

        return __call__

    def _as_turn(self, handle: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handle)
        async def handle_turn(*args: Any, **kwargs: Any) -> Any:
            with self.turn():
                return await handle(*args, **kwargs)

        return handle_turn


def _showing_no_input(load: Callable[[str], type[Any]]) -> Callable[[str], type[Any]]:
    """Return a loader of provider-data validators whose errors do not show what the caller sent: the host logs them.

    Those of all providers: each is given the whole provider data, whatever of it is meant for another.
    """

    @cache
    def load_validator(path: str) -> type[Any]:
        base = load(path)
        namespace = {"model_config": ConfigDict(hide_input_in_errors=True), "__module__": base.__module__}
        return type(base.__name__, (base,), namespace)

    return load_validator
