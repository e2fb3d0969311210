"""The start of a proxy: unusable policies stop it, and risky settings are warned of."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from extra_headers.forwarding.litellm.config_file import read_litellm_config, resolved
from extra_headers.forwarding.litellm.deployments import NO_DEPLOYMENT
from extra_headers.forwarding.litellm.settings import checked
from extra_headers.forwarding.litellm.warnings import warnings_of
from extra_headers.forwarding.policy.model import PolicyError
from extra_headers.forwarding.run_config.yaml_document import read_document
from extra_headers.forwarding.testing.processes import free_port
from extra_headers.telemetry import contract
from tests.litellm.configuration import SHARED_MODELS, configuration, model
from tests.litellm.proxy import Proxy, environment, program, written

UNUSABLE: dict[str, tuple[dict[str, Any], str]] = {
    "null for a model": (
        {"model_list": [{**model("gpt"), "model_info": {"extra_headers": None}}]},
        "model 'gpt' (openai/test-model) is null",
    ),
    "null by default": ({"callback_settings": {"extra_headers": None}}, "callback_settings is null"),
    "an entry that can never match": (
        {"model_list": [model("gpt", policy={"allow": ["x tenant"]})]},
        "'x tenant' can never match",
    ),
    "a credential to lift": (
        {"callback_settings": {"extra_headers": {"unblock": ["authorization"]}}},
        "never be unblocked",
    ),
    "OGX's field": ({"callback_settings": {"extra_headers": {"field": "vllm_extra_headers"}}}, "no provider data"),
    "plain headers to take up": (
        {"callback_settings": {"extra_headers": {"from_request": ["x-a"]}}},
        "no plain headers",
    ),
    "a header that two settings send": (
        {"model_list": [model("gpt", policy={"set": {"x-a": "${user.id}"}}, extra_headers={"X-A": "1"})]},
        "set.x-a",
    ),
    "no mapping": ({"callback_settings": {"extra_headers": "on"}}, "must be true, false or a mapping"),
}


@pytest.mark.parametrize(("sections", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_policy_is_an_error(sections: dict[str, Any], message: str) -> None:
    """The error names the place and what is wrong with it."""
    with pytest.raises(PolicyError) as error:
        checked(configuration([model("gpt")], **sections))
    assert message in str(error.value)


def test_every_unusable_model_is_listed() -> None:
    """One start shows all that is to be mended."""
    models = [model("one", policy={"allow": ["*"]}), model("two", policy={"block": [""]})]
    with pytest.raises(PolicyError) as error:
        checked(configuration(models))
    assert "'one'" in str(error.value)
    assert "'two'" in str(error.value)


def test_the_proxy_does_not_start_with_one(tmp_path: Path) -> None:
    """The proxy ends, and says why."""
    config = configuration([model("gpt", policy={"allow": ["*"]})])
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    done = subprocess.run(  # noqa: S603 - the proxy
        [program(), "--config", str(path), "--port", str(free_port()), "--host", "127.0.0.1"],
        env={**environment(tmp_path, free_port()), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "extra_headers of model 'gpt' (openai/test-model) is unusable" in done.stdout + done.stderr


WARNED: dict[str, dict[str, Any]] = {
    "forward_client_headers_to_llm_api": {"general_settings": {"forward_client_headers_to_llm_api": True}},
    "model_group_settings": {
        "litellm_settings": {"model_group_settings": {"forward_client_headers_to_llm_api": ["gpt"]}}
    },
    "forward_llm_provider_auth_headers": {"litellm_settings": {"forward_llm_provider_auth_headers": True}},
    "forward_traceparent_to_llm_provider": {"litellm_settings": {"forward_traceparent_to_llm_provider": True}},
    "allow_client_side_credentials": {"general_settings": {"allow_client_side_credentials": True}},
    "model_list[0].litellm_params.configurable_clientside_auth_params": {
        "model_list": [model("own", configurable_clientside_auth_params=["api_key"])]
    },
    "user_header_name": {"general_settings": {"user_header_name": "x-user"}},
    "user_header_mappings": {"general_settings": {"user_header_mappings": [{"header_name": "x-user"}]}},
    "general_settings.pass_through_endpoints[0].forward_headers": {
        "general_settings": {"pass_through_endpoints": [{"path": "/a", "forward_headers": True}]}
    },
    "cache": {"litellm_settings": {"cache": True}},
    "mcp_servers.weather.extra_headers": {"mcp_servers": {"weather": {"extra_headers": ["x-a"]}}},
    "mcp_servers lets": {"mcp_servers": {"weather": {"url": "http://127.0.0.1"}}},
    "agent_list[0].extra_headers": {"agent_list": [{"agent_name": "a", "extra_headers": ["x-a"]}]},
    "enable_openai_websocket_passthrough": {"general_settings": {"enable_openai_websocket_passthrough": True}},
}


@pytest.mark.parametrize("setting", WARNED)
def test_a_risky_setting_is_warned_of(setting: str) -> None:
    """Each setting has one sentence that begins with its name."""
    assert any(setting in warning for _, warning in warnings_of(WARNED[setting]))
    assert list(warnings_of({"model_list": [model("gpt")], "general_settings": {}})) == []


_RESOLVE = """
import json, sys
from litellm.proxy.proxy_server import ProxyConfig
print(json.dumps(ProxyConfig()._check_for_os_environ_vars(json.loads(sys.argv[1]))))
"""


def test_variables_are_replaced_as_litellm_does() -> None:
    """`extra-headers check` reads a configuration like the proxy."""
    variables = {"A": "a", "EMPTY": "", "YES": " True ", "NO": "false", "NUMBER": "7"}
    references = {name: f"os.environ/{name}" for name in (*variables, "MISSING")}
    content = {**references, "below": references, "list": [references, "os.environ/A", ["os.environ/A"]], "x": 1}
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", _RESOLVE, json.dumps(content)],
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", **variables},
        capture_output=True,
        check=True,
    )
    assert resolved(content, variables) == json.loads(done.stdout.splitlines()[-1])


def test_check_names_providers_like_the_metrics(shared: Proxy, tmp_path: Path) -> None:
    """`--provider` of `extra-headers explain` is the label."""
    document = read_document(str(written(tmp_path, configuration(SHARED_MODELS), shared.provider)))
    names = {provider.id for provider in read_litellm_config(document, "config.yaml", {}).providers}
    found = {dict(labels)["provider"] for labels in shared.series(contract.POLICY_INFO)}
    assert names == found - {NO_DEPLOYMENT}


def test_a_started_proxy_has_warned_and_counts_from_zero(shared: Proxy) -> None:
    """The log has the warning, and every model its series; requests that no model is found for get one later."""
    assert "extra_headers: general_settings.forward_client_headers_to_llm_api takes up" in shared.server.log
    providers = {entry["model_name"] for entry in SHARED_MODELS} | {"pair#2"}
    found = {dict(labels)["provider"] for labels in shared.series(contract.POLICY_INFO)}
    assert found - {NO_DEPLOYMENT} == providers
