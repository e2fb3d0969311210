"""The hosts that the demo can run: how each is configured and started, and how its callers send extra headers."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extra_headers.telemetry import contract

from ...testing.processes import HostServer, LiteLlmServer, OgxServer, inference_provider, run_config
from ...testing.recording_provider import MODEL
from .scenarios import IDENTITY_PROVIDER_ID, IDENTITY_SETTING, PROVIDER_ID, PROVIDER_KEY, USER, USER_HEADER

_POLICIES: Mapping[str, Any] = {PROVIDER_ID: True, IDENTITY_PROVIDER_ID: IDENTITY_SETTING}
_PROVIDER_DATA_HEADER = "X-OGX-Provider-Data"
_AUTHENTICATION = f"""
from litellm.proxy._types import UserAPIKeyAuth

async def authenticate(request, api_key):
    return UserAPIKeyAuth(api_key="key", user_id=request.headers.get("{USER_HEADER}"))
"""
"""The user is the one that a gateway in front of the proxy names, as on OGX."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host."""

    name: str
    server: type[HostServer]
    packages: Sequence[str]
    """What must be installed."""
    extras: str
    """The extras of the add-on that install it."""
    file: str
    """What its operators call its configuration."""
    loading: str
    """How the add-on is switched on, for people."""
    configure: Callable[[str, Path, int], dict[str, Any]]
    """Returns its configuration for a provider's URL, a directory and a port."""
    excerpt: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """Returns the part of its configuration to show."""
    variables: Callable[[Path, int], dict[str, str]]
    """Returns its environment for a directory and the port of the metrics."""
    sent: Callable[[Mapping[str, str]], str]
    """Returns how a request has extra headers."""
    nothing_sent: str
    ask: Callable[[str, str, Mapping[str, str] | None], tuple[dict[str, str], dict[str, Any]]]
    """Returns headers and body of a chat request with a message to a provider, with extra headers."""


def _ogx_config(base_url: str, directory: Path, port: int) -> dict[str, Any]:
    entries = [
        inference_provider(name, base_url, setting, "remote::vllm", api_token=PROVIDER_KEY)
        for name, setting in _POLICIES.items()
    ]
    config = run_config(entries, directory, port)
    config["server"]["auth"] = {"provider_config": {"type": "upstream_header", "principal_header": USER_HEADER}}
    return config


def _provider_data(headers: Mapping[str, str]) -> str:
    return json.dumps({"vllm_extra_headers": headers})


def _ask_ogx(
    provider: str, content: str, extra_headers: Mapping[str, str] | None
) -> tuple[dict[str, str], dict[str, Any]]:
    headers = {USER_HEADER: USER}
    if extra_headers:
        headers[_PROVIDER_DATA_HEADER] = _provider_data(extra_headers)
    return headers, {"model": f"{provider}/{MODEL}", "messages": [{"role": "user", "content": content}]}


OGX = Host(
    name="OGX",
    server=OgxServer,
    packages=("ogx",),
    extras="ogx",
    file="run config",
    loading="two lines load the add-on and switch it on",
    configure=_ogx_config,
    excerpt=lambda config: {"providers": {"inference": config["providers"]["inference"][:1]}},
    variables=lambda directory, metrics_port: {
        "OGX_CONFIG_DIR": str(directory),
        "OGX_METRICS_ENDPOINT_ENABLED": "1",
        "OGX_METRICS_PORT": str(metrics_port),
    },
    sent=lambda headers: f"{_PROVIDER_DATA_HEADER}: {_provider_data(headers)}",
    nothing_sent=f"no {_PROVIDER_DATA_HEADER}",
    ask=_ask_ogx,
)


def _litellm_config(base_url: str, directory: Path, _: int) -> dict[str, Any]:
    (directory / "authentication.py").write_text(_AUTHENTICATION)
    params = {"model": f"hosted_vllm/{MODEL}", "api_base": base_url, "api_key": PROVIDER_KEY}
    return {
        "model_list": [
            # LiteLLM takes models with equal parameters for one.
            {
                "model_name": name,
                "litellm_params": {**params, "timeout": seconds},
                "model_info": {"extra_headers": each},
            }
            for seconds, (name, each) in enumerate(_POLICIES.items(), start=60)
        ],
        "litellm_settings": {
            "callbacks": ["extra_headers.forwarding.litellm.callback"],
            # Calls by httpx, of which the add-on makes spans.
            "disable_aiohttp_transport": True,
        },
        "general_settings": {"master_key": "sk-the-demo-master-key", "custom_auth": "authentication.authenticate"},
    }


def _ask_litellm(
    provider: str, content: str, extra_headers: Mapping[str, str] | None
) -> tuple[dict[str, str], dict[str, Any]]:
    body: dict[str, Any] = {"model": provider, "messages": [{"role": "user", "content": content}]}
    if extra_headers:
        body["extra_headers"] = dict(extra_headers)
    return {USER_HEADER: USER}, body


LITELLM = Host(
    name="LiteLLM",
    server=LiteLlmServer,
    packages=("litellm", "fastapi", "opentelemetry.exporter.otlp.proto.http"),
    extras="litellm,otlp",
    file="config.yaml",
    loading="one line loads the add-on",
    configure=_litellm_config,
    excerpt=lambda config: {
        "model_list": config["model_list"][:1],
        "litellm_settings": {"callbacks": config["litellm_settings"]["callbacks"]},
    },
    variables=lambda directory, metrics_port: {
        "HOME": str(directory),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch a list of prices
        contract.ENV_METRICS_PORT: str(metrics_port),
    },
    sent=lambda headers: json.dumps({"extra_headers": headers}),
    nothing_sent="no extra_headers in the body",
    ask=_ask_litellm,
)
HOSTS: Mapping[str, Host] = {"ogx": OGX, "litellm": LITELLM}
