"""Where extra headers get onto a provider's outbound calls: a mixin for the common path, one for each way off it.

Which ones a provider needs is detected on its built-in class. What none of them covers is an error at start-up. Each
point is asked at every call, before anything is sent, and none puts a caller's header into an object that outlives the
call or that another caller shares.
"""

import inspect
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, wraps
from importlib import import_module
from types import FunctionType, SimpleNamespace, new_class
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from extra_headers.telemetry.origins import note_provider_urls

from ..client_headers import HTTP_CLIENT_NAMES, client_header_names, copy_of
from ..enforcement import OutboundHeaders, OutboundRequest
from ..http_state import protect, protected_settings
from .adhoc_clients import can_have_headers, clients_made_by, with_session_headers
from .binding import ProviderBinding
from .forwarder import server_side_call
from .genai import GenaiModels, genai_headers, genai_request, protect_genai
from .request_body import GENAI_CONFIG, ON_THE_WIRE, OPENAI_CALL, SdkOptions, guarded

# Calls that the server makes of its own accord, though it may do so while it handles a request.
_SERVER_SIDE_METHODS = ("list_models", "list_provider_model_ids", "check_model_availability", "health")
# What the host calls besides endpoints. None reaches a provider but through the methods above.
_LIFECYCLE_METHODS = ("initialize", "shutdown", "register_model", "unregister_model", "should_refresh_models")
# Methods that fetch a credential from elsewhere (IBM's IAM), on the way to a call that does carry the headers.
_CREDENTIAL_METHODS = ("_refresh_iam_token",)


class UnsupportedProviderError(ValueError):
    """`extra_headers` is set on a provider, or on a provider with an endpoint, that cannot carry them."""


def make_forwarding(provider: Any, binding: ProviderBinding, openai_mixin: type[Any], provider_type: str) -> None:
    """Give an adapter the class that forwards, and its binding.

    Raises:
        UnsupportedProviderError: some of the adapter's calls to the provider cannot carry the headers.

    """
    classes: tuple[Any, Any] = (type(provider), openai_mixin)  # mypy takes no class for hashable
    provider.__class__ = forwarding_class(*classes, provider_type)
    # Past the adapter's own `__setattr__`, which takes fields only where it is pydantic's.
    vars(provider)["__extra_headers__"] = binding


@cache
def forwarding_class(base: type[Any], openai_mixin: type[Any], provider_type: str) -> type[Any]:
    """Return a subclass of a built-in adapter that forwards; one for all its instances.

    Raises:
        UnsupportedProviderError: some of the adapter's calls to the provider cannot carry the headers.

    """
    mixins = _mixins(base, openai_mixin, provider_type)
    shared, options = mixins[-1].intercepts, mixins[-1].sdk_options
    # The host tells the adapters with a native path of their own (Google's Interactions) by the module of their class.
    namespace: dict[str, Any] = {"__module__": base.__module__}
    for name in _SERVER_SIDE_METHODS:
        if method := getattr(base, name, None):
            namespace[name] = _as_server_side(method)
    for name in _endpoints(base):
        method = inspect.getattr_static(base, name)
        if clients := clients_made_by(base, name, {*shared, *_CREDENTIAL_METHODS}):
            if not can_have_headers(name, clients):
                raise UnsupportedProviderError(
                    f"extra_headers is set on a provider of type {provider_type}, whose {name} makes its calls through "
                    "an HTTP client that the add-on does not know; remove extra_headers there"
                )
            method = _with_session_headers(method)
        namespace[name] = guarded(method, options)
    return new_class(base.__name__, (*mixins, base), exec_body=lambda body: body.update(namespace))


def _mixins(base: type[Any], openai_mixin: type[Any], provider_type: str) -> list[type[Any]]:
    """Return the mixins for an adapter; the last one for the client of most of its calls."""
    if issubclass(base, openai_mixin) and isinstance(inspect.getattr_static(base, "client"), property):
        optional = [_NativeAnthropic, _NativeGoogle]
        mixins = [mixin for mixin in optional if all(hasattr(base, name) for name in mixin.intercepts)]
        return [*mixins, _SharedClient]
    for mixin in (_ClientForEachCall, _GenaiClient):
        if all(hasattr(base, name) for name in mixin.intercepts) and mixin.client_class in _globals_of(base):
            return [mixin]
    raise UnsupportedProviderError(
        f"extra_headers is set on a provider of type {provider_type}, which makes its calls through a client that the "
        "add-on does not know; remove extra_headers there"
    )


