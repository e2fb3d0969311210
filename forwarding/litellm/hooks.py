"""The callback: takes the caller's headers out of a request, and gives each call those that the policy passes.

Blocking fails closed: whatever goes wrong in here ends the request before anything is sent.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, override

from litellm.integrations.custom_logger import CustomLogger
from litellm.types.utils import MCP_GUARDRAIL_CALL_TYPES, CallTypes

from extra_headers.telemetry.spans import clear_decision

from ..enforcement import OutboundHeaders, RequestDecision
from .caller import BODY, HEADER_FIELDS, PLAIN, CallerHeaders, redact_call
from .deployments import Deployment, Deployments
from .passthrough import deployment_of_call
from .refusal import failing_closed, refused
from .requests import of_call, request_of_pass_through, take

# The data of these is what the caller sends to a tool or, byte for byte, to a provider.
_NOT_A_CALL_TO_A_MODEL = MCP_GUARDRAIL_CALL_TYPES | {"pass_through_endpoint"}
# LiteLLM sends no header fields here, neither the caller's nor the operator's; of some, for this provider.
_NO_HEADERS_SENT: Mapping[object, str | None] = {
    CallTypes.acreate_file: None,
    CallTypes.amoderation: None,
    CallTypes.aspeech: "openai",
    CallTypes.atranscription: "openai",
}
# Of the two header fields, its openai client sends one as headers and the other in the body.
_HEADERS_ALONE = frozenset({CallTypes.aimage_generation, CallTypes.image_generation})


class ExtraHeadersCallback(CustomLogger):  # type: ignore[misc]
    """Decides on the extra headers of every call to a deployment."""

    def __init__(self, deployments: Deployments) -> None:
        super().__init__()
        self._deployments = deployments

    @override
    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> Any:
        """Take the caller's headers out of a request's data, before anything else can use them."""
        if call_type not in _NOT_A_CALL_TO_A_MODEL:
            with failing_closed():
                take(data, user_api_key_dict)
        return data

    @override
    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any]:
        """Return the call to a deployment with the headers that pass.

        Raises:
            RefusedError: the policy rejects the request; nothing is sent.

        """
        with failing_closed():
            deployment = self._deployments.of(kwargs)
            deployment_of_call.set(deployment)
            return _with_headers(kwargs, call_type, deployment)

    @override
    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Remove the values of headers from what LiteLLM reports to its callbacks."""
        redact_call(kwargs)

    @override
    def log_post_api_call(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Remove them again, because LiteLLM reports the call anew when it is answered."""
        redact_call(kwargs)

    @override
    async def async_logging_hook(self, kwargs: Any, result: Any, call_type: Any) -> Any:
        """Take them out of what the callbacks of a call that succeeded get."""
        redact_call(kwargs)
        return kwargs, result

    def decide_on_pass_through(
        self, deployment: Deployment | None, caller: Mapping[str, object], own: Mapping[str, Any], auth: Any
    ) -> OutboundHeaders | None:
        """Return the headers to add to a pass-through request.

        Raises:
            RefusedError: the policy rejects the request.

        """
        target = deployment or self._deployments.no_deployment("")
        target = replace(target, outbound_names=target.outbound_names | own.keys())
        request = request_of_pass_through(CallerHeaders({PLAIN: caller} if caller else {}), auth)
        return _headers_of(request.decision_for(target), target)


def _with_headers(kwargs: dict[str, Any], call_type: object, deployment: Deployment) -> dict[str, Any]:
    call = {name: value for name, value in kwargs.items() if name not in HEADER_FIELDS} | dict(deployment.own)
    if call_type in _NO_HEADERS_SENT and _NO_HEADERS_SENT[call_type] in (None, deployment.provider):
        clear_decision(deployment.label)
        return call
    request = of_call(kwargs, deployment)
    added = _headers_of(request.decision_for(deployment), deployment)
    if added is None and not request.about_user:
        return call
    own = {**deployment.own_headers, **request.about_user}
    # Which of the two fields a client of LiteLLM takes depends on the endpoint; none sends both.
    call[PLAIN] = (added or OutboundHeaders()).matching_spelling_of(own).merged_with(own)
    call[BODY] = dict(call[PLAIN])
    if call_type in _HEADERS_ALONE and deployment.provider == "openai":
        del call[BODY]
    return call


def _headers_of(decision: RequestDecision, deployment: Deployment) -> OutboundHeaders | None:
    if (error := decision.rejection(deployment.label)) is not None:
        raise refused(error)
    return decision.headers
