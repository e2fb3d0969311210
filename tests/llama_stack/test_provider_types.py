"""Every remote inference provider type that llama-stack knows, built as the host builds it with the flag on."""

import re
from typing import Any

import pytest
import yaml
from openai import OpenAIError

from extra_headers.forwarding.ogx.host import Host
from extra_headers.forwarding.ogx.specs import extended_spec, get_adapter_impl
from extra_headers.forwarding.policy.model import default_field
from tests.server.host import HEADER, load

load("{host}.core.distribution")
_SPECS = {spec.provider_type: spec for spec in Host("llama_stack").inference_provider_specs()}
# Those whose client is made with what only the provider's cloud hands out.
_NEED_THEIR_CLOUD = {"remote::oci", "remote::vertexai"}

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the host's own and its SDKs'
]


def _sample_config(config_class: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the host's own sample config of a provider type; what the environment must hold is made up."""
    sample = config_class.sample_run_config(__distro_dir__="made-up")
    for name in re.findall(r"\$\{env\.(\w+)(?::=)?\}", yaml.safe_dump(sample)):
        monkeypatch.setenv(name, "http://127.0.0.1:1/v1" if re.search("URL|BASE|HOST", name) else "made-up")
    return load("{host}.core.stack").replace_env_vars(sample)


@pytest.mark.parametrize("provider_type", _SPECS)
class TestEveryProviderType:
    """No provider type has the flag without it doing what it says."""

    def test_its_config_class_is_found_by_its_path(self, provider_type: str) -> None:
        """The config class is the host's with one field added, under a path that the host resolves."""
        host, built_in = Host("llama_stack"), _SPECS[provider_type]
        spec = extended_spec(built_in)

        assert spec.provider_type == provider_type
        config_class = host.load_class(spec.config_class)
        assert issubclass(config_class, host.load_class(built_in.config_class))
        assert config_class.model_fields.keys() - host.load_class(built_in.config_class).model_fields.keys() == {
            "extra_headers"
        }
        assert spec.provider_data_validator == built_in.provider_data_validator

    async def test_is_built_with_the_flag(self, provider_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its client of a request carries the caller's header, and its client of no request does not."""
        host, spec = Host("llama_stack"), extended_spec(_SPECS[provider_type])
        config_class = host.load_class(spec.config_class)
        config = config_class(**_sample_config(config_class, monkeypatch), extra_headers=True)
        provider = await get_adapter_impl(config, {})
        provider.__provider_id__ = provider_type
        provider.__provider_spec__ = spec

        assert provider.__extra_headers__.forwarder is not None
        if provider_type in _NEED_THEIR_CLOUD:
            return
        if provider_type == "remote::passthrough":
            monkeypatch.setenv("OPENAI_ADMIN_KEY", "made-up")  # see the test below
        make = "client" if hasattr(type(provider), "client") else "_get_openai_client"
        data = f'{{"{default_field(provider_type)}": {{"X-Tenant": "a", "Authorization": "evil"}}}}'
        with load("{host}.core.request_headers").request_provider_data_context({HEADER: data}):
            client = _client(provider, make)
        assert client.default_headers["X-Tenant"] == "a"
        assert "evil" not in {**client.default_headers, **client.auth_headers}.values()
        assert "X-Tenant" not in _client(provider, make).default_headers


@pytest.mark.parametrize("flag", [{}, {"extra_headers": True}], ids=["without", "with the flag"])
async def test_passthrough_is_refused_by_the_sdk(flag: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The host gives it an empty API key, which the SDK takes only where the environment has another, flag or not."""
    host, built_in = Host("llama_stack"), _SPECS["remote::passthrough"]
    spec = extended_spec(built_in) if flag else built_in
    config_class = host.load_class(spec.config_class)
    config = config_class(**_sample_config(config_class, monkeypatch), **flag)
    make = get_adapter_impl if flag else load("{host}.providers.remote.inference.passthrough").get_adapter_impl
    provider = await make(config, {})
    provider.__provider_spec__ = spec

    with pytest.raises(OpenAIError, match="Missing credentials"):
        provider._get_openai_client()


def _client(provider: Any, make: str) -> Any:
    made = getattr(provider, make)
    return made if make == "client" else made()
