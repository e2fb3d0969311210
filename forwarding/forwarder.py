"""The extra headers of one provider: from the caller's provider data to what its outbound call may carry.

Where policy, host and telemetry meet. One forwarder for each provider; no state of a request is kept in it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple
from weakref import ReferenceType, WeakKeyDictionary, ref

from extra_headers.forwarding.decisions import Evaluation
from extra_headers.forwarding.evaluation import evaluate
from extra_headers.forwarding.host import Host
from extra_headers.forwarding.policy import Policy
from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder


class OutboundCall(NamedTuple):
    """A call to the provider as it would be made without the caller's headers."""

    names: frozenset[str]
    """Names of the headers that it carries."""
    base_url: str
    """Of the provider."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class _Evaluated:
    """The evaluation of the current request, with all that it depends on."""

    forwarder: "Forwarder"
    headers: object
    outbound: frozenset[str]
    evaluation: Evaluation

    def is_of(self, forwarder: "Forwarder", headers: object, outbound: frozenset[str]) -> bool:
        """Whether it is the evaluation of these very headers (the same object: equal is not enough)."""
        return self.forwarder is forwarder and self.headers is headers and self.outbound == outbound


# Tasks that the host starts and keeps (writers, workers) inherit the context of the request that happened to start
# them. So the context only refers to the evaluation, which goes with the task that it was made in.
_evaluated: ContextVar[ReferenceType[_Evaluated] | None] = ContextVar("extra_headers_evaluated", default=None)
_evaluated_by_task: WeakKeyDictionary[asyncio.Task[object], _Evaluated] = WeakKeyDictionary()
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
    """Decides, records and hands out the extra headers of the current request for one provider."""

    def __init__(self, host: Host, provider: str, provider_type: str, policy: Policy) -> None:
        self._host = host
        self._provider = provider
        self._policy = policy
        self._field = policy.field or default_field(provider_type)
        self._recorder = Recorder(
            ProviderLabels(provider, provider_type, policy.digest, policy.on_blocked, policy.on_malformed)
        )

    def headers(self, describe_call: Callable[[], OutboundCall]) -> Mapping[str, str]:
        """Return the extra headers that the call about to be made may carry.

        Every call of one request (the turns of an agent, say) carries the same headers, decided and recorded once.

        Args:
            describe_call: describes the call; asked only where the caller sent extra headers.

        Raises:
            MalformedHeadersError: the policy rejects the request for a malformed header.
            BlockedHeadersError: the policy rejects the request for a blocked header.

        """
        headers = None if _own_call.get() else self._host.extra_headers(self._field)
        if headers is None:
            self._recorder.record_nothing()
            return {}
        evaluation = self._evaluate(headers, describe_call())
        if (error := evaluation.rejection(self._provider)) is not None:
            raise self._host.answerable(error)
        return evaluation.forwarded

    def _evaluate(self, headers: object, call: OutboundCall) -> Evaluation:
        earlier = reference() if (reference := _evaluated.get()) is not None else None
        if earlier is not None and earlier.is_of(self, headers, call.names):
            return earlier.evaluation
        started = time.perf_counter()
        evaluation = evaluate(headers, self._policy, call.names)
        seconds = time.perf_counter() - started
        _remember(_Evaluated(self, headers, call.names, evaluation))
        self._recorder.record(evaluation, seconds, call.base_url, self._host.caller())
        return evaluation


def _remember(evaluated: _Evaluated) -> None:
    if (task := asyncio.current_task()) is not None:
        _evaluated_by_task[task] = evaluated
        _evaluated.set(ref(evaluated))


def default_field(provider_type: str) -> str:
    """Return the provider-data key of a provider type: `vllm_extra_headers` for `remote::vllm`."""
    return provider_type.rpartition("::")[2].replace("-", "_") + "_extra_headers"
