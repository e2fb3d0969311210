"""`check`, `explain` and the schema for providers that call MCP servers."""

import json

import pytest

from extra_headers.forwarding.ogx.host import Host
from extra_headers.forwarding.policy.mcp import MCP_PROVIDERS, RESPONSES, TOOL_RUNTIME, McpProvider, unfit_settings
from extra_headers.forwarding.policy.model import parse_policy
from tests.cli.conftest import Invoke, Write
from tests.server.host import SERVER, load


def _file(kind: McpProvider, setting: str, provider_id: str = "mcp", module: str = "extra_headers.forwarding") -> str:
    return f"""\
providers:
  {kind.api}:
  - provider_id: {provider_id}
    provider_type: {kind.provider_type}
    module: {module}
    config:
      extra_headers: {setting}
"""


def test_the_types_are_those_of_the_host() -> None:
    """The host has both types in these sections, and the add-on extends its specs."""
    load("{host}.core.distribution")
    specs = {(spec.api.value, spec.provider_type) for spec in Host(SERVER.package).provider_specs()}
    assert {kind[:2] for kind in MCP_PROVIDERS} <= specs


@pytest.mark.parametrize("kind", MCP_PROVIDERS, ids=lambda kind: kind.api)
def test_an_entry_without_faults(invoke: Invoke, write: Write, kind: McpProvider) -> None:
    """The entry has a policy and a place of the headers, and no finding."""
    path = write(_file(kind, "{allow: [x-tenant]}"))
    done = invoke("check", "--format", "json", path)
    (report,) = json.loads(done.out)["files"]
    assert (done.exit_code, report["findings"]) == (0, [])
    assert [(one["api"], one["field"]) for one in report["providers"]] == [(kind.api, kind.field)]


_UNFIT: list[tuple[McpProvider, str, str]] = [
    (RESPONSES, "{set: {x-a: b}}", "set: would be sent to whichever MCP server"),
    (RESPONSES, "{from_request: [x-a]}", "from_request: would be sent to whichever MCP server"),
    (RESPONSES, "{field: a}", "field: has no effect here"),
    (RESPONSES, "{on_redirect: keep}", "on_redirect: has no effect here: an MCP client follows no redirect"),
    (TOOL_RUNTIME, "{on_redirect: keep}", "on_redirect: has no effect here: an MCP client follows no redirect"),
    (TOOL_RUNTIME, "{set: {mcp-name: b}}", "set.mcp-name: the MCP client owns this header"),
    (RESPONSES, "{unblock: [last-event-id]}", "unblock[0]: 'last-event-id' has no effect here: the MCP client owns"),
]


@pytest.mark.parametrize(("kind", "setting", "message"), _UNFIT)
def test_settings_that_do_harm_or_nothing(
    invoke: Invoke, write: Write, kind: McpProvider, setting: str, message: str
) -> None:
    """Each is an error on its line, with the same text as at the start of the server."""
    done = invoke("check", "--format", "json", write(_file(kind, setting)))
    (report,) = json.loads(done.out)["files"]
    (error,) = [finding for finding in report["findings"] if finding["level"] == "error"]
    assert (done.exit_code, error["line"]) == (1, 7)
    assert error["message"].startswith(message)


@pytest.mark.parametrize("setting", [{"set": {"x-a": "b"}}, {"allow": ["x-*", "m*"]}, {"block": ["x-a"]}])
def test_settings_that_fit_the_tool_runtime(setting: dict[str, object]) -> None:
    """Headers of the operator go to the operator's servers; a wider pattern than the protocol's may match others."""
    assert unfit_settings(parse_policy(setting, "a test"), TOOL_RUNTIME) == []


def test_entries_of_other_types(invoke: Invoke, write: Write) -> None:
    """Only these two types have the setting in their sections, and they need the module."""
    other = McpProvider("tool_runtime", "remote::brave-search", "", False)
    assert "not tool_runtime of type remote::brave-search" in _messages(invoke, write(_file(other, "true")))
    messages = McpProvider("messages", "inline::builtin", "", False)
    assert "not messages of type inline::builtin" in _messages(invoke, write(_file(messages, "true")))
    without = _file(RESPONSES, "true").replace("    module: extra_headers.forwarding\n", "")
    assert "add `module: extra_headers.forwarding`" in _messages(invoke, write(without))


def test_one_id_for_two_providers(invoke: Invoke, write: Write) -> None:
    """Metrics have no other label that tells them apart."""
    both = _file(RESPONSES, "true") + _file(TOOL_RUNTIME, "true").removeprefix("providers:\n")
    found = _messages(invoke, write(both))
    assert "a provider of tool_runtime has extra headers and the same id" in found
    assert "a provider of responses has extra headers and the same id" in found


def _messages(invoke: Invoke, path: str) -> str:
    (report,) = json.loads(invoke("check", "--format", "json", path).out)["files"]
    return "\n".join(finding["message"] for finding in report["findings"])


_DATA = {"mcp_headers": {"http://a/mcp": {"X-Tenant": "evil"}, "http://b/mcp": {"Mcp-Name": "evil", "Cookie": "evil"}}}
_BODY = {
    "tools": [
        {"type": "mcp", "server_label": "a", "server_url": "http://a/mcp", "headers": {"X-Tenant": "evil"}},
        {"type": "function"},
        {
            "type": "mcp",
            "server_label": "b",
            "server_url": "http://b/mcp",
            "headers": {"Mcp-Name": "evil", "Cookie": "evil"},
        },
    ]
}


@pytest.mark.parametrize(
    ("kind", "data", "server"),
    [(TOOL_RUNTIME, _DATA, "http://b/mcp"), (RESPONSES, _BODY, "b"), (RESPONSES, _BODY, "http://b/mcp")],
)
def test_explain(invoke: Invoke, write: Write, kind: McpProvider, data: object, server: str) -> None:
    """`--server` chooses one of several servers; the rule of the protocol is named, and no value is printed."""
    path = write(_file(kind, "true"))
    done = invoke("explain", path, "--data", json.dumps(data), "--server", server)
    assert done.exit_code == 1
    assert "Mcp-Name: blocked (sdk)\n  mcp-*  core blocklist" in done.out
    assert "Cookie: blocked (credential)" in done.out
    assert "X-Tenant" not in done.out
    assert "evil" not in done.out
    refused = invoke("explain", path, "--data", json.dumps(data))
    assert (refused.exit_code, "choose one by its URL or label with --server" in " ".join(refused.err.split())) == (
        2,
        True,
    )
    assert invoke("explain", path, "-H", "X-Tenant: blue").exit_code == 0
    assert invoke("explain", path, "-H", "X-Tenant: blue", "--server", "b").exit_code == 2


def test_explain_takes_up_no_plain_header_for_responses(invoke: Invoke, write: Write) -> None:
    """Callers name the server, so no header of theirs is taken up for it."""
    done = invoke("explain", write(_file(RESPONSES, "true")), "-R", "X-A: 1")
    assert (done.exit_code, "no policy of Responses takes up plain headers" in done.err) == (2, True)


def test_an_empty_request(invoke: Invoke, write: Write) -> None:
    """Nothing is decided where the data has no headers for any server."""
    for kind in MCP_PROVIDERS:
        assert "No extra headers" in invoke("explain", write(_file(kind, "true")), "--data", "{}").out
