"""Decide what one provider's outbound requests may carry, and record it: where policy and telemetry meet.

For hosts and plain clients alike. A shadow policy is evaluated alongside and never enforced. No state of a request is
kept.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from extra_headers.telemetry.metrics import ProviderLabels
from extra_headers.telemetry.recorder import Recorder
from extra_headers.telemetry.spans import ClientCall, current_call, resume_call

from .policy.decision import Evaluation, RejectedError
from .policy.evaluation import evaluate
from .policy.field_names import normalize_name
from .policy.identity import IdentityHeaders, User
from .policy.model import Policy
from .policy.summary import summarize

_NOTHING_SET = IdentityHeaders({})


class OutboundRequest(NamedTuple):
    """A call to the provider as it would be made without the caller's headers."""

    names: frozenset[str]
    """Names of the headers that it carries."""
    base_url: str
    """Of the provider."""


@dataclass(frozen=True, slots=True)
class OutboundHeaders:
    """The headers to add to an outbound request. Shows no value."""

    from_caller: Mapping[str, str] = field(default_factory=dict, repr=False)
    """None of them is one that the outbound request carries itself, under any spelling."""
    identity_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def merged_with(self, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return these headers and a request's own, in any spelling: over the caller's, under identity headers."""
        if not own:
            return {**self.from_caller, **self.identity_headers}
        identity_names = {normalize_name(name) for name in self.identity_headers}
        own_names = {normalize_name(name) for name in own}
        from_caller = {name: value for name, value in self.from_caller.items() if normalize_name(name) not in own_names}
        kept = {name: value for name, value in own.items() if normalize_name(name) not in identity_names}
        return {**from_caller, **kept, **self.identity_headers}

    def matching_spelling_of(self, own: Iterable[str]) -> Self:
        """Return these headers for a client that merges them into its own by exact name.

        Args:
            own: names of the client's headers. An identity header of the same name takes that spelling.

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
    """None where the policy has no `set`."""
    call: ClientCall | None = None
    """What `telemetry.spans.resume_call` needs to write the decision to the spans of later calls."""

    def rejection(self, provider: str) -> RejectedError | None:
        """Return the error of a rejected request; None where it continues."""
        if self.identity_headers is not None and (error := self.identity_headers.rejection(provider)) is not None:
            return error
        return None if self.evaluation is None else self.evaluation.rejection(provider)

    @property
    def headers(self) -> OutboundHeaders | None:
        """The headers to add to each outbound request; None where there are none."""
        from_caller = {} if self.evaluation is None else self.evaluation.forwarded
        identity = {} if self.identity_headers is None else self.identity_headers.headers
        return OutboundHeaders(from_caller, identity) if from_caller or identity else None


def labels_of(provider: str, provider_type: str, policy: Policy) -> ProviderLabels:
    """Return the metric labels of a provider and its policy."""
    shadow = policy.shadow_policy
    return ProviderLabels(
        provider,
        provider_type,
        policy.digest,
        policy.on_blocked,
        policy.on_malformed,
        identity_headers={name: normalize_name(name) for name in policy.set},
        shadow=None if shadow is None else shadow.digest,
        summary=summarize(policy),
    )


class Enforcer:
    """Decides and records for one provider."""

    def __init__(self, provider: str, provider_type: str, policy: Policy) -> None:
        self._policy = policy
        self._shadow_policy = policy.shadow_policy
        self._recorder = Recorder(labels_of(provider, provider_type, policy))

    def decide(  # noqa: PLR0913 - what is known of one request
        self,
        headers: object,
        outbound_names: Collection[str],
        base_url: str,
        user: User | None = None,
        identity_headers: IdentityHeaders | None = None,
        *,
        earlier: Iterable[RequestDecision] = (),
        from_request: Collection[str] = (),
        mcp_server: str | None = None,
    ) -> RequestDecision:
        """Decide on a request and record the decision.

        Args:
            headers: the caller's, as decoded from JSON; None for none.
            outbound_names: names that the outbound request carries without them.
            base_url: of the provider.
            user: whom the host authenticated; None for nobody.
            identity_headers: rendered for the user; None where the policy has no `set`.
            earlier: decisions on the same headers of the same request, beside other outbound requests. What they
                decided already is not recorded again: one request counts once, however many calls it leads to.
            from_request: names of the headers that came as plain headers of the request.
            mcp_server: the MCP server that the headers are for; None for a model provider.

        """
        if headers is None:
            if identity_headers is not None:
                if (same := next((one for one in earlier if one.evaluation is None), None)) is not None:
                    return self._resumed(same, None, identity_headers)
                self._recorder.record_identity_headers(identity_headers, base_url, user, mcp_server=mcp_server)
            return RequestDecision(None, identity_headers, current_call())
        started = time.perf_counter()
        evaluation = _evaluated(headers, self._policy, outbound_names, identity_headers)
        seconds = time.perf_counter() - started
        for one in earlier:
            if one.evaluation is not None and one.evaluation.decisions == evaluation.decisions:
                return self._resumed(one, evaluation, one.identity_headers)
        shadow = self._shadow(headers, outbound_names, identity_headers)
        if identity_headers is not None and evaluation.rejected_for is not None and not identity_headers.rejected:
            identity_headers = (
                _NOTHING_SET  # rejected for the caller's headers: nothing is sent, and nothing is missing
            )
        self._recorder.record(
            evaluation,
            seconds,
            base_url,
            user,
            identity_headers=identity_headers,
            shadow=shadow,
            from_request=from_request,
            mcp_server=mcp_server,
        )
        return RequestDecision(evaluation, identity_headers, current_call())

    def _resumed(
        self, earlier: RequestDecision, evaluation: Evaluation | None, identity_headers: IdentityHeaders | None
    ) -> RequestDecision:
        resume_call(earlier.call)
        return RequestDecision(evaluation, identity_headers, earlier.call)

    def _shadow(
        self, headers: object, outbound_names: Collection[str], identity_headers: IdentityHeaders | None
    ) -> Callable[[], Evaluation] | None:
        policy = self._shadow_policy
        return None if policy is None else lambda: _evaluated(headers, policy, outbound_names, identity_headers)


def _evaluated(
    headers: object, policy: Policy, outbound_names: Collection[str], identity_headers: IdentityHeaders | None
) -> Evaluation:
    evaluation = evaluate(headers, policy, outbound_names)
    if identity_headers is None or not identity_headers.rejected:
        return evaluation
    return replace(evaluation, forwarded={}, withheld=True)
