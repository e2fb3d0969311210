"""LiteLLM's pass-through endpoints, which call no hook that could change a header: its choice of headers is wrapped.

They have no deployment, and so the default policy decides; a pass-through to a deployment has that one's.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any

from litellm.constants import PASS_THROUGH_HEADER_PREFIX
from litellm.passthrough.utils import BasePassthroughUtils
from litellm.proxy.pass_through_endpoints import pass_through_endpoints

from extra_headers.telemetry.propagation import allowed_to_provider

from ..enforcement import OutboundHeaders
from ..policy.field_names import normalize_name
from .deployments import Deployment
from .refusal import failing_closed

# Every request to the proxy carries these for the proxy itself. They say nothing of the call that it makes.
_FOR_THE_PROXY = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
        "x-litellm-api-key",
    }
)
_WRAPPED = "_extra_headers_wrapped"

type Decide = Callable[[Deployment | None, Mapping[str, object], Mapping[str, Any], Any], OutboundHeaders | None]

deployment_of_call: ContextVar[Deployment | None] = ContextVar("extra_headers_litellm_deployment", default=None)
_auth: ContextVar[Any] = ContextVar("extra_headers_litellm_auth", default=None)


def control_pass_through(decide: Decide) -> None:
    """Have `decide` choose the headers of every pass-through request. Once per process.

    Args:
        decide: gets the deployment, if any, the caller's headers that LiteLLM would forward, the operator's, and the
            authenticated user; returns those to add.

    """
    choose: Any = BasePassthroughUtils.forward_headers_from_request
    if hasattr(choose, _WRAPPED):
        return

    @wraps(choose)
    def forward_headers_from_request(
        request_headers: dict[str, Any], headers: dict[str, Any], forward_headers: object = None
    ) -> dict[str, Any]:
        with failing_closed():
            own = _operators(headers, request_headers)
            found = choose(dict(request_headers), dict(headers), forward_headers)
            added = decide(deployment_of_call.get(), _callers(found, own), own, _auth.get())
            return own if added is None else added.matching_spelling_of(own).merged_with(own)

    request: Any = pass_through_endpoints.pass_through_request

    @wraps(request)
    async def pass_through_request(*args: Any, **kwargs: Any) -> Any:
        deployment_of_call.set(None)
        _auth.set(kwargs.get("user_api_key_dict"))
        return await request(*args, **kwargs)

    write: Any = pass_through_endpoints._with_trace_context  # noqa: SLF001 - LiteLLM writes it by itself, after all else

    @wraps(write)
    def with_trace_context(headers: Mapping[str, str], parent_span: object) -> dict[str, str]:
        return {**allowed_to_provider(write({}, parent_span)), **headers}

    setattr(forward_headers_from_request, _WRAPPED, True)
    untyped: Any = BasePassthroughUtils
    untyped.forward_headers_from_request = staticmethod(forward_headers_from_request)
    endpoints: Any = pass_through_endpoints
    endpoints.pass_through_request = pass_through_request
    endpoints._with_trace_context = with_trace_context  # noqa: SLF001


def _operators(headers: Mapping[str, Any], request_headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return which of an endpoint's own headers are the operator's: some endpoints add the caller's to them."""
    sent = {(name.lower(), value) for name, value in request_headers.items()}
    return {name: value for name, value in headers.items() if (name.lower(), value) not in sent}


def _callers(found: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, object]:
    """Return which headers of a pass-through request are the caller's, and not for the proxy itself.

    LiteLLM has then chosen one of the caller's and the operator's of a name, and the caller's where it has `x-pass-`.
    """
    return {
        name: value
        for name, value in found.items()
        if normalize_name(name) not in _FOR_THE_PROXY
        and not name.lower().startswith(PASS_THROUGH_HEADER_PREFIX)  # taken up by LiteLLM without the prefix
        and not (name in own and own[name] == value)
    }
