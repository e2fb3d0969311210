"""The host's built-in providers with extra headers: their config class plus one field, their adapter plus a mixin.

Nothing here is written for one provider type. The host resolves a config class by a dotted path, so this module
makes it when asked for; a provider type that nobody configures is never imported.
"""

import importlib
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from pydantic import Field, create_model

from ..policy.mcp import mcp_provider, unfit_settings
from .binding import ProviderBinding
from .host import current_host
from .mixins import make_forwarding

_CONFIG_PREFIX = "Config_"


def extended_spec(spec: Any) -> Any:
    """Return the host's spec of a built-in provider with our config class and adapter in place."""
    return spec.model_copy(update={"module": __name__, "config_class": f"{__name__}.{_CONFIG_PREFIX}{_suffix(spec)}"})


def _suffix(spec: Any) -> str:
    """Return what tells one spec from all others, and can be part of a name."""
    kind = mcp_provider(spec.api.value, spec.provider_type)
    return spec.adapter_type.replace("-", "_") if kind is None else f"mcp_{kind.api}"


def __getattr__(name: str) -> type[Any]:
    if name.startswith(_CONFIG_PREFIX):
        return _config_class(name.removeprefix(_CONFIG_PREFIX))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# Each of a thousand providers of one type needs the same spec and class.
@cache
def built_in_specs() -> Mapping[str, Any]:
    """Return the host's specs of built-in providers that can have extra headers, by their suffix."""
    return {_suffix(spec): spec for spec in current_host().provider_specs()}


def _built_in_spec(suffix: str) -> Any:
    if (spec := built_in_specs().get(suffix)) is None:
        raise AttributeError(f"{current_host().package} has no provider {suffix!r}")
    return spec


@cache
def _config_class(suffix: str) -> type[Any]:
    spec = _built_in_spec(suffix)
    setting = Field(default=None, description="Forward callers' extra HTTP headers: true, or a policy.")
    base = current_host().load_class(spec.config_class)
    made = create_model(base.__name__, __base__=base, __module__=__name__, extra_headers=(Any, setting))
    made.__qualname__ = _CONFIG_PREFIX + suffix
    return made


async def get_adapter_impl(config: Any, deps: Any) -> Any:
    """Build a built-in remote provider and, where its config asks for it, give it the forwarding mixin.

    The name and the signature are the host's.

    Raises:
        UnsupportedProviderError: the add-on does not control the outbound calls of this provider.

    """
    spec = _spec_of(config)
    provider = await importlib.import_module(spec.module).get_adapter_impl(config, deps)
    return _forwarding(provider, config, spec)


async def get_provider_impl(config: Any, deps: Any, policy: Any) -> Any:
    """Do the same for an inline provider. The host passes its access rules to a parameter of that name only."""
    spec = _spec_of(config)
    provider = await importlib.import_module(spec.module).get_provider_impl(config, deps, policy)
    return _forwarding(provider, config, spec)


def _spec_of(config: Any) -> Any:
    return _built_in_spec(type(config).__qualname__.removeprefix(_CONFIG_PREFIX))


def _forwarding(provider: Any, config: Any, spec: Any) -> Any:
    if config.extra_headers is None or config.extra_headers is False:
        return provider
    host, setting = current_host(), config.extra_headers
    if (kind := mcp_provider(spec.api.value, spec.provider_type)) is not None:
        from .mcp import McpForwarder, forwarding_provider  # noqa: PLC0415 - most servers forward to no MCP server

        check = partial(unfit_settings, kind=kind)
        binding = ProviderBinding(host, spec.provider_type, setting, {}, make_forwarder=McpForwarder, check=check)
        return forwarding_provider(provider, binding, kind, host)
    binding = ProviderBinding(host, spec.provider_type, setting, _other_headers(config))
    make_forwarding(provider, binding, host.openai_mixin(), spec.provider_type)
    return provider


def _other_headers(config: Any) -> dict[str, str]:
    """Return the settings of a provider that make it send a header, each with the header's name."""
    network, forwarded = getattr(config, "network", None), getattr(config, "forward_headers", None)
    of_the_operator = dict.fromkeys(getattr(network, "headers", None) or (), "network.headers")
    return {**of_the_operator, **dict.fromkeys((forwarded or {}).values(), "forward_headers")}
