"""A real OGX server under attack: requests written byte by byte, and all that can be seen of each afterwards."""

import contextlib
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from extra_headers.forwarding.testing.processes import inference_provider
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest
from extra_headers.telemetry import contract
from tests.attacks.corpus import Case
from tests.server.stack import PROVIDER_KEY, Stack
from tests.telemetry.servers import running

# So many audit records a provider writes at once; with no more requests for each, none is held back.
_CASES_FOR_ONE_PROVIDER = 20
# The host wraps its log lines at the width of the terminal.
_COLUMNS = "3000"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one request left behind."""

    answer: bytes
    received: tuple[ReceivedRequest, ...]
    """What reached the provider."""
    log: tuple[str, ...]
    """The lines that the server wrote meanwhile."""

    @property
    def status(self) -> int:
        """The status code of the answer; 0 where the connection was closed without one."""
        return int(self.answer.split(b" ", 2)[1]) if self.answer else 0

    @property
    def audit(self) -> list[dict[str, Any]]:
        """The audit records among the log lines."""
        return [json.loads(line) for line in self.log if line.startswith("{")]


def providers_for(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Return the cases by the provider that each is sent to, of the same settings and not too many for one."""
    by_settings: dict[str, list[Case]] = {}
    for case in cases:
        by_settings.setdefault(json.dumps([case.policy, case.outbound]), []).append(case)
    chunks = [
        chosen[start : start + _CASES_FOR_ONE_PROVIDER]
        for chosen in by_settings.values()
        for start in range(0, len(chosen), _CASES_FOR_ONE_PROVIDER)
    ]
    return {f"corpus-{i}": chunk for i, chunk in enumerate(chunks)}


@contextmanager
def attacked(directory: Path, cases: dict[str, list[Case]]) -> Iterator[Stack]:
    """Run a server with one provider for each entry of `cases`, as the cases' operator has set it."""

    def configure(config: dict[str, Any]) -> None:
        base_url = config["providers"]["inference"][0]["config"]["base_url"]
        for provider, (first, *_) in cases.items():
            settings: dict[str, Any] = {"api_token": PROVIDER_KEY}
            if first.outbound:
                settings["network"] = {"headers": dict.fromkeys(first.outbound, "the-operator-value")}
            entry = inference_provider(provider, base_url, dict(first.policy) or True, **settings)
            config["providers"]["inference"].append(entry)

    # With dozens of providers; on a busy machine it takes minutes.
    environment = {"COLUMNS": _COLUMNS, contract.ENV_AUDIT_LOG: "stderr"}
    with running(directory, environment, change=configure, timeout=300) as stack:
        yield stack


def send(stack: Stack, provider: str, *lines: bytes) -> Seen:
    """Send a chat request with these header lines as they are, and return what came of it."""
    log = stack.server.log_path
    written = log.stat().st_size
    body = json.dumps({"model": f"{provider}/test-model", "messages": [{"role": "user", "content": "hi"}]}).encode()
    own = (
        b"POST /v1/chat/completions HTTP/1.1",
        b"Host: server",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
    )
    url = urlsplit(stack.server.url)
    answer = bytearray()
    # A server that refuses a request closes the connection, perhaps while it is still being written.
    with (
        socket.create_connection((str(url.hostname), url.port or 80), timeout=60) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(b"\r\n".join([*own, *lines, b"", body]))
        while received := connection.recv(65536):
            answer += received
    with log.open(encoding="utf-8") as reader:
        reader.seek(written)
        return Seen(bytes(answer), tuple(stack.upstream.take()), tuple(reader.read().splitlines()))


def provider_data(text: str, name: str = "X-OGX-Provider-Data") -> bytes:
    """Return a header line with provider data."""
    return f"{name}: {text}".encode()
