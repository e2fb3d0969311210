"""The canary: every value in the traffic is a secret of its own, and none comes out anywhere but at the provider."""

import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from extra_headers.forwarding.testing.processes import free_port
from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest, answer_as_provider
from tests.server.stack import ENDPOINTS, Stack
from tests.telemetry.servers import running
from tests.waiting import wait_until


class Secrets:
    """Hands out values that occur nowhere else, and finds those that came out."""

    def __init__(self) -> None:
        self._numbers = itertools.count(100_000)
        self.given: list[str] = []

    def new(self) -> str:
        """Return a value that was never used before."""
        self.given.append(f"canary{next(self._numbers)}")
        return self.given[-1]

    def found_in(self, places: dict[str, bytes]) -> dict[str, list[str]]:
        """Return the places that hold secrets, with the secrets."""
        given = set(self.given)
        found = {
            place: sorted(given & {match.decode() for match in re.findall(rb"canary\d{6}", content)})
            for place, content in places.items()
        }
        return {place: secrets for place, secrets in found.items() if secrets}


def _kinds(new: Secrets) -> Iterator[object]:
    """Yield extra headers of every kind: forwarded, blocked, malformed, with secrets in values and in bad names."""
    yield {"X-Tenant": new.new()}
    for name in ("Authorization", "cookie", "X_Forwarded_For", "Host", "traceparent", "X-OGX-Provider-Data", "Origin"):
        yield {"X-Tenant": new.new(), name: new.new()}
    for bad in ("{}\r\nX-B: 1", "{}\n", "{}\x00", " {}", "{}\u00e9", "{}\ud800", "{}" + "a" * 5000):
        yield {"X-Tenant": bad.format(new.new())}
    yield {f"{new.new()} name": "v", f"x-{'n' * 200}{new.new()}": "v", f"X:{new.new()}": "v"}
    yield {"X-Tenant": [new.new()], "X-Other": {"a": new.new()}, "X-Third": None}
    yield {"X-Tenant": new.new(), "x_tenant": new.new()}
    yield {f"X-{i}": new.new() for i in range(40)}
    yield [new.new()]
    yield new.new()


POLICIES = {
    "on": Policy(),
    "reject_both": Policy(on_blocked="reject"),
    "drop_both": Policy(on_malformed="drop"),
}
_ENVELOPES = (
    '{{"vllm_extra_headers": {{"X-Tenant": "{}"',
    '"{}"',
    '["{}"]',
    '{{"vllm_extra_headers": {{"X-Tenant": "{}", "X-Tenant": "again"}}}}',
    '{{"vllm_api_token": ["{}"], "vllm_extra_headers": {{"X-Tenant": "fine"}}}}',
    '{{"vllm_api_token": {{"a": "{}"}}}}',
)
_ROUNDS, _CONCURRENT = 4, 32


def _send_all(stack: Stack, new: Secrets) -> tuple[list[str], set[str]]:
    """Send every kind to every provider, all endpoints in turn, many at once.

    Returns:
        What the server answered, and the values that may reach the provider.

    """
    endpoints = itertools.cycle(ENDPOINTS)
    requests = [
        (provider, headers, next(endpoints)) for _ in range(_ROUNDS) for provider in POLICIES for headers in _kinds(new)
    ]
    texts = [text.format(new.new()) for text in _ENVELOPES]
    with ThreadPoolExecutor(_CONCURRENT) as pool:
        sent = [pool.submit(stack.send, *request) for request in requests]
        sent += [pool.submit(stack.send, "on", None, provider_data=text) for text in texts]
        answers = [future.result().text for future in sent]
    evaluations = [evaluate(headers, POLICIES[provider]) for provider, headers, _ in requests]
    return answers, {value for evaluation in evaluations for value in evaluation.forwarded.values()}


def _fail(status: int, request: ReceivedRequest) -> Answer:
    if request.method == "GET":
        return answer_as_provider(request)
    return Answer(status, json.dumps({"error": {"message": f"the provider says {status}"}}).encode())


def test_no_secret_comes_out_under_load(tmp_path: Path) -> None:
    """Log, metrics, traces, OTLP metrics and logs, and error responses are free of every value that was sent.

    And of the values sent by hundreds of requests at once, the provider gets those that pass the policy, and no other.
    """
    new = Secrets()
    with OtlpReceiver() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST": ".*",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": ".*",
            "EXTRA_HEADERS_OTEL_METRICS": "true",
            "EXTRA_HEADERS_METRICS_PORT": str(free_port()),
            "OGX_LOGGING": "all=info",
        }
        with running(tmp_path, environment, auto_instrumented=True) as stack:
            answers, passing = _send_all(stack, new)
            forwarded = new.found_in({"the provider": b"".join(received.head for received in stack.upstream.take())})

            # One each: the host takes seconds to log an error of the provider, on a busy machine a minute.
            stack.client.timeout = 300
            for status, endpoint in ((401, "messages"), (500, "chat")):
                stack.upstream.answer = partial(_fail, status)
                answers.append(stack.send("on", {"X-Tenant": new.new(), "Cookie": new.new()}, endpoint).text)
            stack.upstream.stop()
            answers.append(stack.send("on", {"X-Tenant": new.new(), "Cookie": new.new()}, "rerank").text)

            def received_all() -> bool:
                payloads = {path: b"".join(bodies) for path, bodies in collector.payloads.items()}
                return (
                    b"extra_headers.blocked.names" in payloads["/v1/traces"]
                    and b"extra_headers.decisions" in payloads["/v1/metrics"]
                    and b"extra_headers.decision" in payloads["/v1/logs"]
                )

            wait_until(received_all)
            places = {
                "log": stack.server.log.encode(),
                "metrics": stack.client.get(stack.metrics_url).content,
                "answers": "\n".join(answers).encode(),
                **{path: b"".join(bodies) for path, bodies in collector.payloads.items()},
            }

    # It would find one: what was forwarded did arrive, and is recognized in its surroundings.
    assert forwarded == {"the provider": sorted(passing)}
    assert new.found_in({"a log": places["log"] + new.given[7].encode() + b"\n"}) == {"a log": [new.given[7]]}
    assert len(answers) > 250
    assert len(new.given) > 500
    # The traffic left its traces.
    assert b"extra_headers.decision" in places["log"]
    assert b"extra_headers_decisions_total" in places["metrics"]
    assert b"REDACTED" in places["/v1/traces"]

    assert new.found_in(places) == {}
