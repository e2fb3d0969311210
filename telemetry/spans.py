"""Span attributes of the decisions, and what keeps header values out of traces.

The decision is written to the server span of the request (where it is not known, to the span that is current when the
decision is made), and without its lists to the CLIENT spans of the calls to the provider that follow from it. Names
only; values nowhere, not even where an HTTP instrumentation was told to capture every header.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.util.types import AttributeValue

from extra_headers.forwarding.policy.decision import DecisionKind, Evaluation, Outcome
from extra_headers.forwarding.policy.identity import IdentityHeaders, User

from . import contract, origins
from .origins import Origin
from .propagation import is_callers_trace, sends_trace_context
from .redaction import redact
from .remembered import remembered

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span

_DECISION = "_extra_headers_decision"
_PROVIDER_DATA_HEADERS = ("x-ogx-provider-data", "x-llamastack-provider-data")


class ClientCall(NamedTuple):
    """What the CLIENT spans of the calls that follow from one evaluation are to carry."""

    attributes: Mapping[str, AttributeValue]
    """Of the decision; CLIENT spans carry its lists only if no other span does."""
    is_carried: bool
    origins: frozenset[Origin]
    """Where the provider is."""
    added: Mapping[str, str]
    link: SpanContext | None


_server_span: ContextVar[trace.Span] = ContextVar("extra_headers_server_span", default=trace.INVALID_SPAN)
_client_call: ContextVar[ClientCall | None] = ContextVar("extra_headers_client_call", default=None)


def decision_attributes(  # noqa: PLR0913 - what is known of one request
    evaluation: Evaluation | None,
    provider: str,
    policy: str,
    user: User | None = None,
    identity_headers: IdentityHeaders | None = None,
    *,
    from_request: Collection[str] = (),
    mcp_server: str | None = None,
) -> dict[str, AttributeValue]:
    """Return the attributes that describe one request.

    Args:
        evaluation: of the caller's headers; None for a caller who sent none.
        provider: the provider id.
        policy: digest of the policy.
        user: whom the host authenticated.
        identity_headers: what the server sets.
        from_request: names of the headers that came as plain headers of the request.
        mcp_server: the MCP server that the headers are for; None for a model provider.

    """
    attributes = {} if evaluation is None else dict(remembered(_evaluation_attributes, evaluation))
    attributes[contract.ATTR_PROVIDER] = provider
    attributes[contract.ATTR_POLICY] = policy
    if _is_callers_trace():
        attributes[contract.ATTR_TRACE_ID_FROM_CALLER] = True
    if mcp_server is not None:
        attributes[contract.ATTR_MCP_SERVER] = mcp_server[: contract.MAX_NAME_CHARACTERS]
    if from_request:
        attributes[contract.ATTR_FROM_REQUEST_NAMES] = _capped(from_request)
    if identity_headers is not None:
        if identity_headers.headers:
            attributes[contract.ATTR_IDENTITY_HEADERS_NAMES] = _capped(identity_headers.headers)
        if identity_headers.missing:
            attributes[contract.ATTR_IDENTITY_HEADERS_MISSING] = _capped([h.name for h in identity_headers.missing])
        if identity_headers.rejected:
            attributes[contract.ATTR_OUTCOME] = Outcome.REJECTED.value
    if user is not None and user.id is not None:
        attributes[contract.ATTR_USER] = user.id[: contract.MAX_USER_CHARACTERS]
    if user is not None and user.tenant is not None:
        attributes[contract.ATTR_TENANT] = user.tenant[: contract.MAX_USER_CHARACTERS]
    return attributes


def _is_callers_trace() -> bool:
    if not sends_trace_context():
        return False
    span = _request_span()
    return span.is_recording() and is_callers_trace(span.get_span_context().trace_id)


def _evaluation_attributes(evaluation: Evaluation) -> dict[str, AttributeValue]:
    forwarded, blocked, malformed = (
        [d for d in evaluation.decisions if d.kind is kind]
        for kind in (DecisionKind.FORWARDED, DecisionKind.BLOCKED, DecisionKind.MALFORMED)
    )
    if evaluation.outcome is Outcome.REJECTED:
        forwarded = []
    attributes: dict[str, AttributeValue] = {
        contract.ATTR_OUTCOME: evaluation.outcome.value,
        contract.ATTR_FORWARDED_COUNT: len(forwarded),
        contract.ATTR_BLOCKED_COUNT: len(blocked),
        contract.ATTR_MALFORMED_COUNT: len(malformed),
    }
    if forwarded:
        attributes[contract.ATTR_FORWARDED_NAMES] = _capped([d.name for d in forwarded if d.name is not None])
    if blocked:
        attributes[contract.ATTR_BLOCKED_NAMES] = _capped([d.name for d in blocked if d.name is not None])
        attributes[contract.ATTR_BLOCKED_REASONS] = sorted({d.reason.value for d in blocked})
    if malformed:
        attributes[contract.ATTR_MALFORMED_REASONS] = sorted({d.reason.value for d in malformed})
    return attributes


def shadow_attributes(live: Evaluation, shadow: Evaluation, policy: str) -> dict[str, AttributeValue]:
    """Return the attributes that say where a request would have fared otherwise under the shadow policy.

    Args:
        live: what was decided.
        shadow: what the shadow policy would have decided on the same headers.
        policy: digest of the policy that enforcing it would give.

    """
    pairs = zip(live.decisions, shadow.decisions, strict=True)
    differing = [would_be for is_, would_be in pairs if is_.kind is not would_be.kind]
    forwarded = [d.name for d in differing if d.kind is DecisionKind.FORWARDED and d.name is not None]
    stopped = [d for d in differing if d.kind is not DecisionKind.FORWARDED]
    attributes: dict[str, AttributeValue] = {
        contract.ATTR_SHADOW_POLICY: policy,
        contract.ATTR_SHADOW_OUTCOME: shadow.outcome.value,
        contract.ATTR_SHADOW_DIFFERING: len(differing),
    }
    if forwarded:
        attributes[contract.ATTR_SHADOW_FORWARDED_NAMES] = _capped(forwarded)
    if stopped:
        attributes[contract.ATTR_SHADOW_STOPPED_NAMES] = _capped([d.name for d in stopped if d.name is not None])
        attributes[contract.ATTR_SHADOW_STOPPED_REASONS] = sorted({d.reason.value for d in stopped})
    return attributes


def _capped(names: Collection[str]) -> list[str]:
    return [name[: contract.MAX_NAME_CHARACTERS] for name in islice(names, contract.MAX_NAMES_PER_ATTRIBUTE)]


def record_decision(
    attributes: Mapping[str, AttributeValue],
    added: Mapping[str, str],
    base_url: str,
    tracer: trace.Tracer | None = None,
) -> SpanContext:
    """Write a decision to the span of the request and remember it for the CLIENT spans of this call.

    Where no span is recording, or that of the request carries another decision, it gets a span of its own, to which the
    CLIENT spans then link. If it is a caller who chose that nothing is recorded, the span starts a trace, so that the
    caller's `sampled` flag cannot hide the decision. One about an MCP server always has its own span.

    Args:
        attributes: of `decision_attributes`.
        added: the headers that the call carries by this decision: forwarded, or identity headers. No value is written.
        base_url: of the provider. Only CLIENT spans to it, or to its `note_provider_urls`, carry the decision.
        tracer: makes the span of its own; by default from the global tracer provider.

    Returns:
        The context of the span that carries the decision; invalid where nothing is recorded.

    """
    span = _request_span()
    link: SpanContext | None = None
    recording = span.is_recording()
    if recording:
        redact(span, added, added.values())
    if recording and contract.ATTR_MCP_SERVER not in attributes and not _carries_another(span, attributes):
        span.set_attributes(attributes)
    else:
        requested = span.get_span_context()
        chosen_by_caller = not recording and is_callers_trace(requested.trace_id)
        span = (tracer or _own_tracer()).start_span(
            contract.SPAN_EVALUATE,
            Context() if chosen_by_caller else None,
            attributes=attributes,
            links=[Link(requested)] if chosen_by_caller else None,
        )
        recording = span.is_recording()
        span.end()
        link = span.get_span_context()
    where = origins.of_call(base_url, origins.of_provider(str(attributes[contract.ATTR_PROVIDER])))
    _client_call.set(ClientCall(attributes, recording, where, added, link))
    return span.get_span_context()


def _carries_another(span: trace.Span, attributes: Mapping[str, AttributeValue]) -> bool:
    """Return whether a span has a decision that differs: two on one span would be read as one."""
    state: dict[str, object] = getattr(span, "__dict__", {})
    carried = state.setdefault(_DECISION, attributes)
    return carried is not attributes and carried != attributes


@cache
def _own_tracer() -> trace.Tracer:
    """Return the tracer of the global tracer provider, also where that is set later: the API passes it on."""
    return trace.get_tracer(contract.NAMESPACE)


def _request_span() -> trace.Span:
    """Return the server span of this request, not a part of it that happens to be current; else the current span."""
    current, server = trace.get_current_span(), _server_span.get()
    if server is current or server is trace.INVALID_SPAN:
        return current
    same_request = server.get_span_context().trace_id == current.get_span_context().trace_id
    return server if same_request and server.is_recording() else current


def undecided_call(base_url: str) -> ClientCall:
    """Return what the CLIENT spans of calls to a provider are to carry where there is nothing to decide."""
    return _call_without_decision(origins.of_call(base_url))


@lru_cache(maxsize=4096)
def _call_without_decision(where: frozenset[Origin]) -> ClientCall:
    return ClientCall({}, False, where, {}, None)


def current_call() -> ClientCall | None:
    """Return what the CLIENT spans of this context are to carry, for `resume_call`."""
    return _client_call.get()


def resume_call(call: ClientCall | None) -> None:
    """Make the CLIENT spans of this context carry a decision that was recorded in another one."""
    _client_call.set(call)


def clear_decision(provider: str | None = None) -> None:
    """Forget the remembered decision: the next call in this context sends none of the caller's headers. Never fails.

    Args:
        provider: the provider that the call goes to; None where no call follows.

    """
    if provider is not None:
        _client_call.set(_call_without_decision(origins.of_provider(provider)))
    elif _client_call.get() is not None:
        _client_call.set(None)


def is_provider_call(span: trace.Span) -> bool:
    """Return whether the span of an outbound call, recorded or not, may belong to a call to a provider."""
    call = _client_call.get()
    if call is None:
        return False
    origin = origins.of_span(span)
    return origin is None or not call.origins or origin in call.origins


@contextmanager
def call_scope() -> Iterator[None]:
    """Keep what is recorded within for the calls made within: a plain client has no request whose end would end it."""
    token = _client_call.set(None)
    try:
        yield
    finally:
        _client_call.reset(token)


def request_started(provider_data_headers: Collection[str] = _PROVIDER_DATA_HEADERS) -> None:
    """Note the current span as the server span of a request with provider data, and take that data off it.

    Instrumentations that were told to capture every header have written it there.
    """
    span = trace.get_current_span()
    _server_span.set(span)
    if span.is_recording():
        redact(span, provider_data_headers)


def annotate_client_span(span: "Span") -> None:
    """Write the decision to a CLIENT span that starts, and overwrite values of extra headers that it has captured.

    Without its lists, where another span carries them: the SDK checks each element on each span.
    """
    if (call := _client_call.get()) is None or span.kind is not SpanKind.CLIENT:
        return
    if call.added:
        redact(span, call.added, call.added.values())
    if call.attributes and origins.of_span(span) in call.origins:
        span.set_attributes({k: v for k, v in call.attributes.items() if not (call.is_carried and isinstance(v, list))})
        if call.link is not None and call.link.is_valid:
            span.add_link(call.link)