def _globals_of(base: type[Any]) -> set[str]:
    """Return the modules and names, as `module.name`, of the classes that an adapter's own module uses."""
    values = vars(import_module(base.__module__)).values()
    return {f"{value.__module__}.{value.__name__}" for value in values if inspect.isclass(value)}


def _endpoints(base: type[Any]) -> Iterator[str]:
    for name in dir(base):
        if name.startswith("_") or name in _SERVER_SIDE_METHODS or name in _LIFECYCLE_METHODS:
            continue
        if inspect.iscoroutinefunction(inspect.getattr_static(base, name)):
            yield name


class Forwarding:
    """What every mixin has: the binding, and the id that the host gives the provider."""

    intercepts: ClassVar[set[str]] = set()
    """The members of an adapter that the mixin overrides."""
    sdk_options: ClassVar[SdkOptions] = ON_THE_WIRE
    """What the adapter would hand to its SDK of the fields of a body that it does not know."""
    if TYPE_CHECKING:  # a class with fields would make one of it
        __extra_headers__: ProviderBinding

    @property
    def __provider_id__(self) -> str:
        if (provider_id := self.__extra_headers__.provider_id) is None:
            raise AttributeError("__provider_id__")
        return provider_id

    @__provider_id__.setter
    def __provider_id__(self, provider_id: str) -> None:
        self.__extra_headers__.bind(provider_id)
        note_provider_urls(provider_id, _urls_in(getattr(self, "config", None)))

    def _http_call(self, own_headers: Mapping[str, str] | None) -> OutboundRequest:
        # Not every adapter has an address of its own; it only tells which spans are those of the call.
        base_url = str(self.get_base_url()) if hasattr(self, "get_base_url") else ""
        return OutboundRequest(HTTP_CLIENT_NAMES.union(own_headers or ()), base_url)


def _urls_in(setting: Any) -> Iterator[str]:
    """Yield the URLs in a provider's config: some types have other hosts than `base_url` for some endpoints."""
    if isinstance(setting, BaseModel):
        setting = dict(setting)
    if isinstance(setting, Mapping):
        setting = list(setting.values())
    if isinstance(setting, list | tuple):
        for value in setting:
            yield from _urls_in(value)
    elif "://" in (url := str(setting)):
        yield url


class _SharedClient(Forwarding):
    """For adapters on the host's OpenAI base class: its client, and its settings for ad-hoc HTTP clients."""

    intercepts: ClassVar[set[str]] = {"client", "_build_httpx_client_kwargs"}

    @property
    def client(self) -> Any:
        """The host's client, or a copy for this call that shares its connections and adds the headers."""
        client = super().client  # type: ignore[misc]
        if (forwarder := self.__extra_headers__.forwarder) is None:
            return client
        protect(client._client)  # noqa: SLF001 - the SDK has no public name for its HTTP client
        headers = forwarder.headers(lambda: self._sdk_call(client))
        return client if headers is None else copy_of(client, default_headers=_for_sdk(client, headers))

    def _build_httpx_client_kwargs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        client_kwargs: dict[str, Any] = super()._build_httpx_client_kwargs(*args, **kwargs)  # type: ignore[misc]
        if (forwarder := self.__extra_headers__.forwarder) is None:
            return client_kwargs
        call = self._http_call(client_kwargs.get("headers"))
        forwarder.headers(lambda: call)  # before the answer begins, so that a rejected request gets its status code
        return protected_settings(client_kwargs, lambda: forwarder.headers(lambda: call))

    def _sdk_call(self, client: Any) -> OutboundRequest:
        # llama-stack has no headers of its own for single calls.
        for_this_call: Mapping[str, str] | None = getattr(self, "_get_extra_request_headers", dict)()
        call = _call_of(client)
        return call._replace(names=call.names.union(for_this_call)) if for_this_call else call


