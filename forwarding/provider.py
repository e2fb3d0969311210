"""What `module: extra_headers.forwarding` in a run config loads; the names here are the host's."""

from functools import cache
from typing import Any

from .ogx.specs import built_in_specs, extended_spec


def get_provider_spec() -> list[Any]:
    """Return the host's built-in providers that can have extra headers, each extended by the `extra_headers` setting.

    The host picks the one of the entry's own `provider_type`.
    """
    return list(_extended_specs())


@cache
def _extended_specs() -> tuple[Any, ...]:
    # The host asks once for each entry of the run config.
    return tuple(extended_spec(spec) for spec in built_in_specs().values())
