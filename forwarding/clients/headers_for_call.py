"""The headers of one caller on their way into the calls of a client: decided on when all else in a call is known."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from extra_headers.telemetry.spans import call_scope

from ..enforcement import Enforcer, OutboundRequest
from ..policy.evaluation import evaluate
from ..policy.model import Policy


class HeadersForCall:
    """The headers of one caller, to be decided on for each call of one wrapper. Shows no value."""

    __slots__ = ("_enforcer", "_headers", "_policy", "_provider")

    def __init__(self, provider: str, policy: Policy, enforcer: Enforcer, headers: object) -> None:
        self._provider = provider
        self._policy = policy
        self._enforcer = enforcer
        self._headers = headers

    @contextmanager
    def decide(self, outbound: OutboundRequest) -> Iterator[Mapping[str, str]]:
        """Decide on the headers for the call to be made within, and record it; yield those that it may carry."""
        with call_scope():
            decision = self._enforcer.decide(self._headers, outbound.names, outbound.base_url)
            if (error := decision.rejection(self._provider)) is not None:
                raise error
            yield {} if decision.headers is None else decision.headers.from_caller

    def raise_for_rejection(self, outbound: OutboundRequest) -> None:
        """Raise, and record, where the policy rejects the headers whatever the call itself adds to `outbound`."""
        if evaluate(self._headers, self._policy, outbound.names).rejected_for is not None:
            with self.decide(outbound):
                pass
