"""The canary for work that goes on beyond one call: turns of a WebSocket, compacted conversations, batches."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from extra_headers.forwarding import evaluate
from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from tests.providers.answers import answer_as_any_provider
from tests.providers.stack import STAND_INS, full_run_config
from tests.server.host import HEADER
from tests.server.stack import Stack
from tests.telemetry.servers import running
from tests.telemetry.test_canary import POLICIES, Secrets
from tests.waiting import wait_until

_MESSAGES = [{"role": "user", "content": "hi"}]


def _turns(stack: Stack, model: str, headers: Mapping[str, str], body: Mapping[str, str]) -> str:
    """Return the answers to two turns: headers of the handshake, and the same with further ones in the body."""
    said = []
    with connect(f"{stack.server.url.replace('http', 'ws', 1)}/v1/responses", additional_headers=headers) as socket:
        for more in ({}, {"extra_body": {"extra_headers": body}}):
            socket.send(json.dumps({"type": "response.create", "model": model, "input": "hi", **more}))
            ended = False
            while not ended:
                said.append(str(socket.recv(timeout=60)))
                ended = json.loads(said[-1])["type"] in ("response.completed", "response.failed", "error")
    return "".join(said)


def _compacted(stack: Stack, model: str, headers: Mapping[str, str], body: Mapping[str, str]) -> str:
    request = {"model": model, "input": "hi", "extra_headers": body}
    return stack.client.post(f"{stack.server.url}/v1/responses/compact", json=request, headers=headers).text


def _batch(stack: Stack, model: str, headers: Mapping[str, str], body: Mapping[str, str]) -> str:
    """Return what a batch of two lines leaves in its files; the second has headers of its own."""
    url = stack.server.url
    lines = [
        {
            "custom_id": str(number),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": model, "messages": _MESSAGES, **more},
        }
        for number, more in enumerate(({}, {"extra_headers": body}))
    ]
    text = "\n".join(map(json.dumps, lines))
    uploaded = stack.client.post(f"{url}/v1/files", files={"file": ("b.jsonl", text)}, data={"purpose": "batch"})
    batch = {
        "input_file_id": uploaded.json()["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    created = stack.client.post(f"{url}/v1/batches", json=batch, headers=headers).json()
    done = _ended(stack, f"/v1/batches/{created['id']}", "status", "completed")
    files = [done[name] for name in ("output_file_id", "error_file_id") if done[name]]
    return "".join(stack.client.get(f"{url}/v1/files/{file}/content").text for file in files)


def _batch_of_messages(stack: Stack, model: str, headers: Mapping[str, str], body: Mapping[str, str]) -> str:
    params = {"model": model, "messages": _MESSAGES, "max_tokens": 5}
    requests = [
        {"custom_id": "a", "params": params},
        {"custom_id": "b", "params": {**params, "extra_headers": body}},
    ]
    path = "/v1/messages/batches"
    created = stack.client.post(stack.server.url + path, json={"requests": requests}, headers=headers).json()
    _ended(stack, f"{path}/{created['id']}", "processing_status", "ended")
    return stack.client.get(f"{stack.server.url}{path}/{created['id']}/results").text


def _ended(stack: Stack, path: str, key: str, end: str) -> dict[str, Any]:
    wait_until(lambda: stack.client.get(stack.server.url + path).json()[key] == end)
    ended: dict[str, Any] = stack.client.get(stack.server.url + path).json()
    return ended


_DOORS: tuple[Callable[[Stack, str, Mapping[str, str], Mapping[str, str]], str], ...] = (
    _turns,
    _compacted,
    _batch,
    _batch_of_messages,
)


def test_no_secret_comes_out(tmp_path: Path) -> None:
    """Provider data and headers in bodies: what passes reaches the provider, and no value shows anywhere else."""
    new = Secrets()
    answers: list[str] = []
    passing: set[str] = set()
    arriving: set[str] = set()
    with OtlpReceiver() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST": ".*",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": ".*",
            "OGX_LOG_FORMAT": "json",
            "PYTHONPATH": str(STAND_INS),
        }

        def with_every_door(config: dict[str, Any]) -> None:
            config.update(full_run_config(config["providers"]["inference"], tmp_path, config["server"]["port"]))

        with running(tmp_path, environment, auto_instrumented=True, change=with_every_door) as stack:
            stack.upstream.answer = answer_as_any_provider
            for door in _DOORS:
                for provider in POLICIES:
                    arriving.add(plain := new.new())
                    for headers in (
                        {"X-Tenant": plain},
                        {"X-Tenant": new.new(), "Cookie": new.new()},
                        {"X-Tenant": new.new() + "\n"},
                        {f"{new.new()} a": new.new()},
                    ):
                        data = {HEADER: json.dumps({"vllm_extra_headers": headers})}
                        body = {"X-Of-Body": new.new(), "Authorization": f"Bearer {new.new()}"}
                        answers.append(door(stack, f"{provider}/test-model", data, body))
                        for given in (headers, {**headers, **body}):
                            passing.update(evaluate(given, POLICIES[provider]).forwarded.values())
            received = b"".join(request.head for request in stack.upstream.take())
            wait_until(lambda: any(b"extra_headers.blocked.names" in one for one in collector.payloads["/v1/traces"]))
            places = {
                "log": stack.server.log.encode(),
                "metrics": stack.client.get(stack.metrics_url).content,
                "spans": b"".join(collector.payloads["/v1/traces"]),
                "answers": "".join(answers).encode(),
            }

    assert all(places.values())
    assert arriving <= set(new.found_in({"provider": received})["provider"]) <= passing
    assert new.found_in(places) == {}
