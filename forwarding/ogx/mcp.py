"""Headers for MCP servers: decided once for each request and server, and handed to the host's MCP client.

A tool runtime calls servers that the operator registered, with headers from the provider data. Responses call servers
that the request names, with headers in its body. Both hand the headers to the host as a mapping that shows no value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import urlsplit

from extra_headers.telemetry.spans import ClientCall, resume_call, undecided_call

from ..enforcement import Enforcer, OutboundHeaders, RequestDecision
from ..policy.decision import RejectedError
from ..policy.evaluation import evaluate
from ..policy.mcp import CLIENT_NAMES, TOOL_RUNTIME, McpProvider, headers_for
from ..policy.model import Policy
from ..policy.provider_data import merged, names_of
from .host import Host
from .mixins import Forwarding, UnsupportedProviderError

_NONE = OutboundHeaders()
_CLIENT = "prepare_mcp_headers"
_HOOKED = "_extra_headers_hooked"


class McpHeaders(dict[str, str]):
    """The headers for one server, as the host's MCP client takes them. Shows no value.

    The host hands the mapping on to wherever it opens the session, which may be another task than that of the request.
    """

    def __init__(self, headers: Mapping[str, str], call: ClientCall | None) -> None:
        super().__init__(headers)
        self.call = call

    def __repr__(self) -> str:
        return f"<{len(self)} headers>"


@dataclass(frozen=True, slots=True)
class Asked:
    """A caller's headers for one server."""

    headers: object | None = field(repr=False)
    """As decoded from JSON; None for none."""
    url: str
    """Of the server; empty where only the host knows it, by the id of a connector."""
    connector: str = ""
    from_request: Sequence[str] = ()
    """Names of those that came as plain headers of the request."""

    @property
    def server(self) -> str:
        """The server, for telemetry: neither path nor user information of its URL."""
        if not self.url:
            return self.connector
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return ""
        return host if port is None else f"{host}:{port}"


class McpForwarder:
    """Decides, records and hands out what the calls of the current request to MCP servers may carry."""

    def __init__(self, host: Host, provider: str, provider_type: str, policy: Policy) -> None:
        self._host = host
        self._provider = provider
        self._policy = policy
        self._field = policy.field or TOOL_RUNTIME.field
        self._enforcer = Enforcer(provider, provider_type, policy)
        if provider_type == TOOL_RUNTIME.provider_type:
            host.hook.read(self._field, policy.from_request)

    def headers_from_request(self, url: str) -> McpHeaders:
        """Return the headers for a server from the provider data and plain headers of the current request.

        Every call of one request to one server carries the same headers, decided and recorded once.

        Raises:
            RejectedError: the policy rejects the request, as an error that the host answers with its status.

        """
        provider_data, state = self._host.hook.current()
        plain = state.taken_up(self._policy.from_request) if state.plain else None
        by_server = state.headers(provider_data or {}, self._field)
        asked = Asked(merged((), headers_for(url, by_server), plain), url, from_request=names_of(plain))
        key = (self, url)
        decision: RequestDecision | None = state.decisions.get(key)
        if decision is None:
            decision = self._decide(asked)
            state.decisions[key] = decision
            if provider_data is not None:
                self._host.hook.keep(provider_data, state)
        return self._enforced(asked, decision)

    def headers_of_tools(self, asked: Sequence[Asked]) -> list[McpHeaders]:
        """Return the headers for each server that a request names.

        If the headers for one of them reject the request, nothing is sent to any, and only those are recorded.

        Raises:
            RejectedError: the policy rejects the request, as an error that the host answers with its status.

        """
        rejected = [one for one in asked if self._is_rejected(one)]
        decided = [(one, self._decide(one)) for one in rejected or asked]
        return [self._enforced(one, decision) for one, decision in decided]

    def _is_rejected(self, asked: Asked) -> bool:
        if asked.headers is None:
            return False
        return evaluate(asked.headers, self._policy, CLIENT_NAMES).rejected_for is not None

    def _decide(self, asked: Asked) -> RequestDecision:
        if asked.headers is None and not self._policy.set:
            return RequestDecision(None, None, undecided_call(asked.url))
        user = self._host.user()
        return self._enforcer.decide(
            asked.headers,
            CLIENT_NAMES,
            asked.url,
            user,
            self._policy.identity_headers(user),
            from_request=asked.from_request,
            mcp_server=asked.server,
        )

    def _enforced(self, asked: Asked, decision: RequestDecision) -> McpHeaders:
        if (error := decision.rejection(self._provider)) is not None:
            raise self._host.as_http_error(_about_server(error), *_passed_on(self._host))
        return McpHeaders((decision.headers or _NONE).merged_with(), decision.call or undecided_call(asked.url))


