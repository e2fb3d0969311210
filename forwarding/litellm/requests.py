"""One request of a caller, from the proxy's first hook to each call that it leads to.

What the caller sent is kept out of the request's data, so that no path to a provider finds it there.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace

from extra_headers.telemetry.spans import clear_decision, resume_call

from ..enforcement import RequestDecision
from ..policy.identity import User
from .caller import PLAIN, CallerHeaders, redact_copies
from .deployments import Deployment
from .nested import remove_nested
from .own_credentials import is_callers_choice
from .users import NOBODY, headers_about, span_of, user_of


@dataclass(frozen=True, slots=True)
class _Ids:
    """LiteLLM's ids of a request, by which a call is known to belong to it."""

    call: object = None
    key: object = None
    """Of the user."""
    traces: set[object] = field(default_factory=set)
    """Of the calls so far: a call that is translated to another one has a new call id, and the same one of these."""

    def lead_to(self, kwargs: Mapping[str, Any], key: object) -> bool:
        """Whether a call belongs to the request."""
        trace = kwargs.get("litellm_trace_id")
        if self.call is not None and self.call == kwargs.get("litellm_call_id"):
            self.traces.add(trace)
            return True
        # A caller can choose the trace id, but not the context that the request is found in.
        return trace is not None and trace in self.traces and self.key == key


@dataclass(frozen=True, slots=True)
class Request:
    """What a request has to decide on, and what was decided for each deployment that it led to."""

    ids: _Ids
    caller: CallerHeaders
    user: User | None
    """None for a call of the proxy itself."""
    span: trace.Span | None = None
    about_user: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers that LiteLLM adds by a setting of the operator."""
    decisions: dict[Deployment, RequestDecision] = field(default_factory=dict, repr=False)

    def decision_for(self, deployment: Deployment) -> RequestDecision:
        """Return the decision for a deployment; made and recorded once, however often the call is tried."""
        decision = self.decisions.get(deployment)
        if decision is None:
            decision = self.decisions[deployment] = self._decide(deployment)
        elif decision.call is None:
            clear_decision(deployment.label)
        else:
            resume_call(decision.call)
        return decision

    def _decide(self, deployment: Deployment) -> RequestDecision:
        policy, user = deployment.policy, self.user
        headers = self.caller.for_provider(deployment.provider) if policy.enabled else None
        identity = policy.identity_headers(user) if policy.enabled and policy.set and user is not None else None
        if headers is None and identity is None:
            clear_decision(deployment.label)
            return RequestDecision(None)
        with nullcontext() if self.span is None else trace.use_span(self.span, end_on_exit=False):
            return deployment.enforcer.decide(headers, deployment.outbound_names, deployment.base_url, user, identity)


# A task that outlives the request keeps its context; the ids then keep the request's headers off the task's own calls.
_current: ContextVar[Request | None] = ContextVar("extra_headers_litellm_request", default=None)


def take(data: dict[str, Any], auth: Any) -> None:
    """Take the caller's headers out of the data of a request, and keep them for the calls that it leads to."""
    # A caller could name another deployment in these, and so another policy.
    for holder in (data, data.get("metadata"), data.get("litellm_metadata")):
        if isinstance(holder, dict):
            holder.pop("model_info", None)
    nested = remove_nested(data, lambda part: is_callers_choice("api_key", part))
    caller = CallerHeaders.in_data(data)
    if is_callers_choice("api_key", data):
        caller = caller.without(("api_key",))
    about_user = headers_about(auth, data.get(PLAIN))
    to_decide = caller.without_equal({PLAIN: about_user}).with_unreadable(nested)
    _current.set(
        Request(_Ids(data.get("litellm_call_id"), _key_of(auth)), to_decide, user_of(auth), span_of(auth), about_user)
    )
    redact_copies(data, caller, nested)
    for name in caller.fields:
        del data[name]


def of_call(kwargs: Mapping[str, Any], deployment: Deployment) -> Request:
    """Return the request that a call belongs to.

    A call that the first hook has not seen has one of its own. It is the proxy's own call, or a caller's by another
    way; then all that the operator's configuration does not say is the caller's.
    """
    holders = [kwargs.get(name) for name in ("litellm_metadata", "metadata")]
    found = [holder.get("user_api_key_auth") for holder in holders if isinstance(holder, dict)]
    auth = next((each for each in found if each is not None), None)
    request = _current.get()
    if request is not None and request.ids.lead_to(kwargs, _key_of(auth)):
        return request
    caller = CallerHeaders.in_data(kwargs).without(("api_key",)).without_equal(deployment.own)
    return Request(_Ids(), caller, None if auth is None else user_of(auth), span_of(auth))


def _key_of(auth: Any) -> object:
    return getattr(auth, "api_key", None)


def request_of_pass_through(caller: CallerHeaders, auth: Any) -> Request:
    """Return the request of a pass-through endpoint."""
    return Request(_Ids(), caller, NOBODY if auth is None else user_of(auth), span_of(auth))
