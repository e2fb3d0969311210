"""One llama-stack server with Responses and Llama Guard, which exports its spans. Collected only if it is the host."""

from collections.abc import Iterator
from typing import Any

import pytest

from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from tests.llama_stack.traced import Traced
from tests.server.host import IS_OGX
from tests.telemetry.servers import running

collect_ignore_glob = ["test_*.py"] if IS_OGX else []


def _add_responses_and_guards(config: dict[str, Any]) -> None:
    config["apis"] += ["responses", "files", "vector_io", "tool_runtime", "safety"]
    stores = {
        "agent_state": {"namespace": "agents", "backend": "kv_default"},
        "responses": {"table_name": "responses", "backend": "sql_default"},
    }
    files: dict[str, Any] = {"storage_dir": f"{config['storage']['backends']['kv_default']['db_path']}.files"}
    files["metadata_store"] = {"table_name": "files", "backend": "sql_default"}
    config["providers"] |= {
        "responses": [_provider("inline::builtin", persistence=stores)],
        "files": [_provider("inline::localfs", **files)],
        "vector_io": [],
        "tool_runtime": [],
        "safety": [_provider("inline::llama-guard")],
    }
    config["registered_resources"]["shields"] = [
        {"shield_id": f"guard-{name}", "provider_id": "the-only-one", "provider_shield_id": f"{name}/test-model"}
        for name in ("on", "reject_both")
    ]


def _provider(provider_type: str, **config: Any) -> dict[str, Any]:
    return {"provider_id": "the-only-one", "provider_type": provider_type, "config": config}


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """Return the server and the collector that it was told of."""
    directory = tmp_path_factory.mktemp("llama-stack")
    with OtlpReceiver() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        # By it, the tests find the span of each call.
        environment["EXTRA_HEADERS_PROPAGATE"] = "traceparent"
        with running(directory, environment, change=_add_responses_and_guards) as stack:
            yield Traced(stack, collector)


@pytest.fixture(autouse=True)
def _forget_earlier_requests(request: pytest.FixtureRequest) -> None:
    if "traced" in request.fixturenames:
        traced: Traced = request.getfixturevalue("traced")
        traced.stack.upstream.take()
        traced.collector.clear()
