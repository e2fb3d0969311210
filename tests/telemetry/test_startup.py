"""What a server logs when it starts: where the metrics are, and which policy each provider has."""

import logging

import pytest

from extra_headers.forwarding import Policy
from extra_headers.forwarding.enforcement import Enforcer
from extra_headers.telemetry.settings import TelemetrySettings
from extra_headers.telemetry.startup import log_metrics_location

_OGX, _LLAMA_STACK = {"ogx", "ogx.telemetry"}, {"llama_stack"}
_ON = {"OGX_METRICS_ENDPOINT_ENABLED": "1"}
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - read, not bound
_INFO, _WARNING = logging.INFO, logging.WARNING


def test_where_the_metrics_are(caplog: pytest.LogCaptureFixture) -> None:
    """The host's endpoint, the add-on's or none: a warning if no scraper can reach them, or only one nearby."""
    caplog.set_level(logging.INFO)
    own, own_open = TelemetrySettings(9465), TelemetrySettings(9465, _ANY_ADDRESS)
    none = TelemetrySettings()
    cases: list[tuple[TelemetrySettings, dict[str, str], set[str], int, str]] = [
        (own, {}, set(), _WARNING, "metrics on http://127.0.0.1:9465/metrics, for scrapers on this machine only"),
        (own, {}, set(), _WARNING, "EXTRA_HEADERS_METRICS_HOST opens them"),
        (own_open, _ON, _OGX, _INFO, "metrics on http://0.0.0.0:9465/metrics"),
        (TelemetrySettings(9465, "::"), {}, set(), _INFO, "metrics on http://[::]:9465/metrics"),
        (TelemetrySettings(9465, "::1"), {}, set(), _WARNING, "this machine only"),
        (TelemetrySettings(9465, "localhost"), {}, set(), _WARNING, "this machine only"),
        (
            none,
            _ON,
            _OGX,
            _WARNING,
            "http://127.0.0.1:9464/metrics, for scrapers on this machine only; OGX_METRICS_HOST",
        ),
        (
            none,
            {**_ON, "OGX_METRICS_HOST": "10.0.0.5", "OGX_METRICS_PORT": "9000"},
            _OGX,
            _INFO,
            "http://10.0.0.5:9000/metrics",
        ),
        (none, {}, _OGX, _WARNING, "no endpoint serves metrics; set OGX_METRICS_ENDPOINT_ENABLED=1, or EXTRA_"),
        (none, _ON, _LLAMA_STACK, _WARNING, "no endpoint serves metrics; set EXTRA_HEADERS_METRICS_PORT"),
        (none, {}, set(), _INFO, "in prometheus-client's default registry"),
    ]
    for settings, environment, modules, level, text in cases:
        caplog.clear()
        log_metrics_location(settings, environment, modules)

        (record,) = caplog.records
        assert text in record.getMessage()
        assert record.levelno == level, text


def test_each_provider_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """The line has the digest, the size of each list, what happens to stopped headers, `set` names, no `set` value."""
    caplog.set_level(logging.INFO)
    policy = Policy.model_validate(
        {
            "allow": ["x-a", "x-b-*"],
            "block": ["x-b-internal"],
            "on_blocked": "reject",
            "set": {"x-tenant": "a-secret-${user.tenant}"},
            "shadow": {"allow": ["x-a"]},
        }
    )
    Enforcer("vllm", "remote::vllm", policy)

    (line,) = [r.getMessage() for r in caplog.records if "provider vllm" in r.getMessage()]
    assert policy.shadow_policy is not None
    assert line == (
        f"extra_headers: provider vllm (remote::vllm): policy {policy.digest}, allow 2 patterns, block 1 and the core "
        "blocklist, unblock 0, on_blocked reject, on_malformed reject, set x-tenant (on_missing reject), "
        f"shadow policy {policy.shadow_policy.digest}"
    )
