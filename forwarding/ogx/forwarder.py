"""The extra headers of one provider: from the caller's provider data to what its outbound call may carry.

Where policy and host meet. One forwarder for each provider; no state of a request is kept in it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from weakref import ReferenceType, WeakKeyDictionary, ref

from extra_headers.telemetry.spans import clear_decision

from ..enforcement import Enforcer, OutboundHeaders, OutboundRequest, RequestDecision
from ..policy.model import Policy, default_field
from .host import Host


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class _Decided:
    """The decision on the current request, with all that it depends on."""

    forwarder: "Forwarder"
    request: object
    headers: object
    outbound_names: frozenset[str]
    decision: RequestDecision

    def is_of(self, forwarder: "Forwarder", request: object, headers: object, outbound_names: frozenset[str]) -> bool:
        """Whether it is the one on this very request (the same objects: equal is not enough)."""
        same = self.forwarder is forwarder and self.request is request and self.headers is headers
        return same and self.outbound_names == outbound_names


# Tasks that the host starts and keeps (writers, workers) inherit the context of the request that happened to start
# them. So the context only refers to the decision, which goes with the task that it was made in.
_decided: ContextVar[ReferenceType[_Decided] | None] = ContextVar("extra_headers_decided", default=None)
_decided_by_task: WeakKeyDictionary[asyncio.Task[object], _Decided] = WeakKeyDictionary()
_own_call: ContextVar[bool] = ContextVar("extra_headers_own_call", default=False)


@contextmanager
def server_side_call() -> Iterator[None]:
    """Mark the calls within as the server's own (listing models, health): they carry no caller's headers."""
    token = _own_call.set(True)
    try:
        yield
    finally:
        _own_call.reset(token)


class Forwarder:
    """Decides, records and hands out what the calls of the current request to one provider may carry."""

    def __init__(self, host: Host, provider: str, provider_type: str, policy: Policy) -> None:
        self._host = host
        self._provider = provider
        self._policy = policy
        self._field = policy.field or default_field(provider_type)
        self._enforcer = Enforcer(provider, provider_type, policy)

    def headers(self, outbound_request: Callable[[], OutboundRequest]) -> OutboundHeaders | None:
        """Return the headers that the call about to be made may carry beside its own; None where there are none.

        Every call of one request (the turns of an agent, say) carries the same headers, decided and recorded once.

        Args:
            outbound_request: describes the call; asked only where there are headers to decide on or to set.

        Raises:
            MalformedHeadersError: the policy rejects the request for a malformed header.
            BlockedHeadersError: the policy rejects the request for a blocked header.
            MissingIdentityError: the policy rejects the request for a header that the server cannot set.

        """
        own_call = _own_call.get()
        headers = None if own_call else self._host.extra_headers(self._field)
        if headers is None and (own_call or not self._policy.set):
            clear_decision(self._provider)
            return None
        decision = self._decision(headers, outbound_request())
        if (error := decision.rejection(self._provider)) is not None:
            raise self._host.as_http_error(error)
        return decision.headers

    def _decision(self, headers: object, outbound: OutboundRequest) -> RequestDecision:
        request = self._host.current_request()
        earlier = reference() if (reference := _decided.get()) is not None else None
        if earlier is not None and earlier.is_of(self, request, headers, outbound.names):
            return earlier.decision
        user = self._host.user()
        identity_headers = self._policy.identity_headers(user) if self._policy.set else None
        decision = self._enforcer.decide(headers, outbound.names, outbound.base_url, user, identity_headers)
        _remember(_Decided(self, request, headers, outbound.names, decision))
        return decision


def _remember(decided: _Decided) -> None:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread without an event loop
        return
    if task is not None:
        _decided_by_task[task] = decided
        _decided.set(ref(decided))
