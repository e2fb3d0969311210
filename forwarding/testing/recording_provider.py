"""A stub of a model provider that records every request byte for byte.

It answers chat, completions, embeddings, rerank and Anthropic Messages. It reads plain sockets, because an HTTP library
would normalize the bytes that matter.
"""

import asyncio
import json
import socket
import struct
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self

MODEL = "test-model"


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as it was received."""

    head: bytes
    """Request line and header fields, including the blank line after them."""
    body: bytes

    @property
    def method(self) -> str:
        """The request method."""
        return self.head.split(b" ", 1)[0].decode("ascii")

    @property
    def path(self) -> str:
        """The request target."""
        return self.head.split(b" ", 2)[1].decode("ascii")

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields in their order, names as sent."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines if line)]

    def values(self, name: str) -> list[str]:
        """Return the values of every field with that name; case is ignored."""
        return [value for field, value in self.fields if field.lower() == name.lower()]


class Ending(Enum):
    """The end of an answer."""

    COMPLETE = "complete"
    """The answer is complete, and the connection stays open."""
    STALLED = "stalled"
    """The last byte never comes; the connection stays open until the client closes it."""
    RESET = "reset"
    """The connection is reset (TCP RST) instead of an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the provider."""

    status: int
    body: bytes
    content_type: str = "application/json"
    ending: Ending = Ending.COMPLETE
    fields: tuple[tuple[str, str], ...] = ()
    """Further header fields, such as `("Set-Cookie", "a=b")`."""


def answer_as_provider(request: ReceivedRequest) -> Answer:  # noqa: C901, PLR0911 - one case per endpoint
    """Return the answer of a well-behaved provider."""
    if request.method == "GET":
        return _json({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "demo"}]})
    body: dict[str, Any] = json.loads(request.body)
    path = request.path.rpartition("/v1")[2] or request.path
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    match path:
        case "/chat/completions" if body.get("stream"):
            delta = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": None}
            last = {"index": 0, "delta": {}, "finish_reason": "stop"}
            same = _completion("chat.completion.chunk")
            chunks = [{**same, "choices": [choice]} for choice in (delta, last)]
            return _events([json.dumps(chunk) for chunk in chunks] + ["[DONE]"])
        case "/chat/completions":
            message = {"role": "assistant", "content": "hi"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return _json({**_completion("chat.completion"), "choices": [choice], "usage": usage})
        case "/completions" if body.get("stream"):
            choice = {"index": 0, "text": "hi", "finish_reason": "stop", "logprobs": None}
            return _events([json.dumps({**_completion("text_completion"), "choices": [choice]}), "[DONE]"])
        case "/completions":
            choice = {"index": 0, "text": "hi", "finish_reason": "stop", "logprobs": None}
            return _json({**_completion("text_completion"), "choices": [choice], "usage": usage})
        case "/embeddings":
            data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            return _json({"object": "list", "data": data, "model": MODEL, "usage": usage})
        case "/rerank":
            return _json({"results": [{"index": 0, "relevance_score": 0.9}]})
        case "/messages/count_tokens":
            return _json({"input_tokens": 1})
        case "/messages" if body.get("stream"):
            events = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _anthropic_events()]
            return Answer(200, "".join(events).encode(), "text/event-stream")
        case "/messages":
            return _json(_anthropic_message([{"type": "text", "text": "hi"}]))
    return Answer(404, b'{"error": {"message": "no such path"}}')


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode())


def _events(data: list[str]) -> Answer:
    return Answer(200, "".join(f"data: {event}\n\n" for event in data).encode(), "text/event-stream")


def _completion(kind: str) -> dict[str, object]:
    # A new id for each answer: the host stores answers by id, and equal ones collide.
    return {"id": f"demo-{uuid.uuid4().hex}", "object": kind, "created": 0, "model": MODEL}


def _anthropic_message(content: list[dict[str, str]]) -> dict[str, object]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg-1", "type": "message", "role": "assistant", "model": MODEL, "content": content}
    return {**message, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def _anthropic_events() -> list[dict[str, object]]:
    block = {"type": "text", "text": ""}
    return [
        {"type": "message_start", "message": _anthropic_message([])},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]


class RecordingProvider:
    """The recording provider, in a thread, while the `with` block runs.

    Args:
        port: to listen on; 0 for any free one.
        answer: returns the answer to a request. Requests are answered one after the other.
        host: the address to listen on.

    """

    def __init__(
        self, port: int = 0, answer: Callable[[ReceivedRequest], Answer] = answer_as_provider, host: str = "127.0.0.1"
    ) -> None:
        self._host = host
        self._port = port
        self._lock = threading.Lock()
        self._received: list[ReceivedRequest] = []
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self._started: Future[int] = Future()
        self._loop = asyncio.new_event_loop()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self.answer = answer

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = self._started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def base_url(self) -> str:
        """The base URL to configure for the provider."""
        return f"http://{self._host}:{self._port}/v1"

    @property
    def received(self) -> list[ReceivedRequest]:
        """The requests so far, in order of arrival."""
        with self._lock:
            return list(self._received)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    def take(self) -> list[ReceivedRequest]:
        """Return the requests so far and forget them."""
        with self._lock:
            taken, self._received = self._received, []
            return taken

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(asyncio.start_server(self._serve, self._host, self._port))
        except OSError as error:
            self._started.set_exception(error)
            self._loop.close()
            return
        self._started.set_result(server.sockets[0].getsockname()[1])
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._close_connections())
        self._loop.close()

    async def _close_connections(self) -> None:
        # Closed under their tasks, which then end by themselves: cancelled ones would be reported as failed.
        tasks = list(self._connections.values())
        for writer in list(self._connections):
            writer.close()
        await asyncio.gather(*tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs each connection in a task
        self._connections[writer] = task
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(iter(ReceivedRequest(head, b"").values("content-length")), "0")
                request = ReceivedRequest(head, await reader.readexactly(int(length)))
                with self._lock:
                    self._received.append(request)
                answer = self.answer(request)
                if answer.ending is Ending.RESET:
                    _reset_on_close(writer)
                    return
                writer.write(_encode(answer))
                await writer.drain()
                if answer.ending is Ending.STALLED:
                    await reader.read()
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client closed the connection
        finally:
            del self._connections[writer]
            writer.close()


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _encode(answer: Answer) -> bytes:
    # A stalled answer promises a byte that never comes.
    length = len(answer.body) + (answer.ending is Ending.STALLED)
    head = f"HTTP/1.1 {answer.status} -\r\ncontent-type: {answer.content_type}\r\ncontent-length: {length}"
    head += "".join(f"\r\n{name}: {value}" for name, value in answer.fields)
    return f"{head}\r\n\r\n".encode("ascii") + answer.body
