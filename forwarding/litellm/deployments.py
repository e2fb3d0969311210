"""The deployments of a running proxy: the policy of each, and what its calls carry without the caller.

Reads the proxy's configuration and its router; keeps nothing of a request.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import litellm

from extra_headers.telemetry.origins import note_provider_urls

from ..enforcement import Enforcer
from ..policy.model import Policy, PolicyError
from .caller import BODY, PLAIN
from .outbound_names import client_names
from .settings import policy_of

_log = logging.getLogger(__name__)

NO_DEPLOYMENT = "_no_deployment"
"""The provider in metrics of calls that LiteLLM makes without a deployment of the configuration."""

_NOTHING_PASSES = Policy(allow=())


@dataclass(frozen=True, slots=True, eq=False)
class Deployment:
    """What is known of a deployment without any request."""

    label: str
    """The provider in metrics, spans and errors."""
    policy: Policy
    enforcer: Enforcer
    provider: str
    """LiteLLM's name of the provider."""
    base_url: str
    own: Mapping[str, Any] = field(repr=False)
    """The operator's settings that lead to headers of the call, by the field of the request's data."""
    own_headers: Mapping[str, Any] = field(repr=False)
    """The operator's headers, in one mapping."""
    outbound_names: frozenset[str]


class Deployments:
    """Finds what is known of the deployment of a call."""

    def __init__(self, default: Policy) -> None:
        self._default = default
        self._enforcers: dict[tuple[str, Policy], tuple[str, Enforcer]] = {}
        self._known: dict[str, tuple[object, Deployment]] = {}
        self._urls: dict[str, set[str]] = {}
        self._none: dict[str, Deployment] = {}

    def declare(self, entry: Mapping[str, Any]) -> Deployment:
        """Take up an entry of `model_list`, so that its counters exist from the start.

        Raises:
            PolicyError: its policy is unusable.

        """
        params = _mapping(entry.get("litellm_params"))
        policy = policy_of(entry, self._default)
        return self._made(str(entry.get("model_name")), params, policy)

    def of(self, kwargs: Mapping[str, Any]) -> Deployment:
        """Return what is known of the deployment that a call was routed to."""
        info = kwargs.get("model_info")
        found = _in_router(str(info.get("id"))) if isinstance(info, Mapping) else None
        if found is None:
            return self.no_deployment(kwargs.get("custom_llm_provider"))
        key, entry = found
        known = self._known.get(key)
        # The router replaces an entry that changes, under the same id.
        if known is None or known[0] is not entry:
            known = self._known[key] = (entry, self._late(entry))
        return known[1]

    def _late(self, entry: Mapping[str, Any]) -> Deployment:
        try:
            return self.declare(entry)
        except PolicyError as error:
            # Added while the proxy runs, so that nobody is there to see it fail: then nothing of a caller passes.
            _log.error("%s\nnone of the callers' headers are forwarded to it", error)
            name = str(entry.get("model_name"))
            return self._made(name, _mapping(entry.get("litellm_params")), _NOTHING_PASSES)

    def no_deployment(self, provider: object) -> Deployment:
        """Return what is known of calls without a deployment, by LiteLLM's name of the provider."""
        provider = provider if isinstance(provider, str) and provider in litellm.provider_list else ""
        if provider not in self._none:
            self._none[provider] = self._made(NO_DEPLOYMENT, {"custom_llm_provider": provider}, self._default)
        return self._none[provider]

    def _made(self, name: str, params: Mapping[str, Any], policy: Policy) -> Deployment:
        provider, base_url = _provider_of(params)
        label, enforcer = self._enforcer(name, provider, policy)
        if name != NO_DEPLOYMENT:  # whose calls go anywhere
            self._urls.setdefault(label, set()).add(base_url)
            note_provider_urls(label, () if "" in self._urls[label] else self._urls[label])
        own = {field: params[field] for field in (PLAIN, BODY, "organization") if params.get(field)}
        own_headers = {**_mapping(litellm.headers), **_mapping(own.get(PLAIN)), **_mapping(own.get(BODY))}
        names = client_names(provider, organization=bool(own.get("organization"))) | own_headers.keys()
        return Deployment(label, policy, enforcer, provider, base_url, own, own_headers, frozenset(names))

    def _enforcer(self, name: str, provider: str, policy: Policy) -> tuple[str, Enforcer]:
        """Return the enforcer of a policy of a model name, of which several deployments may have several."""
        if (name, policy) not in self._enforcers:
            others = sum(1 for other, _ in self._enforcers if other == name)
            label = f"{name}#{others + 1}" if others else name
            self._enforcers[name, policy] = label, Enforcer(label, f"litellm::{provider}", policy)
        return self._enforcers[name, policy]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _provider_of(params: Mapping[str, Any]) -> tuple[str, str]:
    """Return LiteLLM's name of a deployment's provider, and the URL of its calls."""
    named = params.get("custom_llm_provider")
    base_url = params.get("api_base") or params.get("base_url")
    try:
        _, provider, _, default_base = litellm.get_llm_provider(
            model=str(params.get("model") or "none"), custom_llm_provider=named or None, api_base=base_url
        )
    except Exception:  # LiteLLM has several for a model that it cannot place
        return str(named or "unknown"), str(base_url or "")
    return provider, str(base_url or default_base or _DEFAULT_URLS.get(provider, ""))


_DEFAULT_URLS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def _in_router(deployment_id: str) -> tuple[str, Mapping[str, Any]] | None:
    """Return the entry of the proxy's router with an id, and the id."""
    from litellm.proxy import proxy_server  # noqa: PLC0415 - only loaded in a proxy

    router = proxy_server.llm_router
    index = None if router is None else router.model_id_to_deployment_index_map.get(deployment_id)
    return None if router is None or index is None else (deployment_id, _mapping(router.model_list[index]))
