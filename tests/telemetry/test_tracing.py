"""What the environment starts: traces exactly where somebody asked for them, as the OpenTelemetry SDK reads it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest

_SET_UP = """
import importlib, json, os, sys
import opentelemetry.util._importlib_metadata as installed
from opentelemetry import trace
from extra_headers.telemetry import tracing

def set_up(environment):
    os.environ.update(environment)
    if "WITHOUT_EXPORTERS" in environment:
        found = installed.entry_points
        without = lambda **asked: () if "exporter" in asked["group"] else found(**asked)
        installed.entry_points = tracing.entry_points = without
    tracing.set_up_tracing()
    provider = trace.get_tracer_provider()
    processors = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ())
    exporters = [type(p.span_exporter).__module__ for p in processors if hasattr(p, "span_exporter")]
    sampler = provider.sampler.get_description() if exporters else ""
    sdk = any(name.startswith("opentelemetry.sdk") for name in sys.modules)
    print(json.dumps([exporters, sdk, sampler]), flush=True)

# What each child would load anew.
for module in sys.argv[1:]:
    importlib.import_module(module)
for environment in json.load(sys.stdin):
    sys.stderr.write("NEXT\\n")
    sys.stderr.flush()
    if os.fork() == 0:
        set_up(environment)
        os._exit(0)
    os.wait()
"""


class _SetUp(NamedTuple):
    """What a process sets up."""

    exporters: list[str]
    sdk: bool
    """Whether the SDK is loaded."""
    sampler: str
    log: str


_SDK = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._logs.export",
    "opentelemetry.sdk.metrics.export",
    "opentelemetry.sdk.trace.export",
)


def _set_up(environments: Sequence[Mapping[str, str]], loaded: Sequence[str] = _SDK) -> list[_SetUp]:
    """Return what a process sets up with each of these environments, where these modules are loaded already."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", _SET_UP, "opentelemetry.instrumentation.httpx", *loaded],
        env=inherited,
        input=json.dumps(environments),
        capture_output=True,
        text=True,
        check=True,
    )
    logs = done.stderr.split("NEXT\n")[1:]
    return [_SetUp._make([*json.loads(line), log]) for line, log in zip(done.stdout.splitlines(), logs, strict=True)]


_HTTP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_GRPC = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
_CONSOLE = "opentelemetry.sdk.trace.export"
_ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


_OVER_GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
ASKED: list[tuple[dict[str, str], list[str]]] = [
    (_ENDPOINT, [_HTTP]),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, [_HTTP]),
    (_ENDPOINT | {"OTEL_TRACES_EXPORTER": ""}, [_HTTP]),
    (_ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp,console"}, [_HTTP, _CONSOLE]),
    (_ENDPOINT | {"OTEL_TRACES_EXPORTER": " otlp , console "}, [_HTTP, _CONSOLE]),
    ({"OTEL_TRACES_EXPORTER": "console"}, [_CONSOLE]),
    ({"OTEL_TRACES_EXPORTER": "otlp"}, [_HTTP]),
    (_ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, [_HTTP]),
    (_ENDPOINT | _OVER_GRPC, [_GRPC]),
    (_ENDPOINT | _OVER_GRPC | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, [_HTTP]),
    (_ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": ""}, [_HTTP]),
]
SAMPLED = _ENDPOINT | {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}
_WITHOUT = _ENDPOINT | {"WITHOUT_EXPORTERS": "1"}
WRONG: list[tuple[dict[str, str], str]] = [
    (_WITHOUT, "; pip install 'extra-headers-forwarding[otlp]'\n"),
    (_WITHOUT | _OVER_GRPC, "; pip install 'opentelemetry-exporter-otlp-proto-grpc'\n"),
    ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin"),
    (_ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp,nonsense"}, "nonsense"),
    (_ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http/json"),
]


type Found = dict[str, _SetUp]


@pytest.fixture(scope="module")
def found() -> Found:
    """Return what is set up with each environment above, as JSON; one process loads the SDK for all."""
    environments = [*(environment for environment, _ in ASKED), SAMPLED, *(environment for environment, _ in WRONG)]
    return dict(zip(map(json.dumps, environments), _set_up(environments), strict=True))


def test_traces_where_asked_for(found: Found) -> None:
    """Lists, empty values and protocols mean what the specification says."""
    for environment, exporters in ASKED:
        set_up = found[json.dumps(environment)]
        assert set_up.exporters == exporters, (environment, set_up.log)


def test_nothing_where_not_asked_for() -> None:
    """Nothing is started, and the SDK is not even loaded."""
    environments: list[dict[str, str]] = [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SERVICE_NAME": "ogx", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics"},
        _ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
        _ENDPOINT | {"OTEL_SDK_DISABLED": "true"},
    ]

    assert _set_up(environments, loaded=()) == [_SetUp([], sdk=False, sampler="", log="")] * len(environments)


def test_the_sampler_of_the_environment(found: Found) -> None:
    """The sampler and its argument are the SDK's to read."""
    assert "TraceIdRatioBased{0.25}" in found[json.dumps(SAMPLED)].sampler


def test_no_traces_is_one_line(found: Found) -> None:
    """The line says what the SDK finds wrong, and what to install; no traceback comes with it."""
    for environment, text in WRONG:
        set_up = found[json.dumps(environment)]
        assert set_up.exporters == [], environment
        assert text in set_up.log, environment
        assert set_up.log.startswith("extra_headers: no traces, requests are not affected: ")
        assert set_up.log.count("\n") == 1, set_up.log
