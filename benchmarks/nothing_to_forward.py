"""What the add-on costs a request without extra headers: the `client` property of a real provider, on and off."""

import asyncio
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import ogx.core.distribution  # noqa: F401 - what the add-on knows its host by
from ogx.core.request_headers import PROVIDER_DATA_VAR

from benchmarks.sidebyside import Row, at_most_more, measure
from extra_headers.forwarding.host import current_host

_VLLM = "ogx.providers.remote.inference.vllm"


def rows() -> Iterator[Row]:
    """Measure."""
    adapter = import_module("extra_headers.forwarding.adapter")
    settings = {"base_url": "http://127.0.0.1:8000/v1", "api_token": "the-key"}
    on = asyncio.run(adapter.get_adapter_impl(adapter.Config_vllm(**settings, extra_headers=True), {}))
    off = asyncio.run(import_module(_VLLM).get_adapter_impl(adapter.Config_vllm(**settings), {}))
    (built_in,) = (spec for spec in current_host().inference_provider_specs() if spec.adapter_type == "vllm")
    for provider, spec in ((on, adapter.extended_spec(built_in)), (off, built_in)):
        provider.__provider_id__, provider.__provider_spec__ = "vllm", spec
    yield from _row("no provider data in the request: a provider's `client`, on against off", on, off)
    token = PROVIDER_DATA_VAR.set({"vllm_api_token": "the-callers-key"})
    yield from _row("provider data without extra headers: the same", on, off)
    PROVIDER_DATA_VAR.reset(token)


def _row(what: str, on: Any, off: Any) -> Iterator[Row]:
    timings = measure({"on": lambda: on.client, "off": lambda: off.client})
    yield at_most_more(2, what, "us", timings["on"], timings["off"])