class _NativeAnthropic(Forwarding):
    """For a native Anthropic Messages path, which builds its HTTP client once the answer has begun."""

    intercepts: ClassVar[set[str]] = {"_anthropic_headers"}

    def _anthropic_headers(self) -> dict[str, str]:
        # Asked before the answer begins, so that a rejected request still gets its status code.
        self._build_httpx_client_kwargs()  # type: ignore[attr-defined]
        return super()._anthropic_headers()  # type: ignore[misc, no-any-return]


class _NativeGoogle(Forwarding):
    """For Google's native Interactions path: the host makes its client, and asks the adapter for the credentials."""

    intercepts: ClassVar[set[str]] = {"get_passthrough_auth_headers"}

    def get_passthrough_auth_headers(self) -> dict[str, str]:
        """Return the provider's credentials, with the headers for this call beside them."""
        own: dict[str, str] = super().get_passthrough_auth_headers()  # type: ignore[misc]
        forwarder = self.__extra_headers__.forwarder
        # Without credentials the host does not take this path.
        if forwarder is None or not own:
            return own
        network = self.config.network  # type: ignore[attr-defined]
        operators = (network and network.headers) or {}
        headers = forwarder.headers(lambda: self._http_call({**operators, **own}))
        return own if headers is None else headers.merged_with(own)


class _ClientForEachCall(Forwarding):
    """For adapters that make a new openai client for each call (passthrough)."""

    intercepts: ClassVar[set[str]] = {"_get_openai_client"}
    client_class: ClassVar[str] = "openai.AsyncOpenAI"
    sdk_options = OPENAI_CALL

    def _get_openai_client(self) -> Any:
        client = super()._get_openai_client()  # type: ignore[misc]
        if (forwarder := self.__extra_headers__.forwarder) is None:
            return client
        protect(client._client)  # noqa: SLF001 - as above
        headers = forwarder.headers(lambda: _call_of(client))
        # The adapter's own headers hold the credential, so the SDK finds none where it looks for one.
        if headers is None:
            return client
        return copy_of(client, default_headers=_for_sdk(client, headers), _enforce_credentials=False)


class _GenaiClient(Forwarding):
    """For adapters that speak through Google's SDK (vertexai), whose calls take headers in their `config`."""

    intercepts: ClassVar[set[str]] = {"_get_client"}
    client_class: ClassVar[str] = "google.genai.client.Client"
    sdk_options = GENAI_CONFIG

    def _get_client(self) -> Any:
        client = super()._get_client()  # type: ignore[misc]
        if (forwarder := self.__extra_headers__.forwarder) is None:
            return client
        protect_genai(client)
        headers = forwarder.headers(lambda: genai_request(client))
        if headers is None:
            return client
        models = GenaiModels(client, headers.matching_spelling_of(genai_headers(client)))
        return SimpleNamespace(aio=SimpleNamespace(models=models))


def _for_sdk(client: Any, headers: OutboundHeaders) -> dict[str, str]:
    return headers.matching_spelling_of(client.default_headers if headers.identity_headers else ()).merged_with()


# A client's own headers do not change; the host makes a new client for another key or address.
_call_by_client: weakref.WeakKeyDictionary[Any, OutboundRequest] = weakref.WeakKeyDictionary()


def _call_of(client: Any) -> OutboundRequest:
    if (call := _call_by_client.get(client)) is None:
        call = _call_by_client[client] = OutboundRequest(client_header_names(client), str(client.base_url))
    return call


def _with_session_headers(function: FunctionType) -> Callable[..., Awaitable[Any]]:
    headers: ContextVar[OutboundHeaders | None] = ContextVar("extra_headers_of_session", default=None)
    changed = with_session_headers(function, headers)

    @wraps(function)
    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (forwarder := self.__extra_headers__.forwarder) is None:
            return await function(self, *args, **kwargs)
        headers.set(forwarder.headers(lambda: self._http_call(None)))
        return await changed(self, *args, **kwargs)

    return wrapper


def _as_server_side(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(method)
    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        with server_side_call():
            return await method(self, *args, **kwargs)

    return wrapper
