"""What is different about the headers of a Model Context Protocol (MCP) server: who owns which name, and what fits."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlparse

from .errors import PolicyFinding
from .field_names import is_prefix, normalize_name
from .model import Policy
from .provider_data import NOT_AN_OBJECT, RepeatedKeys, merged


class McpProvider(NamedTuple):
    """A kind of provider that calls MCP servers."""

    api: str
    provider_type: str
    field: str
    """Where a caller's request has the headers of a server."""
    callers_choose_the_server: bool


TOOL_RUNTIME = McpProvider("tool_runtime", "remote::model-context-protocol", "mcp_headers", False)
RESPONSES = McpProvider("responses", "inline::builtin", "tools", True)
MCP_PROVIDERS = (TOOL_RUNTIME, RESPONSES)

PROTOCOL_NAMES = frozenset({"mcp-*", "last-event-id", "cache-control", "content-type"})
"""Names that the MCP client writes itself, or that only it may write: a caller's own would change the session."""
CLIENT_NAMES = PROTOCOL_NAMES | {"accept", "accept-encoding", "connection", "user-agent"}
"""The names above, and those of the HTTP client below it."""


def mcp_provider(api: str, provider_type: str) -> McpProvider | None:
    """Return the kind of an entry of a run config; None if it does not call MCP servers."""
    return next((kind for kind in MCP_PROVIDERS if kind[:2] == (api, provider_type)), None)


def unfit_settings(policy: Policy, kind: McpProvider) -> list[PolicyFinding]:
    """Return the settings that would do harm, or nothing, on a provider that calls MCP servers."""
    return [*_servers_of_callers(policy, kind), *_without_effect(policy, kind), *_names_of_the_protocol(policy)]


def _servers_of_callers(policy: Policy, kind: McpProvider) -> Iterator[PolicyFinding]:
    for name in ("set", "from_request"):
        if kind.callers_choose_the_server and getattr(policy, name):
            text = "would be sent to whichever MCP server a caller names in a request; remove it here"
            yield PolicyFinding((name,), text)


def _without_effect(policy: Policy, kind: McpProvider) -> Iterator[PolicyFinding]:
    if kind.callers_choose_the_server and policy.field is not None:
        text = "has no effect here: the headers are in each MCP tool of the request; remove it"
        yield PolicyFinding(("field",), text)
    if policy.on_redirect != "drop":
        text = "has no effect here: an MCP client follows no redirect to another origin; remove it"
        yield PolicyFinding(("on_redirect",), text)


def _names_of_the_protocol(policy: Policy) -> Iterator[PolicyFinding]:
    for name in policy.set:
        if _is_owned(normalize_name(name)):
            yield PolicyFinding(("set", name), "the MCP client owns this header; remove it")
        elif normalize_name(name) == "authorization":
            text = "the host takes this header from the parameter `authorization` only; remove it"
            yield PolicyFinding(("set", name), text)
    for received, sent in policy.from_request.items():
        if _is_owned(normalize_name(sent)):
            text = f"can never be sent as {sent!r}, which the MCP client owns; remove it"
            yield PolicyFinding(("from_request", received), text)
    for name in ("allow", "unblock"):
        for index, pattern in enumerate(getattr(policy, name) or ()):
            if _is_owned(pattern):
                text = f"{pattern!r} has no effect here: the MCP client owns these headers; remove it"
                yield PolicyFinding((name, index), text)


def _is_owned(pattern: str) -> bool:
    """Return whether the client owns every name that a normalized name or pattern matches."""
    return any(
        pattern.startswith(owned[:-1]) if is_prefix(owned) else pattern == owned for owned in sorted(PROTOCOL_NAMES)
    )


def headers_for(server_url: str, mcp_headers: object | None) -> object | None:
    """Return a caller's headers for one server; None for none.

    Two entries are for the same server if network location and path are equal, as on the host. Several entries for one
    server are decided together.

    Args:
        server_url: of the server.
        mcp_headers: the caller's headers by URL, as decoded from JSON.

    """
    if mcp_headers is None:
        return None
    if not isinstance(mcp_headers, Mapping):
        return NOT_AN_OBJECT
    pairs = mcp_headers.pairs if isinstance(mcp_headers, RepeatedKeys) else mcp_headers.items()
    wanted = _location(server_url)
    sources = [headers for url, headers in pairs if wanted is not None and _location(url) == wanted]
    return merged((), *(source for source in sources if source is not None and source != {}))


def headers_by_server(kind: McpProvider, request: Mapping[str, object]) -> list[tuple[tuple[str, ...], object | None]]:
    """Return the servers of a request, each with what may name it, and a caller's headers for it.

    Args:
        kind: of the provider.
        request: what has the headers, decoded from JSON: the headers by URL, or the body with the tools.

    """
    if not kind.callers_choose_the_server:
        return [((url,), headers_for(url, request)) for url in request]
    tools = request.get(kind.field)
    return [
        (tuple(str(tool[key]) for key in ("server_label", "server_url", "connector_id") if key in tool), headers)
        for tool in (tools if isinstance(tools, list) else ())
        if isinstance(tool, Mapping) and tool.get("type") == "mcp"
        for headers in [tool.get("headers") or None]
    ]


def _location(url: str) -> tuple[str, str] | None:
    try:
        parts = urlparse(url)
    except ValueError:
        return None
    return parts.netloc, parts.path
