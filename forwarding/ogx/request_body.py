"""Fields of a request body that would become headers or options of the outbound request: taken out before the call.

Callers choose the fields of a body, and a host passes those that it does not know on. An adapter that spreads them over
the arguments of an SDK's method lets them set what the SDK calls its own options there. Headers in them are extra
headers like any other; an option is nobody's to set but the server's.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from functools import partial, wraps
from inspect import markcoroutinefunction
from typing import Any, NamedTuple

from ..policy.provider_data import NOT_AN_OBJECT, merged
from .forwarder import BodyHeaders, call_with_body

_EXTRA = "__pydantic_extra__"
"""What pydantic's `model_extra` returns. Asking each value whether it is a model would take longer than the rest."""


class SdkOptions(NamedTuple):
    """The names that an adapter would hand to its SDK as options of the call."""

    headers: frozenset[str] = frozenset({"extra_headers"})
    """Hold headers by name. Taken out on every provider type: the provider may read them, too, as LiteLLM does."""
    options: frozenset[str] = frozenset()
    nested: frozenset[str] = frozenset()
    """Contain options by name, including `headers`."""

    def taken_out(self, extra: Mapping[str, Any]) -> BodyHeaders | None:
        """Return what a body's unknown fields contain of these; None for nothing."""
        sources = [extra[name] for name in self.headers if name in extra]
        options = [name for name in self.options if extra.get(name) is not None]
        for name in self.nested:
            value = extra.get(name)
            if isinstance(value, Mapping):
                sources.append(value.get("headers"))
                options += [f"{name}.{key}" for key, each in value.items() if key != "headers" and each is not None]
            elif value is not None:
                sources.append(NOT_AN_OBJECT)
        headers = merged((), *(source for source in sources if source != {}))
        return BodyHeaders(headers, tuple(sorted(options))) if headers is not None or options else None

    @property
    def names(self) -> frozenset[str]:
        """All names."""
        return self.headers | self.options | self.nested


ON_THE_WIRE = SdkOptions()
"""For adapters that put unknown fields into the JSON that the provider receives."""
OPENAI_CALL = SdkOptions(options=frozenset({"extra_query", "extra_body", "timeout"}))
"""For adapters that spread a body over the arguments of openai's `create`."""
GENAI_CONFIG = SdkOptions(nested=frozenset({"http_options", "httpOptions"}))
"""For adapters that put unknown fields into the configuration of a call of Google's SDK."""


def guarded(method: Callable[..., Awaitable[Any]], options: SdkOptions) -> Callable[..., Awaitable[Any]]:
    """Return an adapter's endpoint that is called without these fields, and decides on the headers in them."""

    # Hands out the method's own coroutine: one around it would be resumed whenever that one is, on every request.
    @markcoroutinefunction
    @wraps(method)
    def endpoint(self: Any, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        extra = [value for value in (*args, *kwargs.values()) if getattr(value, _EXTRA, None)]
        if not extra or self.__extra_headers__.forwarder is None:
            return method(self, *args, **kwargs)
        found: list[BodyHeaders] = []
        args = tuple(_without(value, options, found) for value in args)
        kwargs = {name: _without(value, options, found) for name, value in kwargs.items()}
        call = partial(method, self, *args, **kwargs)
        return _with_body(call, found[0]) if found else call()

    return endpoint


async def _with_body(call: Callable[[], Awaitable[Any]], body: BodyHeaders) -> Any:
    with call_with_body(body):
        answer = await call()
    return _streamed(answer, body) if isinstance(answer, AsyncIterator) else answer


async def _streamed(answer: AsyncIterator[Any], body: BodyHeaders) -> AsyncIterator[Any]:
    """Yield a streamed answer; some adapters make the outbound request only when its first part is asked for."""
    try:
        while True:
            with call_with_body(body):
                try:
                    part = await anext(answer)
                except StopAsyncIteration:
                    return
            yield part
    finally:
        if isinstance(answer, AsyncGenerator):
            await answer.aclose()


def _without(value: Any, options: SdkOptions, found: list[BodyHeaders]) -> Any:
    extra = getattr(value, _EXTRA, None)
    if not extra or options.names.isdisjoint(extra):
        return value
    if (body := options.taken_out(extra)) is not None:
        found.append(body)
    copy = value.model_copy()
    copy.__pydantic_extra__ = {name: each for name, each in extra.items() if name not in options.names}
    return copy
