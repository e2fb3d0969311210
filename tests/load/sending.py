"""How a caller of the soak sends its requests, and what it sees of the answers."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.load.traffic import Request

_SECONDS = 120


async def send(
    client: httpx.AsyncClient, request: Request, body: dict[str, object], note: Callable[[int], None]
) -> str | None:
    """Send a chat or all turns, and return what went wrong beyond the status codes.

    Args:
        client: for a chat; its base URL is the server's.
        request: what to send.
        body: its body, or that of each turn.
        note: called with the status of the chat or of each turn.

    """
    try:
        async with asyncio.timeout(_SECONDS):
            return await (_turns if request.kind.turns else _chat)(client, request, body, note)
    except (httpx.HTTPError, StopAsyncIteration, WebSocketException, OSError) as error:
        return type(error).__name__


async def _chat(
    client: httpx.AsyncClient, request: Request, body: dict[str, object], note: Callable[[int], None]
) -> str | None:
    lines = [(name.encode(), value.encode()) for name, value in request.header_lines]
    async with client.stream("POST", "/v1/chat/completions", json=body, headers=lines) as response:
        note(response.status_code)
        if request.kind.cancelled:
            await anext(response.aiter_lines())
            return None
        text = (await response.aread()).decode()
    complete = response.status_code != 200 or not request.kind.streamed or '"finish_reason":"stop"' in text
    return None if complete else "the stream ended early"


async def _turns(
    client: httpx.AsyncClient, request: Request, body: dict[str, object], note: Callable[[int], None]
) -> None:
    address = str(client.base_url.join("/v1/responses")).replace("http", "ws", 1)
    lines = request.header_lines
    async with connect(
        address, additional_headers=lines, proxy=None, open_timeout=_SECONDS, ping_interval=None
    ) as socket:
        for _ in range(request.kind.turns):
            await socket.send(json.dumps(body))
            frame: dict[str, Any] = {"type": ""}
            while frame["type"] not in ("response.completed", "response.failed", "error"):
                frame = json.loads(await socket.recv())
            note(200 if frame["type"] == "response.completed" else frame.get("status", 500))
