"""What stops a server at its start: settings that do harm or nothing, and hosts that the add-on does not know."""

import importlib
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from extra_headers.forwarding.ogx import mcp
from extra_headers.forwarding.ogx.binding import ProviderBinding
from extra_headers.forwarding.ogx.host import Host
from extra_headers.forwarding.ogx.mixins import UnsupportedProviderError
from extra_headers.forwarding.policy.errors import PolicyError
from extra_headers.forwarding.policy.mcp import RESPONSES, TOOL_RUNTIME, McpProvider, unfit_settings
from tests.server.host import SERVER, load


class _BuiltIn:
    def get_headers_from_request(self, url: str) -> dict[str, str]:
        return {"asked": url}

    create_openai_response = get_headers_from_request


def _provider(kind: McpProvider, setting: object, built_in: Any = None) -> Any:
    load("{host}.core.distribution")
    host = Host(SERVER.package)
    binding = ProviderBinding(
        host,
        kind.provider_type,
        setting,
        {},
        make_forwarder=mcp.McpForwarder,
        check=lambda policy: unfit_settings(policy, kind),
    )
    made = mcp.forwarding_provider(built_in or _BuiltIn(), binding, kind, host)
    made.__provider_id__ = "the-id"
    return made


@pytest.mark.parametrize("setting", [{"set": {"x-a": "b"}}, {"from_request": ["x-a"]}, {"field": "a"}])
def test_headers_of_the_operator_go_to_no_server_of_a_caller(setting: dict[str, object]) -> None:
    """The host gives the provider its id at start, and gets the error with all findings."""
    with pytest.raises(PolicyError, match=r"extra_headers of provider 'the-id' \(inline::builtin\) is unusable"):
        _provider(RESPONSES, setting)


def test_a_release_without_the_methods_is_refused() -> None:
    """A later release may ask for headers in another way; then nothing says that they are decided on."""
    with pytest.raises(UnsupportedProviderError, match="which has no get_headers_from_request in this release"):
        _provider(TOOL_RUNTIME, True, SimpleNamespace())


def test_a_client_that_follows_redirects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older versions of the package `mcp` send headers to wherever a server redirects."""
    found = importlib.import_module

    def without_the_function(name: str) -> ModuleType:
        return ModuleType(name) if name == "mcp.shared._httpx_utils" else found(name)

    monkeypatch.setattr(mcp, "import_module", without_the_function)
    with pytest.raises(UnsupportedProviderError, match="install a later one"):
        _provider(RESPONSES, True)


def test_a_disabled_policy_leaves_the_provider_as_it_is() -> None:
    """With `enabled: false`, nothing is decided on."""
    assert _provider(TOOL_RUNTIME, {"enabled": False}).__extra_headers__.forwarder is None
    assert _provider(TOOL_RUNTIME, True).__extra_headers__.forwarder is not None


def test_headers_show_no_value() -> None:
    """The host's logs and tracebacks may show what it holds."""
    headers = mcp.McpHeaders({"X-Tenant": "secret"}, None)
    assert "secret" not in f"{headers!r} {headers} {mcp.Asked({'X-Tenant': 'secret'}, 'http://a')!r}"
