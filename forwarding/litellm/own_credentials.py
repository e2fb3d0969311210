"""Fields of a request that the operator has left to the caller, by LiteLLM's own settings."""

from collections.abc import Mapping
from typing import Any


def is_callers_choice(name: str, data: Mapping[str, Any]) -> bool:
    """Whether a field is the proxy's own, or the operator lets callers set it.

    By `general_settings.allow_client_side_credentials`, or by `configurable_clientside_auth_params` of the model.
    """
    if name not in data:
        return False
    request = data.get("proxy_server_request")
    # LiteLLM notes which credentials came with the request, before it adds others.
    if isinstance(request, Mapping) and name not in request.get("credential_fields", (name,)):
        return True
    from litellm.proxy import proxy_server  # noqa: PLC0415 - only loaded in a proxy
    from litellm.proxy.auth.auth_utils import (  # noqa: PLC0415
        _allow_model_level_clientside_configurable_parameters,
    )

    if proxy_server.general_settings.get("allow_client_side_credentials") is True:
        return True
    allowed = _allow_model_level_clientside_configurable_parameters(
        model=str(data.get("model")), param=name, request_body_value=data[name], llm_router=proxy_server.llm_router
    )
    return allowed is True
