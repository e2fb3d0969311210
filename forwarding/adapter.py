"""The host's built-in providers with extra headers: their config class plus one field, their adapter plus a mixin.

Nothing here is written for one provider type. The host resolves a config class and a provider-data validator by a
dotted path, so this module makes both when asked for; a provider type that nobody configures is never imported.
"""

import inspect
import weakref
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, wraps
from types import new_class
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, create_model

from extra_headers.forwarding.forwarder import Forwarder, OutboundCall, server_side_call
from extra_headers.forwarding.host import Host, current_host
from extra_headers.forwarding.policy import parse_policy
from extra_headers.forwarding.sdk import client_header_names

_CONFIG_PREFIX = "Config_"
_VALIDATOR_PREFIX = "ProviderData_"

# What every httpx client sends of itself, and what the native Anthropic Messages path adds to each call. Names of the
# core blocklist need not be here: those that cannot be lifted are blocked in any case.
_HTTPX_NAMES = frozenset({"accept", "accept-encoding", "connection", "user-agent", "anthropic-version"})

# Calls that the server makes of its own accord, though it may do so while it handles a request.
_SERVER_SIDE_METHODS = ("list_models", "list_provider_model_ids", "check_model_availability", "health")


class UnsupportedProviderError(ValueError):
    """`extra_headers` is set on a provider whose outbound calls the add-on does not control."""


def extended_spec(spec: Any) -> Any:
    """Return the host's spec of a built-in provider with our config class, validator and adapter in place."""
    suffix = spec.adapter_type.replace("-", "_")
    validator = spec.provider_data_validator and f"{__name__}.{_VALIDATOR_PREFIX}{suffix}"
    return spec.model_copy(
        update={
            "module": __name__,
            "config_class": f"{__name__}.{_CONFIG_PREFIX}{suffix}",
            "provider_data_validator": validator,
        }
    )


def __getattr__(name: str) -> type[Any]:
    for prefix, make in ((_CONFIG_PREFIX, _config_class), (_VALIDATOR_PREFIX, _validator_class)):
        if name.startswith(prefix):
            return make(name.removeprefix(prefix))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _built_in_spec(suffix: str) -> Any:
    for spec in current_host().inference_provider_specs():
        if spec.adapter_type.replace("-", "_") == suffix:
            return spec
    raise AttributeError(f"{current_host().package} has no remote inference provider {suffix!r}")


@cache
def _config_class(suffix: str) -> type[Any]:
    spec = _built_in_spec(suffix)
    setting = Field(default=None, description="Forward callers' extra HTTP headers: true, or a policy.")
    base = current_host().load_class(spec.config_class)
    made = create_model(base.__name__, __base__=base, __module__=__name__, extra_headers=(Any, setting))
    made.__qualname__ = _CONFIG_PREFIX + suffix
    return made


@cache
def _validator_class(suffix: str) -> type[Any]:
    """Return the provider's validator of provider data, made not to show its input when it fails.

    The host logs the validation error, and with it everything the caller sent, secrets included.
    """
    base = current_host().load_class(_built_in_spec(suffix).provider_data_validator)
    return type(base.__name__, (base,), {"model_config": ConfigDict(hide_input_in_errors=True), "__module__": __name__})


async def get_adapter_impl(config: Any, deps: Any) -> Any:
    """Build the built-in provider and, where its config asks for it, give it the forwarding mixin.

    The name and the signature are the host's.

    Raises:
        UnsupportedProviderError: the add-on does not control the outbound calls of this provider.

    """
    host = current_host()
    spec = _built_in_spec(type(config).__qualname__.removeprefix(_CONFIG_PREFIX))
    provider = await host.load_module(spec.module).get_adapter_impl(config, deps)
    if config.extra_headers is not None and config.extra_headers is not False:
        _require_support(host, provider, spec.provider_type)
        slot = _Slot(host, spec.provider_type, config.extra_headers)
        provider.__class__ = _forwarding_class(type(provider), slot)
    return provider


def _require_support(host: Host, provider: Any, provider_type: str) -> None:
    mixin = host.openai_mixin()
    if not isinstance(provider, mixin) or inspect.getattr_static(type(provider), "client") is not vars(mixin)["client"]:
        raise UnsupportedProviderError(
            f"extra_headers is set on a provider of type {provider_type}, which does not make its calls through "
            "the host's OpenAI client; remove extra_headers there"
        )


