"""Loaded by a host for `module: tests.mcp.repaired`: repairs the endpoint, and offers no provider."""

from typing import Any

from ogx.core import stack
from ogx_api import Api

_register = stack.auto_register_tool_groups


async def _register_and_tell(run_config: Any, impls: dict[Any, Any]) -> None:
    impls[Api.admin].deps = impls
    await _register(run_config, impls)


def get_provider_spec() -> list[Any]:
    """Repair the endpoint of the server that starts."""
    stack.auto_register_tool_groups = _register_and_tell
    return []
