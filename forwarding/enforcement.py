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
from .policy.identity import IdentityHeaders
from .policy.model import Policy

_NOTHING_SET = IdentityHeaders({})


@dataclass(frozen=True, slots=True)
class AddedHeaders:
    """The caller's headers that pass, and those that the server sets. Shows no value."""

    callers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """None of them is one that the call carries anyway, under any spelling."""
    identity_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def beside(self, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return these headers and a call's own, which give way to those that the server sets, in any spelling."""
        identity_headers = {normalize_name(name) for name in self.identity_headers}
        kept = {name: value for name, value in (own or {}).items() if normalize_name(name) not in identity_headers}
        return {**self.callers, **kept, **self.identity_headers}

    def spelled_as(self, own: Iterable[str]) -> Self:
        """Return these headers for a client that merges them into its own by exact name.

        Args:
            own: names of the headers that the client has. One that the server sets, too, is set as spelled there.

        """
        if not self.identity_headers:
            return self
        spellings: dict[str, list[str]] = {}
        for name in own:
            spellings.setdefault(normalize_name(name), []).append(name)
        items = self.identity_headers.items()
        respelled = {
            spelling: value for name, value in items for spelling in spellings.get(normalize_name(name), [name])
        }
        return replace(self, identity_headers=respelled)


@dataclass(frozen=True, slots=True)
class RequestDecision:
    """What one request may carry to a provider."""

    evaluation: Evaluation | None
    """Of the caller's headers; None where there are none."""
    identity_headers: IdentityHeaders | None = None
    """What the server sets; None where the policy sets nothing."""

    def rejection(self, provider: str) -> BlockedHeadersError | MalformedHeadersError | MissingIdentityError | None:
        """Return the error of a rejected request; None where it goes on."""
        if self.identity_headers is not None and (error := self.identity_headers.rejection(provider)) is not None:
            return error
        return None if self.evaluation is None else self.evaluation.rejection(provider)

    @property
    def added(self) -> AddedHeaders | None:
        """The headers to add to each call; None where there are none."""
        callers = {} if self.evaluation is None else self.evaluation.forwarded
        identity_headers = {} if self.identity_headers is None else self.identity_headers.headers
        return AddedHeaders(callers, identity_headers) if callers or identity_headers else None


def labels_of(provider: str, provider_type: str, policy: Policy) -> ProviderLabels:
    """Return what the metrics of a provider say of it and of its policy."""
    candidate = policy.candidate
    return ProviderLabels(
        provider,
        provider_type,
        policy.digest,
        policy.on_blocked,
        policy.on_malformed,
        identity_headers={name: normalize_name(name) for name in policy.set},
        shadow=None if candidate is None else candidate.digest,
    )


class Enforcer:
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
        identity_headers: IdentityHeaders | None = None,
    ) -> RequestDecision:
        """Decide on a request and record what was decided.

        Args:
            headers: the caller's, as decoded from JSON; None for none.
            outbound: names that the call carries without them.
            base_url: of the provider.
            caller: whom the host authenticated.
            identity_headers: what the server sets on the request.

        """
        if headers is None:
            if identity_headers is not None:
                self._recorder.record_identity_headers(identity_headers, base_url, caller)
            return RequestDecision(None, identity_headers)
        started = time.perf_counter()
        evaluation = _evaluated(headers, self._policy, outbound, identity_headers)
        seconds = time.perf_counter() - started
        shadow = self._shadow(headers, outbound, identity_headers)
        if identity_headers is not None and evaluation.rejected_for is not None and not identity_headers.rejected:
            identity_headers = (
                _NOTHING_SET  # rejected for the caller's headers: nothing is sent, and nothing is missing
            )
        self._recorder.record(evaluation, seconds, base_url, caller, identity_headers=identity_headers, shadow=shadow)
        return RequestDecision(evaluation, identity_headers)

    def _shadow(
        self, headers: object, outbound: Collection[str], identity_headers: IdentityHeaders | None
    ) -> Callable[[], Evaluation] | None:
        candidate = self._candidate
        return None if candidate is None else lambda: _evaluated(headers, candidate, outbound, identity_headers)


def _evaluated(
    headers: object, policy: Policy, outbound: Collection[str], identity_headers: IdentityHeaders | None
) -> Evaluation:
    evaluation = evaluate(headers, policy, outbound)
    if identity_headers is None or not identity_headers.rejected:
        return evaluation
    return replace(evaluation, forwarded={}, withheld=True)
