"""The host of the environment that the tests run in: OGX or llama-stack, and what tests must know of it."""

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from extra_headers.forwarding.ogx.host import PROVIDER_DATA_HEADERS
from extra_headers.forwarding.testing.processes import HostServer, OgxServer, run_config
from tests.server.llama_stack import LlamaStackServer, llama_stack_run_config

IS_OGX = find_spec("ogx") is not None
SERVER: type[HostServer] = OgxServer if IS_OGX else LlamaStackServer
HEADER = PROVIDER_DATA_HEADERS[SERVER.package]

host_run_config: Callable[[Sequence[Mapping[str, Any]], Path, int], dict[str, Any]] = (
    run_config if IS_OGX else llama_stack_run_config
)


def metrics_environment(port: int) -> dict[str, str]:
    """Return what makes the server serve the add-on's metrics: on OGX's own endpoint, or else on the add-on's."""
    if IS_OGX:
        return {"OGX_METRICS_ENDPOINT_ENABLED": "1", "OGX_METRICS_PORT": str(port)}
    return {"EXTRA_HEADERS_METRICS_PORT": str(port)}


def load(module: str) -> Any:
    """Import a module of the host, with `{host}` in its name for the host's package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the host's own
        return importlib.import_module(module.format(host=SERVER.package))
