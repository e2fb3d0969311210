"""A server whose Responses and tool runtime have the flag, the model that calls tools, and the MCP servers."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from extra_headers.forwarding.testing.recording_mcp_server import TOOL, RecordingMcpServer
from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest, answer_as_provider
from tests.server.host import HEADER, IS_OGX
from tests.server.stack import Stack
from tests.telemetry.servers import running

WEB_SEARCH = "web_search"
"""The one tool that a response asks the tool runtime for."""
RESPONSES, TOOLS = "answers", "tools"
"""The ids of the two providers that call MCP servers."""
MODULE = "extra_headers.forwarding"
CONNECTOR = "connector"
"""The id under which the operator registered the MCP server."""


@dataclass(frozen=True, slots=True)
class McpStack:
    """The running server, what it exports, and an MCP server."""

    stack: Stack
    collector: OtlpReceiver
    mcp: RecordingMcpServer

    def list_tools(
        self, group: int, provider_data: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Ask for the tools of a group, for which the tool runtime asks the MCP server."""
        data = {} if provider_data is None else {HEADER: provider_data}
        path = "/v1/admin/tools" if IS_OGX else "/v1/tools"
        url = f"{self.stack.server.url}{path}?toolgroup_id=group-{group}"
        return self.stack.client.get(url, headers={**data, **(headers or {})})

    def create(
        self, *tools: Mapping[str, Any], provider_data: Mapping[str, Any] | None = None, **body: Any
    ) -> httpx.Response:
        """Ask for a response with MCP tools."""
        return self.stack.client.post(
            f"{self.stack.server.url}/v1/responses",
            content=json.dumps({"model": "on/test-model", "input": "hi", "tools": list(tools), **body}),
            headers={
                "Content-Type": "application/json",
                **({} if provider_data is None else {HEADER: json.dumps(provider_data)}),
            },
        )


def mcp_tool(url: str | None, headers: object = None, **more: Any) -> dict[str, Any]:
    """Return an MCP tool of a request; without a URL, of the connector."""
    server = {"connector_id": CONNECTOR} if url is None else {"server_url": url}
    given = {} if headers is None else {"headers": headers}
    return {"type": "mcp", "server_label": "s", **server, "require_approval": "never", **given, **more}


def answer_calling_tools(request: ReceivedRequest) -> Answer:
    """Answer as a model that calls each offered tool at each question, then says something."""
    if request.method != "POST":
        return answer_as_provider(request)
    if request.path.endswith("/moderations"):
        return Answer(200, b'{"results": [{"flagged": false}]}')
    body = json.loads(request.body)
    called = body["messages"][-1]["role"] == "tool"
    if called or not body.get("tools"):
        return answer_as_provider(request)
    calls = [
        {"index": index, "id": f"call-{index}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for index, name in enumerate(tool["function"]["name"] for tool in body["tools"])
    ]
    choices = [
        {"index": 0, "delta": {"role": "assistant", "tool_calls": calls}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "tool_calls"},
    ]
    chunk = {"id": "demo-1", "object": "chat.completion.chunk", "created": 0, "model": "test-model"}
    lines = [f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n" for choice in choices]
    return Answer(200, "".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")


@contextmanager
def running_with_mcp(  # noqa: PLR0913 - each with its default
    directory: Path,
    responses: object,
    tools: object,
    *,
    environment: Mapping[str, str] | None = None,
    tool_groups: int = 0,
    authenticator: str | None = None,
) -> Iterator[McpStack]:
    """Run a server whose Responses and tool runtime have these policies.

    Args:
        directory: for the server's files.
        responses: the policy of Responses.
        tools: the policy of the tool runtime.
        environment: added to the process's own.
        tool_groups: how many groups of tools are registered for the MCP server, whose tool is then `web_search`. The
            host asks a server once for the tools of a group, and keeps the answer.
        authenticator: where the host asks for the user of a bearer token, if it is to know users.

    """
    with OtlpReceiver() as collector, RecordingMcpServer() as mcp:

        def change(config: dict[str, Any]) -> None:
            config["apis"] += ["responses", "files", "vector_io", "tool_runtime", "admin"]
            stores = {
                "agent_state": {"namespace": "agents", "backend": "kv_default"},
                "responses": {"table_name": "responses", "backend": "sql_default"},
            }
            files = {"storage_dir": str(directory / "files")}
            metadata = {"table_name": "files", "backend": "sql_default"}
            config["providers"] |= {
                "responses": [_entry(RESPONSES, "inline::builtin", responses, persistence=stores)],
                "files": [_entry("files", "inline::localfs", None, **files, metadata_store=metadata)],
                "vector_io": [],
                "tool_runtime": [_entry(TOOLS, "remote::model-context-protocol", tools)],
            }

            config["connectors"] = [{"connector_id": CONNECTOR, "connector_type": "mcp", "url": mcp.url}]
            if authenticator is not None:
                config["server"]["auth"] = {"provider_config": {"type": "custom", "endpoint": authenticator}}
            if IS_OGX:
                config["providers"]["files"][0]["module"] = "tests.mcp.repaired"
                base_url = config["providers"]["inference"][0]["config"]["base_url"]
                config["providers"]["responses"][0]["config"]["moderation_endpoint"] = f"{base_url}/moderations"
            register_tool_groups(Path(config["storage"]["backends"]["kv_default"]["db_path"]), mcp.url, tool_groups)

        given = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST": ".*",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": ".*",
            "OGX_LOG_FORMAT": "json",
            **(environment or {}),
        }
        mcp.answer = renamed_tool(mcp.answer, WEB_SEARCH) if tool_groups else mcp.answer
        with running(directory, given, change=change) as stack:
            stack.upstream.answer = answer_calling_tools
            yield McpStack(stack, collector, mcp)


def _entry(provider_id: str, provider_type: str, setting: object, **config: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"provider_id": provider_id, "provider_type": provider_type, "config": config}
    if setting is not None:
        entry |= {"module": MODULE, "config": {**config, "extra_headers": setting}}
    return entry


def sent(requests: list[ReceivedRequest]) -> list[str]:
    """Return the messages that an MCP server received, by method."""
    return [json.loads(request.body)["method"] for request in requests if request.method == "POST"]


def register_tool_groups(database: Path, url: str, number: int) -> None:
    """Register groups of tools of an MCP server, as an earlier release of the host has: today's have no way to."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE kvstore (key TEXT PRIMARY KEY, value TEXT, expiration TIMESTAMP)")
        for index in range(number):
            name = f"group-{index}"
            group = {
                "identifier": name,
                "provider_id": TOOLS,
                "provider_resource_id": name,
                "type": "tool_group",
                "mcp_endpoint": {"uri": url},
            }
            namespace = "registry:" if IS_OGX else ""
            row = (f"{namespace}distributions:registry:v10::tool_group:{name}", json.dumps(group))
            connection.execute("INSERT INTO kvstore VALUES (?, ?, NULL)", row)
        connection.commit()


def renamed_tool(
    answer: Callable[[ReceivedRequest], Answer], name: str = "other_tool"
) -> Callable[[ReceivedRequest], Answer]:
    """Return an MCP server's answers with another name of its tool: a response takes each name once."""

    def answer_with_other_name(request: ReceivedRequest) -> Answer:
        given = answer(request)
        return replace(given, body=given.body.replace(TOOL.encode(), name.encode()))

    return answer_with_other_name
