"""A real LiteLLM proxy in front of a recording provider, and requests through both."""

import http.client
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from extra_headers.forwarding.testing.processes import ServerProcess, free_port
from extra_headers.forwarding.testing.recording_provider import ReceivedRequest, RecordingProvider
from tests.litellm.answers import answer
from tests.litellm.configuration import configuration
from tests.litellm.keys import MASTER_KEY

MESSAGES = [{"role": "user", "content": "hi"}]

Counts = dict[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Answered:
    """The proxy's answer."""

    status: int
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error in it."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


@dataclass(frozen=True, slots=True)
class Proxy:
    """The running proxy and the provider behind it."""

    server: ServerProcess
    provider: RecordingProvider
    port: int
    metrics_port: int

    def taken(self) -> list[ReceivedRequest]:
        """Return what the provider received so far, and forget it. LiteLLM lists its models whenever it likes."""
        return [received for received in self.provider.take() if received.path != "/v1/models"]

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | bytes,
        headers: Mapping[str, str] | None = None,
        *,
        key: str = MASTER_KEY,
        method: str = "POST",
    ) -> Answered:
        """Send a request."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            given = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", **(headers or {})}
            connection.request(method, path, content, given)
            response = connection.getresponse()
            return Answered(response.status, response.read())
        finally:
            connection.close()

    def chat(
        self,
        model: str,
        extra_headers: object = None,
        *,
        plain: Mapping[str, str] | None = None,
        key: str = MASTER_KEY,
        **body: Any,
    ) -> Answered:
        """Send a chat request, with extra headers in its body and plain ones."""
        if extra_headers is not None:
            body["extra_headers"] = extra_headers
        return self.post("/v1/chat/completions", {"model": model, "messages": MESSAGES, **body}, plain, key=key)

    def one(self) -> ReceivedRequest:
        """Return the only request that the provider has received."""
        (received,) = self.taken()
        return received

    def counts(self, metric: str) -> Counts:
        """Return a counter's values by its label values in the order of the labels' names, but for zeros."""
        return {tuple(value for _, value in labels): value for labels, value in self.series(metric).items() if value}

    def series(self, metric: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return a metric's values by its labels."""
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.metrics().decode())
            for sample in family.samples
            if sample.name == metric
        }

    def metrics(self) -> bytes:
        """Return what the add-on's endpoint serves."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read()
        finally:
            connection.close()


def grown(before: Counts, after: Counts) -> Counts:
    """Return what a counter grew by."""
    return {labels: value - before.get(labels, 0) for labels, value in after.items() if value != before.get(labels, 0)}


def program() -> str:
    """Return the program that starts a proxy."""
    return str(Path(sys.executable).with_name("litellm"))


def environment(directory: Path, metrics_port: int) -> dict[str, str]:
    """Return the environment of a proxy that asks nobody on the internet."""
    return {
        "HOME": str(directory),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "EXTRA_HEADERS_METRICS_PORT": str(metrics_port),
        "EXTRA_HEADERS_CAPTURE_USER": "true",
        "HOSTED_VLLM_API_KEY": "the-provider-key",
    }


def pass_through(provider: RecordingProvider) -> dict[str, str]:
    """Return the environment in which LiteLLM's own pass-through endpoints lead to the recording provider."""
    root = f"http://127.0.0.1:{provider.port}"
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "the-provider-key")
    return {"OPENAI_API_BASE": root, "ANTHROPIC_API_BASE": root, **keys}


def written(directory: Path, config: Mapping[str, Any], provider: RecordingProvider) -> Path:
    """Write a configuration with the provider's URLs filled in, and return its path."""
    root = f"http://127.0.0.1:{provider.port}"
    text = yaml.safe_dump(dict(config)).replace("{root}", root).replace("{v1}", provider.base_url)
    path = directory / "config.yaml"
    path.write_text(text)
    return path


@contextmanager
def running(
    directory: Path,
    models: Sequence[dict[str, Any]],
    env: Mapping[str, str] | None = None,
    **sections: Any,
) -> Iterator[Proxy]:
    """Run a proxy for models, with `sections` merged into its configuration."""
    port, metrics_port = free_port(), free_port()
    with RecordingProvider(answer=answer) as provider:
        path = written(directory, configuration(models, **sections), provider)
        server = ServerProcess(
            "the proxy",
            [program(), "--config", str(path), "--host", "127.0.0.1", "--port", str(port)],
            f"http://127.0.0.1:{port}/health/liveliness",
            directory / "proxy.log",
            environment={**environment(directory, metrics_port), **pass_through(provider), **(env or {})},
            timeout=180,
        )
        with server:
            yield Proxy(server, provider, port, metrics_port)
