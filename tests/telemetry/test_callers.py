"""Who it was: the user and the tenant as the host authenticated them, in spans and audit records."""

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from tests.server.stack import ENDPOINTS
from tests.telemetry.servers import running
from tests.waiting import wait_until


def _authenticate_by_header(config: dict[str, Any]) -> None:
    provider = {"type": "upstream_header", "principal_header": "x-auth-user", "tenant_header": "x-auth-tenant"}
    config["server"]["auth"] = {"provider_config": provider}


@pytest.mark.parametrize("captured", [True, False])
def test_the_authenticated_caller(tmp_path: Path, captured: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """The span and the audit record name the caller, unless that is switched off."""
    with OtlpReceiver() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "EXTRA_HEADERS_CAPTURE_USER": str(captured),
            "EXTRA_HEADERS_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
        }
        with running(tmp_path, environment, change=_authenticate_by_header) as stack:
            target = ENDPOINTS["chat"]
            response = stack.client.post(
                stack.server.url + target.path,
                json={"model": f"on/{target.model}", **target.body},
                headers={
                    "x-auth-user": "alice@example.org",
                    "x-auth-tenant": "blue",
                    "X-OGX-Provider-Data": '{"vllm_extra_headers": {"X-A": "1", "Cookie": "s"}}',
                },
            )
            assert response.status_code == 200, response.text

            def calls() -> list[Any]:
                return [s for s in collector.spans if "extra_headers.provider" in s.attributes]

            wait_until(lambda: {s.kind for s in calls()} >= {SpanKind.CLIENT, SpanKind.SERVER})

    record = json.loads((tmp_path / "audit.jsonl").read_text())
    expected = ("alice@example.org", "blue") if captured else (None, None)
    assert (record.get("user.id"), record.get("extra_headers.tenant")) == expected
    for span in calls():
        assert (span.attributes.get("user.id"), span.attributes.get("extra_headers.tenant")) == expected
