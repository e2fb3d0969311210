"""No cookie outlives a call: a provider's, set for one caller, would go out with the next caller's request.

LiteLLM's own HTTP clients keep none; those that it makes for the openai SDK do.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from litellm.llms.custom_httpx.http_handler import blocked_cookie_jar
from litellm.llms.openai.common_utils import BaseOpenAILLM

_WRAPPED = "_extra_headers_wrapped"


def keep_no_cookies() -> None:
    """Have LiteLLM make the SDK's HTTP clients with a jar that keeps nothing. Once per process."""
    for name in ("_get_async_http_client", "_get_sync_http_client"):
        make = getattr(BaseOpenAILLM, name)
        if not hasattr(make, _WRAPPED):
            setattr(BaseOpenAILLM, name, staticmethod(_without_cookies(make)))


def _without_cookies(make: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(make)
    def made(*args: Any, **kwargs: Any) -> Any:
        client = make(*args, **kwargs)
        if client is not None:
            client.cookies = blocked_cookie_jar()
        return client

    setattr(made, _WRAPPED, True)
    return made
