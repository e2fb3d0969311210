"""The headers of one caller on their way into the calls of a client: decided on when a request is final."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from extra_headers.telemetry.spans import call_scope, clear_decision

from ..enforcement import Enforcer, OutboundRequest, RequestDecision
from ..policy.evaluation import evaluate
from ..policy.model import Policy
from .caller_request import CallerHeaders


class HeadersForCall:
    """The headers of one caller, for the calls of one wrapper. Shows no value.

    Args:
        provider: the provider's name.
        policy: of the provider.
        enforcer: of the provider.
        headers: the caller's, or None.
        client_names: names that the client sends on every call; no header of the caller replaces one of them.

    """

    __slots__ = ("_client_names", "_enforcer", "_given", "_policy", "_provider")

    def __init__(
        self, provider: str, policy: Policy, enforcer: Enforcer, headers: object, client_names: frozenset[str]
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._enforcer = enforcer
        self._given = headers if isinstance(headers, CallerHeaders) else CallerHeaders(headers)
        self._client_names = client_names

    def decide(
        self, outbound: OutboundRequest, earlier: Collection[RequestDecision] = (), *, redirected_away: bool = False
    ) -> RequestDecision | None:
        """Decide on the headers for one request, and record it; None where it carries none.

        Args:
            outbound: the request without them.
            earlier: decisions on requests of the same call.
            redirected_away: whether another server than the one that was called has a say in it.

        Raises:
            RejectedError: the policy rejects the request.
            RuntimeError: the request that the headers came with is over.

        """
        value = self._given.value
        if value is None or (redirected_away and self._policy.on_redirect == "drop"):
            # Still a call that a caller leads to: spans of it send no trace context that the caller chose.
            clear_decision(self._provider)
            return None
        decision = self._enforcer.decide(
            value,
            outbound.names | self._client_names,
            outbound.base_url,
            earlier=earlier,
            from_request=self._given.from_request,
        )
        if (error := decision.rejection(self._provider)) is not None:
            raise error
        return decision

    def raise_for_rejection(self, base_url: str) -> None:
        """Raise, and record, where the policy rejects the headers whatever a call adds to what the client sends."""
        value = self._given.value
        if value is not None and evaluate(value, self._policy, self._client_names).rejected_for is not None:
            with call_scope():
                self.decide(OutboundRequest(frozenset(), base_url))


class _Stopped(BaseException):
    """Takes an error of ours through code that retries every `Exception`, as for a connection that failed."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Call:
    """One call of a wrapper: a request, its retries, redirects, and the steps of its authentication."""

    __slots__ = ("_decisions", "_first_origin", "_headers", "_redirected_away", "_running", "taken_away", "target")

    def __init__(self, headers: HeadersForCall) -> None:
        self._headers = headers
        self._decisions: list[RequestDecision] = []
        self._first_origin = ""
        self._redirected_away = False
        self._running = False
        self.taken_away: Collection[str] = ()
        """Names that the call adds or takes away by its own options."""
        self.target: object = None
        """What a request that is made in place of the call's own has in common with it."""

    def is_for(self, headers: HeadersForCall) -> bool:
        """Whether it is a call of the wrapper with those headers."""
        return self._headers is headers

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make the requests within part of this call; what it decides is on their spans alone.

        To be entered for each attempt of the call, too.
        """
        self._redirected_away = False
        if self._running:
            yield
            return
        self._running = True
        try:
            with call_scope():
                yield
        except _Stopped as stopped:
            raise stopped.error from None
        finally:
            self._running = False

    def headers(self, names: Collection[str], base_url: str) -> Mapping[str, str]:
        """Return the headers to add to a request that is otherwise final.

        Args:
            names: of the headers that it has.
            base_url: scheme, host and port of its URL.

        """
        self._first_origin = self._first_origin or base_url
        # For the rest of the redirects: the other server may send the call back, to a place of its choice.
        self._redirected_away = self._redirected_away or base_url != self._first_origin
        outbound = OutboundRequest(frozenset(names).union(self.taken_away), base_url)
        try:
            decision = self._headers.decide(outbound, self._decisions, redirected_away=self._redirected_away)
        except Exception as error:
            raise _Stopped(error) from None
        if decision is None:
            return {}
        self._decisions.append(decision)
        return {} if decision.headers is None else decision.headers.from_caller