class _Slot:
    """What a provider's class knows of its extra headers: nothing, until the host tells the provider its id."""

    def __init__(self, host: Host, provider_type: str, setting: object) -> None:
        self._host = host
        self._provider_type = provider_type
        self._setting = setting
        self.provider_id: str | None = None
        self.forwarder: Forwarder | None = None

    def bind(self, provider_id: str) -> None:
        """Take the provider's id, check its policy and start to forward.

        Raises:
            PolicyError: the policy is unusable; the server does not start.

        """
        policy = parse_policy(self._setting, f"provider {provider_id!r} ({self._provider_type})")
        self.provider_id = provider_id
        if policy.enabled:
            self._host.watch_provider_data()
            self.forwarder = Forwarder(self._host, provider_id, self._provider_type, policy)


class _ForwardingMixin:
    """Adds the caller's extra headers at the two points through which a provider's outbound calls pass.

    Both are asked at each call, before anything is sent, and neither lets a caller's header into an object that
    outlives the call.
    """

    __extra_headers__: ClassVar[_Slot]

    @property
    def __provider_id__(self) -> str:
        if (provider_id := self.__extra_headers__.provider_id) is None:
            raise AttributeError("__provider_id__")
        return provider_id

    @__provider_id__.setter
    def __provider_id__(self, provider_id: str) -> None:
        self.__extra_headers__.bind(provider_id)

    @property
    def client(self) -> Any:
        """The host's cached client, or a copy for this call that shares its connections and adds the headers."""
        client = super().client  # type: ignore[misc]
        if (forwarder := self.__extra_headers__.forwarder) is None:
            return client
        headers = forwarder.headers(lambda: self._sdk_call(client))
        return client.with_options(default_headers=headers) if headers else client

    def _build_httpx_client_kwargs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        client_kwargs: dict[str, Any] = super()._build_httpx_client_kwargs(*args, **kwargs)  # type: ignore[misc]
        if (forwarder := self.__extra_headers__.forwarder) is None:
            return client_kwargs
        headers = forwarder.headers(lambda: self._httpx_call(client_kwargs))
        # The operator's headers are the run config's own dict: merged into a new one, never changed.
        return {**client_kwargs, "headers": {**headers, **(client_kwargs.get("headers") or {})}}

    def _sdk_call(self, client: Any) -> OutboundCall:
        if (names := _names_by_client.get(client)) is None:
            names = _names_by_client[client] = client_header_names(client)
        per_request = self._get_extra_request_headers() or {}  # type: ignore[attr-defined]
        return OutboundCall(names.union(per_request), str(client.base_url))

    def _httpx_call(self, client_kwargs: Mapping[str, Any]) -> OutboundCall:
        return OutboundCall(_HTTPX_NAMES.union(client_kwargs.get("headers") or ()), str(self.get_base_url()))  # type: ignore[attr-defined]


class _AnthropicForwardingMixin(_ForwardingMixin):
    """For providers with a native Anthropic Messages path, which builds its HTTP client once the answer has begun."""

    def _anthropic_headers(self) -> dict[str, str]:
        # Asked before the answer begins, so that a rejected request still gets its status code.
        self._build_httpx_client_kwargs()
        return super()._anthropic_headers()  # type: ignore[misc, no-any-return]


# A client's own headers do not change; the host makes a new client for another key or address.
_names_by_client: weakref.WeakKeyDictionary[Any, frozenset[str]] = weakref.WeakKeyDictionary()


def _forwarding_class(base: type[Any], slot: _Slot) -> type[Any]:
    """Return a subclass of a built-in adapter that forwards; one for each provider instance."""
    namespace: dict[str, Any] = {"__module__": __name__, "__extra_headers__": slot}
    for name in _SERVER_SIDE_METHODS:
        if method := getattr(base, name, None):
            namespace[name] = _as_server_side(method)
    mixin = _AnthropicForwardingMixin if hasattr(base, "_anthropic_headers") else _ForwardingMixin
    return new_class(base.__name__, (mixin, base), exec_body=lambda body: body.update(namespace))


def _as_server_side(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(method)
    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        with server_side_call():
            return await method(self, *args, **kwargs)

    return wrapper
