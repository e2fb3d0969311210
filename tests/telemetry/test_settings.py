"""Environment variables of the telemetry: good values are taken, bad ones are reported and ignored."""

import pytest

from extra_headers.telemetry.settings import TelemetrySettings


def test_defaults() -> None:
    """Without any variable there is no endpoint, nothing is opted into, and the caller is recorded."""
    assert TelemetrySettings.from_environment({}) == TelemetrySettings(
        None, "127.0.0.1", False, True, None, False, "auto", None
    )


def test_all_of_them() -> None:
    """Each variable sets its field."""
    environment = {
        "EXTRA_HEADERS_METRICS_PORT": "9465",
        "EXTRA_HEADERS_METRICS_HOST": "0.0.0.0",  # noqa: S104 - read, not bound
        "EXTRA_HEADERS_OTEL_METRICS": "True",
        "EXTRA_HEADERS_CAPTURE_USER": "off",
        "EXTRA_HEADERS_AUDIT_LOG": "audit.jsonl",
        "EXTRA_HEADERS_AUDIT": "ALL",
        "EXTRA_HEADERS_PROPAGATE": "None",
        "PROMETHEUS_MULTIPROC_DIR": "somewhere",
    }
    expected = TelemetrySettings(9465, "0.0.0.0", True, False, "audit.jsonl", True, "none", "somewhere")  # noqa: S104
    assert TelemetrySettings.from_environment(environment) == expected


@pytest.mark.parametrize("port", ["x", "0", "-1", "65536", "9465.0", "\u0661", "1" * 5000])
def test_a_bad_port_is_reported_and_ignored(port: str, caplog: pytest.LogCaptureFixture) -> None:
    """A port that is none costs the endpoint and one line, not the server."""
    assert TelemetrySettings.from_environment({"EXTRA_HEADERS_METRICS_PORT": port}).metrics_port is None
    (record,) = caplog.records
    assert "EXTRA_HEADERS_METRICS_PORT must be a port from 1 to 65535" in record.getMessage()


def test_a_bad_flag_is_reported_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """A flag that is neither true nor false keeps its default."""
    settings = TelemetrySettings.from_environment({"EXTRA_HEADERS_CAPTURE_USER": "maybe"})

    assert settings.capture_user
    (record,) = caplog.records
    assert "EXTRA_HEADERS_CAPTURE_USER must be true or false; using true" in record.getMessage()


def test_a_bad_choice_is_reported_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """A word that is none of the choices keeps the default."""
    assert not TelemetrySettings.from_environment({"EXTRA_HEADERS_AUDIT": "everything"}).audit_every_request
    (record,) = caplog.records
    assert "EXTRA_HEADERS_AUDIT must be stopped or all; using stopped" in record.getMessage()