def _about_server(error: RejectedError) -> RejectedError:
    """Return an error that says where nothing was sent."""
    return type(error)(str(error).replace("nothing was sent to the provider", "nothing was sent to an MCP server"))


def _passed_on(host: Host) -> list[type[Exception]]:
    """Return the host's errors that it does not take for a failure of a tool, or of the list of tools."""
    own: list[type[Exception]] = [import_module(f"{host.package}.core.datatypes").AuthenticationRequiredError]
    invalid_parameter = getattr(import_module(f"{host.package}_api"), "InvalidParameterError", None)
    return own if invalid_parameter is None else [*own, invalid_parameter]


class _McpForwarding(Forwarding):
    """What both kinds of provider have."""

    required: ClassVar[str]
    """The method that the mixin overrides."""


class McpToolRuntime(_McpForwarding):
    """For the tool runtime, which asks for the headers for a server before each call to it."""

    required = "get_headers_from_request"

    async def get_headers_from_request(self, mcp_endpoint_uri: str) -> dict[str, str]:
        """Return the headers for a server."""
        forwarder = self.__extra_headers__.forwarder
        if forwarder is None:
            own: dict[str, str] = await super().get_headers_from_request(mcp_endpoint_uri)  # type: ignore[misc]
            return own
        headers: McpHeaders = forwarder.headers_from_request(mcp_endpoint_uri)
        return headers


class McpResponses(_McpForwarding):
    """For Responses: a request names servers, each with headers. Streamed and background ones begin here, too."""

    required = "create_openai_response"

    async def create_openai_response(self, request: Any) -> Any:
        """Create a response, whose tools have the headers that may pass."""
        forwarder = self.__extra_headers__.forwarder
        if forwarder is not None and (tools := [tool for tool in request.tools or () if tool.type == "mcp"]):
            decided = iter(forwarder.headers_of_tools([_asked(tool) for tool in tools]))
            rewritten = [
                tool.model_copy(update={"headers": next(decided)}) if tool.type == "mcp" else tool
                for tool in request.tools
            ]
            request = request.model_copy(update={"tools": rewritten})
        return await super().create_openai_response(request)  # type: ignore[misc]


def _asked(tool: Any) -> Asked:
    return Asked(tool.headers or None, tool.server_url or "", tool.connector_id or "")


def forwarding_provider(built_in: Any, binding: Any, kind: McpProvider, host: Host) -> Any:
    """Return a built-in provider that forwards, of a class of its own.

    Raises:
        UnsupportedProviderError: the calls to MCP servers cannot carry the headers, or would carry them further.

    """
    mixin: type[_McpForwarding] = McpToolRuntime if kind is TOOL_RUNTIME else McpResponses
    client = import_module(f"{host.package}.providers.utils.tools.mcp")
    base = type(built_in)
    missing = [name for owner, name in ((base, mixin.required), (client, _CLIENT)) if not hasattr(owner, name)]
    if missing:
        raise UnsupportedProviderError(
            f"extra_headers is set on a provider of type {kind.provider_type}, which has no {', '.join(missing)} in "
            "this release of the host, so the add-on does not know how it calls MCP servers; remove extra_headers there"
        )
    if not hasattr(import_module("mcp.shared._httpx_utils"), "stream_within_origin"):
        raise UnsupportedProviderError(
            f"extra_headers is set on a provider of type {kind.provider_type}, and the installed version of the "
            "package mcp sends headers to wherever an MCP server redirects; install a later one"
        )
    _hook_client(client)
    _hide_inputs()
    made_class: Any = type(base.__name__, (mixin, base), {"__module__": base.__module__, "__extra_headers__": binding})
    # Python does not let the built-in one become an object of that class.
    made = made_class.__new__(made_class)
    vars(made).update(vars(built_in))
    return made


def _hide_inputs() -> None:
    """Keep what callers sent out of the host's log of requests that its own models refuse: it prints the error."""
    validation_error = import_module("fastapi.exceptions").RequestValidationError

    def __str__(error: Any) -> str:  # noqa: N807 - Python's
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return f"the request is not valid: {found}"

    validation_error.__str__ = __str__


def _hook_client(client: ModuleType) -> None:
    """Make the spans of the calls to a server carry its decision: here the host is about to open the session."""
    if getattr(client, _HOOKED, False):
        return
    prepare = client.prepare_mcp_headers

    @wraps(prepare)
    def prepare_mcp_headers(base_headers: Any, authorization: Any) -> Any:
        prepared = prepare(base_headers, authorization)
        if not isinstance(base_headers, McpHeaders):
            return prepared
        # All of them: what the host makes of `authorization` must not show in a span either.
        call = base_headers.call and base_headers.call._replace(added=dict(prepared))
        resume_call(call)
        return McpHeaders(prepared, call)

    client.prepare_mcp_headers = prepare_mcp_headers  # type: ignore[attr-defined]
    setattr(client, _HOOKED, True)
