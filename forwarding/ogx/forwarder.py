"""The extra headers of one provider: from the caller's request to what its outbound calls may carry.

Where policy and host meet. One forwarder for each provider; no state of a request is kept in it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from extra_headers.telemetry.spans import clear_decision, resume_call

from ..enforcement import Enforcer, OutboundHeaders, OutboundRequest, RequestDecision
from ..http_state import added_names
from ..policy.decision import MalformedHeadersError
from ..policy.model import Policy, default_field
from ..policy.provider_data import NOT_AN_OBJECT, merged, names_of
from .host import Host


@dataclass(slots=True, eq=False)
class BodyHeaders:
    """What in the body of one call its adapter would make headers or options of the outbound request."""

    headers: object | None = field(default=None, repr=False)
    """The caller's extra headers, like those in the provider data; None for none."""
    options: tuple[str, ...] = ()
    """Names of the options, none of which is a caller's to set."""
    decisions: dict[object, Any] = field(default_factory=dict, repr=False)
    """What was decided for this call."""


_own_call: ContextVar[bool] = ContextVar("extra_headers_own_call", default=False)
_body: ContextVar[BodyHeaders | None] = ContextVar("extra_headers_body", default=None)


@contextmanager
def server_side_call() -> Iterator[None]:
    """Mark the calls within as the server's own (listing models, health): they carry no caller's headers."""
    token = _own_call.set(True)
    try:
        yield
    finally:
        _own_call.reset(token)


@contextmanager
def call_with_body(body: BodyHeaders) -> Iterator[None]:
    """Add what a request body contains to the extra headers of the calls within."""
    token = _body.set(body)
    try:
        yield
    finally:
        _body.reset(token)


class Forwarder:
    """Decides, records and hands out what the calls of the current request to one provider may carry."""

    def __init__(self, host: Host, provider: str, provider_type: str, policy: Policy) -> None:
        self._host = host
        self._provider = provider
        self._policy = policy
        self._sets = bool(policy.set)
        self._field = policy.field or default_field(provider_type)
        self._enforcer = Enforcer(provider, provider_type, policy)
        host.hook.read(self._field, policy.from_request)

    def headers(self, outbound_request: Callable[[], OutboundRequest]) -> OutboundHeaders | None:
        """Return the headers to add to the outbound request about to be made; None where there are none.

        Every call of one request (the turns of an agent, say) carries the same headers, decided and recorded once.

        Args:
            outbound_request: describes the call; asked only where there are headers to decide on or to set.

        Raises:
            MalformedHeadersError: the policy rejects the request for a malformed header.
            BlockedHeadersError: the policy rejects the request for a blocked header.
            MissingIdentityError: the policy rejects the request for a header that the server cannot set.

        """
        if added_names.get():
            added_names.set(())
        if _own_call.get():
            clear_decision(self._provider)
            return None
        hook, body = self._host.hook, _body.get()
        if body is None and not self._sets and hook.has_nothing(self._field):
            clear_decision(self._provider)
            return None
        provider_data, state = hook.current()
        plain = state.taken_up(self._policy.from_request) if state.plain else None
        headers = None if provider_data is None else state.headers(provider_data, self._field)
        if plain is not None or body is not None:
            headers = merged((), headers, plain, body and body.headers)
        if body is not None and body.options:
            headers = NOT_AN_OBJECT
        if headers is None and not self._sets:
            clear_decision(self._provider)
            return None
        decisions = state.decisions if body is None else body.decisions
        decision = self._decide(headers, outbound_request(), decisions, names_of(plain))
        if provider_data is not None:
            hook.keep(provider_data, state)
        return self._enforced(decision, body)

    def _decide(
        self, headers: object, outbound: OutboundRequest, decisions: dict[Any, Any], from_request: Collection[str]
    ) -> RequestDecision:
        """Return the decision on the current request, which is made once for calls that carry the same themselves."""
        key = (self, outbound.names)
        decision: RequestDecision | None = decisions.get(key)
        if decision is not None:
            resume_call(decision.call)
            return decision
        user = self._host.user()
        identity_headers = self._policy.identity_headers(user) if self._policy.set else None
        earlier = [made for (forwarder, _), made in decisions.items() if forwarder is self]
        decision = self._enforcer.decide(
            headers,
            outbound.names,
            outbound.base_url,
            user,
            identity_headers,
            earlier=earlier,
            from_request=from_request,
        )
        decisions[key] = decision
        return decision

    def _enforced(self, decision: RequestDecision, body: BodyHeaders | None) -> OutboundHeaders | None:
        if (error := decision.rejection(self._provider)) is None:
            if (headers := decision.headers) is not None and self._policy.on_redirect == "drop":
                added_names.set((*headers.from_caller, *headers.identity_headers))
            return headers
        if body is not None and body.options:
            error = MalformedHeadersError(
                f"request for provider {self._provider!r} rejected, nothing was sent to the provider: its body sets "
                f"{', '.join(body.options)}, which would become an option of the server's HTTP client; leave it out"
            )
        raise self._host.as_http_error(error)
