"""The manual test of the upstream proposal (llamastack/llama-stack pull request 5217), step by step."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from extra_headers.forwarding.testing.processes import free_port
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from tests.server.host import HEADER, SERVER

pytestmark = pytest.mark.usefixtures("start_for_real")


def _run_config(base_url: str, directory: Path, port: int) -> dict[str, Any]:
    """Return the proposal's run config, with the add-on's two lines and free ports."""
    return {
        "version": "2",
        "image_name": "extra-headers-test",
        "apis": ["inference", "models"],
        "providers": {
            "inference": [
                {
                    "provider_id": "mock-vllm",
                    "provider_type": "remote::vllm",
                    "module": "extra_headers.forwarding",
                    "config": {"base_url": base_url, "refresh_models": False, "extra_headers": True},
                }
            ]
        },
        "storage": {
            "backends": {
                "kv_default": {"type": "kv_sqlite", "db_path": str(directory / "kv.db")},
                "sql_default": {"type": "sql_sqlite", "db_path": str(directory / "sql.db")},
            },
            "stores": {"metadata": {"namespace": "registry", "backend": "kv_default"}},
        },
        "registered_resources": {
            "models": [
                {
                    "model_id": "test-model",
                    "provider_id": "mock-vllm",
                    "provider_model_id": "test-model",
                    "model_type": "llm",
                    "metadata": {"display_name": "Test Model (Mock)"},
                }
            ],
            "vector_stores": [],
        },
        "server": {"host": "127.0.0.1", "port": port},
    }


def test_the_manual_test_of_the_proposal(tmp_path: Path) -> None:
    """The upstream sees the header of the request that has one, and none in the next request without."""
    with (
        RecordingProvider() as upstream,
        SERVER(_run_config(upstream.base_url, tmp_path, free_port()), tmp_path) as server,
    ):
        upstream.take()
        body = {"model": "mock-vllm/test-model", "messages": [{"role": "user", "content": "hi"}]}
        provider_data = {HEADER: '{"vllm_extra_headers": {"X-Test-Header": "confirmed"}}'}
        answers = [
            httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
            for headers in (provider_data, None)
        ]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["choices"][0]["message"]["content"] == "hi"
        first, second = upstream.take()
        assert first.values("X-Test-Header") == ["confirmed"]
        assert second.values("X-Test-Header") == []
