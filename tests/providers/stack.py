"""One server with an instance of every provider type, all served by one recording upstream."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from extra_headers.forwarding.testing.processes import OgxServer, free_port, run_config
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.providers.answers import answer_as_any_provider
from tests.providers.tunnel import CertificateAuthority, Tunnel
from tests.server.stack import ENDPOINTS as INFERENCE_ENDPOINTS
from tests.server.stack import Endpoint, Stack

STAND_INS = Path(__file__).parent / "stand_ins"

# The upstream's paths differ from provider to provider.
ENDPOINTS: Mapping[str, Endpoint] = {
    **INFERENCE_ENDPOINTS,
    "responses": Endpoint("/v1/responses", "test-model", {"input": "hi"}, ""),
    "responses_stream": Endpoint("/v1/responses", "test-model", {"input": "hi", "stream": True}, ""),
    "interactions": Endpoint("/v1alpha/interactions", "test-model", {"input": "hi"}, ""),
    "interactions_stream": Endpoint("/v1alpha/interactions", "test-model", {"input": "hi", "stream": True}, ""),
}


def full_run_config(providers: Sequence[Mapping[str, Any]], directory: Path, port: int) -> dict[str, Any]:
    """Return a run config with every API that leads to a provider."""
    config = run_config(providers, directory, port)
    config["apis"] += ["responses", "interactions", "batches", "files", "file_processors", "tool_runtime", "vector_io"]

    def table(name: str) -> dict[str, str]:
        return {"table_name": name, "backend": "sql_default"}

    persistence = {
        "agent_state": {"namespace": "responses", "backend": "kv_default"},
        "responses": table("responses"),
    }
    files = {"storage_dir": str(directory / "files"), "metadata_store": table("files")}
    mcp = {"provider_id": "mcp", "provider_type": "remote::model-context-protocol", "config": {}}
    config["providers"] |= {
        "responses": [_provider("builtin", "inline::builtin", {"persistence": persistence})],
        "interactions": [_provider("builtin", "inline::builtin", {"store": table("interactions")})],
        "batches": [_provider("reference", "inline::reference", {"sqlstore": table("batches")})],
        "files": [_provider("localfs", "inline::localfs", files)],
        "tool_runtime": [mcp],
        "file_processors": [_in_memory("file_processors")],
        "vector_io": [_in_memory("vector_io")],
    }
    # A vector store asks for a model that is known to make embeddings.
    config["registered_resources"]["models"] = [
        {
            "model_id": "test-embedding",
            "provider_id": provider["provider_id"],
            "provider_model_id": "test-model",
            "model_type": "embedding",
            "metadata": {"embedding_dimension": 2},
        }
        for provider in providers
        if provider["provider_type"] != "remote::vertexai"  # whose embeddings the host cannot read
    ]
    return config


def _provider(provider_id: str, provider_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"provider_id": provider_id, "provider_type": provider_type, "config": config}


def _in_memory(api: str) -> dict[str, Any]:
    return {**_provider("in-memory", f"inline::{api}-in-memory", {}), "module": "in_memory"}


def _environment(tunnel: Tunnel, authority: CertificateAuthority, metrics_port: int) -> dict[str, str]:
    """Return what makes every library in the server reach the internet through the tunnel, and trust it."""
    bundle = str(authority.bundle)
    return {
        "HTTPS_PROXY": tunnel.url,
        "HTTP_PROXY": tunnel.url,
        "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "AWS_CA_BUNDLE": bundle,
        "PYTHONPATH": str(STAND_INS),
        "OGX_METRICS_ENDPOINT_ENABLED": "1",
        "OGX_METRICS_PORT": str(metrics_port),
        # Its console format takes ten seconds for one traceback.
        "OGX_LOG_FORMAT": "json",
    }


@contextmanager
def running(directory: Path, providers: Mapping[str, Mapping[str, Any]]) -> Iterator[Stack]:
    """Run a server with providers; in their entries, `{url}` is the upstream's address, `{named}` that by host name."""
    metrics_port = free_port()
    authority = CertificateAuthority(directory)
    with RecordingProvider(answer=answer_as_any_provider) as upstream, Tunnel(authority, upstream.port) as tunnel:
        url = upstream.base_url.removesuffix("/v1")
        entries = [{"provider_id": name, **_with_url(entry, url)} for name, entry in providers.items()]
        config = full_run_config(entries, directory, free_port())
        environment = _environment(tunnel, authority, metrics_port)
        # The host closes the connection after errors that it does not know.
        with (
            OgxServer(config, directory, environment=environment, timeout=300) as server,
            httpx.Client(timeout=60, headers={"connection": "close"}) as client,
        ):
            upstream.take()
            yield Stack(server, upstream, f"http://127.0.0.1:{metrics_port}/metrics", client, directory)


def _with_url(entry: Mapping[str, Any], url: str) -> dict[str, Any]:
    return {
        name: _with_url(value, url)
        if isinstance(value, Mapping)
        else value.replace("{url}", url).replace("{named}", url.replace("127.0.0.1", "localhost"))
        if isinstance(value, str)
        else value
        for name, value in entry.items()
    }
