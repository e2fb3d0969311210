"""LiteLLM's endpoints of assistants and threads, which call no hook: they get no header fields.

They send no extra headers, neither the caller's nor identity headers, and nothing is counted.
"""

from functools import wraps
from typing import Any

from litellm.router import Router

from .caller import FIELDS
from .own_credentials import is_callers_choice

_WRAPPED = "_extra_headers_wrapped"


def control_assistants() -> None:
    """Have the router drop header fields of a request to these endpoints. Once per process."""
    call: Any = Router._pass_through_assistants_endpoint_factory  # noqa: SLF001 - what all of these go through
    if hasattr(call, _WRAPPED):
        return

    @wraps(call)
    async def without_header_fields(router: Any, *args: Any, **kwargs: Any) -> Any:
        kept = ("api_key",) if is_callers_choice("api_key", kwargs) else ()
        return await call(router, *args, **{n: v for n, v in kwargs.items() if n in kept or n not in FIELDS})

    setattr(without_header_fields, _WRAPPED, True)
    untyped: Any = Router
    untyped._pass_through_assistants_endpoint_factory = without_header_fields  # noqa: SLF001
