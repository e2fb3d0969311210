"""`ExtraHeaders`: what an OGX server does for its providers, for the openai and httpx clients of a service's own.

Where policy, clients and telemetry meet without any host. `wrappers` adds headers to a client; `middleware` knows the
headers of the current request.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..enforcement import Enforcer
from ..policy.model import Policy, PolicyError, default_field, parse_policy
from ..policy.provider_data import RepeatedKeys, with_every_pair
from .caller_request import CallerHeaders, declare, headers_of_current_request
from .headers_for_call import HeadersForCall
from .wrappers import wrapper_for

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI, OpenAI

# Not evaluated at run time, where some of the four libraries may be missing.
type AnyClient = OpenAI | AsyncOpenAI | httpx.Client | httpx.AsyncClient | httpx2.Client | httpx2.AsyncClient

_PROVIDER_TYPE = "client"
"""What the metrics say in place of an OGX provider type."""

_ALL_DEFAULTS = Policy()


class ExtraHeaders:
    """Forwards callers' extra headers to one provider, through clients that are the service's own.

    Make one for each provider when the service starts, and keep it: it holds the provider's counters, and nothing of a
    request. Threads and tasks may share it.

    Args:
        provider: the provider's name in metrics, spans, audit records and errors. Never a caller's choice.
        policy: a `Policy`, or the value of `extra_headers` in a run config, where null and false mean: forward nothing.

    Raises:
        PolicyError: the policy is unusable; says which entry, what is wrong with it and what would be right.

    """

    def __init__(self, provider: str, *, policy: Policy | Mapping[str, object] | bool | None = _ALL_DEFAULTS) -> None:
        self.provider = provider
        self.policy = policy if isinstance(policy, Policy) else parse_policy(policy, f"client {provider!r}")
        if self.policy.set:
            raise PolicyError(
                f"extra_headers of client {provider!r}: `set` needs a caller whom a host authenticated, and there is "
                "none here; set the headers on the client or on the call yourself, where no caller can override them"
            )
        self._enforcer = Enforcer(provider, _PROVIDER_TYPE, self.policy)
        declare(self.field, self.policy.from_request)

    @property
    def field(self) -> str:
        """The key of the provider data that holds the headers: the policy's, else `<provider>_extra_headers`."""
        return self.policy.field or default_field(self.provider)

    def caller_headers(self) -> CallerHeaders | None:
        """Return the extra headers that the caller of the current request sent for this provider; None for none.

        Raises:
            RuntimeError: no `ProviderDataMiddleware` is around this code, or its request is over.

        """
        return headers_of_current_request(self.field, self.policy.from_request)

    def with_headers[Client: AnyClient](
        self, client: Client, headers: Mapping[str, object] | CallerHeaders | None
    ) -> Client:
        """Return what to use in place of `client` for one call: a copy that adds the headers that the policy passes.

        The copy shares the client's connections and leaves the client as it is. It keeps no cookie of an answer, and
        with no headers, too. The call is decided and recorded once, retries included; no header replaces one that the
        client, or the very call, sends without the caller. Where the policy is off, the client itself is returned.

        Args:
            client: an `OpenAI` or `AsyncOpenAI` of openai, or a `Client` or `AsyncClient` of httpx or httpx2.
            headers: the caller's: names and values as decoded from JSON, or what `caller_headers` returned.

        Raises:
            MalformedHeadersError: the policy rejects the request for a malformed header; nothing is sent.
            BlockedHeadersError: the policy rejects the request for a blocked header; nothing is sent. Raised by the
                call itself, before it sends anything, where only the call's own headers make the difference.
            TypeError: `client` is none of these.

        """
        wrapper = wrapper_for(client)
        if not self.policy.enabled:
            return client
        outbound = wrapper.outbound_request(client)
        for_call = HeadersForCall(self.provider, self.policy, self._enforcer, _snapshot(headers), outbound.names)
        # Now rather than in the call: a service that streams its answer still has its status code to choose.
        for_call.raise_for_rejection(outbound.base_url)
        return wrapper.wrap(client, for_call)


def _snapshot(headers: object) -> object:
    """Return the headers as they are now, None for none: a service may use one dict for several callers in turn."""
    if isinstance(headers, RepeatedKeys) or not isinstance(headers, Mapping):
        return headers
    return with_every_pair(headers) or None
