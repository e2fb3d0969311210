"""Decides what one provider's calls may carry and records it; a shadow policy is asked beside, and has no say.

Where policy and telemetry meet, for hosts and plain clients alike. Keeps no state of a request.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder
from extra_headers.telemetry.spans import Caller

from .policy.decision import BlockedHeadersError, Evaluation, MalformedHeadersError, MissingIdentityError
from .policy.evaluation import evaluate
from .policy.field_names import normalize_name
from .policy.identity import ServerSet
from .policy.model import Policy

_NOTHING_SET = ServerSet({})


@dataclass(frozen=True, slots=True)
class AddedHeaders:
    """The caller's headers that pass, and those that the server sets. Shows no value."""

    callers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """None of them is one that the call carries anyway, under any spelling."""
    server_set: Mapping[str, str] = field(default_factory=dict, repr=False)

    def beside(self, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return these headers and a call's own, which give way to those that the server sets, in any spelling."""
        server_set = {normalize_name(name) for name in self.server_set}
        kept = {name: value for name, value in (own or {}).items() if normalize_name(name) not in server_set}
        return {**self.callers, **kept, **self.server_set}

    def spelled_as(self, own: Iterable[str]) -> Self:
        """Return these headers for a client that merges them into its own by exact name.

        Args:
            own: names of the headers that the client has. One that the server sets, too, is set as spelled there.

        """
        if not self.server_set:
            return self
        spellings: dict[str, list[str]] = {}
        for name in own:
            spellings.setdefault(normalize_name(name), []).append(name)
        items = self.server_set.items()
        respelled = {
            spelling: value for name, value in items for spelling in spellings.get(normalize_name(name), [name])
        }
        return replace(self, server_set=respelled)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one request may carry to a provider."""

    evaluation: Evaluation | None
    """Of the caller's headers; None where there are none."""
    server_set: ServerSet | None = None
    """What the server sets; None where the policy sets nothing."""

    def rejection(self, provider: str) -> BlockedHeadersError | MalformedHeadersError | MissingIdentityError | None:
        """Return the error of a rejected request; None where it goes on."""
        if self.server_set is not None and (error := self.server_set.rejection(provider)) is not None:
            return error
        return None if self.evaluation is None else self.evaluation.rejection(provider)

    @property
    def added(self) -> AddedHeaders | None:
        """The headers to add to each call; None where there are none."""
        callers = {} if self.evaluation is None else self.evaluation.forwarded
        server_set = {} if self.server_set is None else self.server_set.headers
        return AddedHeaders(callers, server_set) if callers or server_set else None


def labels_of(provider: str, provider_type: str, policy: Policy) -> ProviderLabels:
    """Return what the metrics of a provider say of it and of its policy."""
    candidate = policy.candidate
    return ProviderLabels(
        provider,
        provider_type,
        policy.digest,
        policy.on_blocked,
        policy.on_malformed,
        server_set={name: normalize_name(name) for name in policy.set},
        shadow=None if candidate is None else candidate.digest,
    )


class Judge:
    """Decides and records for one provider."""

    def __init__(self, provider: str, provider_type: str, policy: Policy) -> None:
        self._policy = policy
        self._candidate = policy.candidate
        self._recorder = Recorder(labels_of(provider, provider_type, policy))

    def decide(
        self,
        headers: object,
        outbound: Collection[str],
        base_url: str,
        caller: Caller | None = None,
        server_set: ServerSet | None = None,
    ) -> Judgement:
        """Decide on a request and record what was decided.

        Args:
            headers: the caller's, as decoded from JSON; None for none.
            outbound: names that the call carries without them.
            base_url: of the provider.
            caller: whom the host authenticated.
            server_set: what the server sets on the request.

        """
        if headers is None:
            if server_set is not None:
                self._recorder.record_server_set(server_set, base_url, caller)
            return Judgement(None, server_set)
        started = time.perf_counter()
        evaluation = _judged(headers, self._policy, outbound, server_set)
        seconds = time.perf_counter() - started
        shadow = self._shadow(headers, outbound, server_set)
        if server_set is not None and evaluation.rejected_for is not None and not server_set.rejected:
            server_set = _NOTHING_SET  # rejected for the caller's headers: nothing is sent, and nothing is missing
        self._recorder.record(evaluation, seconds, base_url, caller, server_set=server_set, shadow=shadow)
        return Judgement(evaluation, server_set)

    def _shadow(
        self, headers: object, outbound: Collection[str], server_set: ServerSet | None
    ) -> Callable[[], Evaluation] | None:
        candidate = self._candidate
        return None if candidate is None else lambda: _judged(headers, candidate, outbound, server_set)


def _judged(headers: object, policy: Policy, outbound: Collection[str], server_set: ServerSet | None) -> Evaluation:
    evaluation = evaluate(headers, policy, outbound)
    if server_set is None or not server_set.rejected:
        return evaluation
    return replace(evaluation, forwarded={}, withheld=True)
