"""What the add-on costs a request without extra headers: the `client` property of a real provider, on and off."""

import asyncio
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import ogx.core.distribution  # noqa: F401 - what the add-on knows its host by
from ogx.core.request_headers import PROVIDER_DATA_VAR

from benchmarks.sidebyside import Row, at_most_more, measure
from extra_headers.forwarding.ogx.host import current_host

_VLLM = "ogx.providers.remote.inference.vllm"
REQUESTS: dict[str, dict[str, str] | None] = {
    "no provider data in the request": None,
    "provider data without extra headers": {"vllm_api_token": "the-callers-key"},
}
"""The provider data of requests without extra headers."""
ON, OFF = "on", "off"


def rows() -> Iterator[Row]:
    """Measure."""
    subjects = clients()
    for what, provider_data in REQUESTS.items():
        token = PROVIDER_DATA_VAR.set(provider_data)
        timings = measure(subjects)
        PROVIDER_DATA_VAR.reset(token)
        yield at_most_more(2, f"{what}: a provider's `client`, on against off", "us", timings[ON], timings[OFF])


def clients() -> dict[str, Callable[[], object]]:
    """Return what asks a provider for its client, with the add-on and without."""
    adapter = import_module("extra_headers.forwarding.ogx.specs")
    settings = {"base_url": "http://127.0.0.1:8000/v1", "api_token": "the-key"}
    on: Any = asyncio.run(adapter.get_adapter_impl(adapter.Config_vllm(**settings, extra_headers=True), {}))
    off: Any = asyncio.run(import_module(_VLLM).get_adapter_impl(adapter.Config_vllm(**settings), {}))
    (built_in,) = (spec for spec in current_host().inference_provider_specs() if spec.adapter_type == "vllm")
    for provider, spec in ((on, adapter.extended_spec(built_in)), (off, built_in)):
        provider.__provider_id__, provider.__provider_spec__ = "vllm", spec
    return {ON: lambda: on.client, OFF: lambda: off.client}
