"""A real Prometheus scrapes a real server, and leads from a counter to the trace behind it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from extra_headers.forwarding.testing.processes import free_port
from tests.dashboards.programs import program
from tests.telemetry.servers import running
from tests.waiting import wait_until


@contextmanager
def _prometheus(directory: Path, target: str) -> Iterator[str]:
    scrape = {"job_name": "ogx", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - a command of ours
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def test_from_a_counter_to_its_trace(tmp_path: Path) -> None:
    """Prometheus stores the exemplar of a blocked header, and the collector has a span with those very ids."""
    with OtlpReceiver() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with (
            running(tmp_path, environment) as stack,
            _prometheus(tmp_path, stack.metrics_url.removeprefix("http://").removesuffix("/metrics")) as url,
            httpx.Client(base_url=url) as prometheus,
        ):
            assert stack.send("on", {"X-A": "1", "Authorization": "evil"}).status_code == 200

            def exemplars() -> list[dict[str, dict[str, str]]]:
                try:
                    query = {"query": "extra_headers_decisions_total", "start": "0", "end": "9999999999"}
                    answer = prometheus.get("/api/v1/query_exemplars", params=query).raise_for_status().json()
                except httpx.HTTPError:  # it starts, and answers 503 for a moment
                    return []
                return [exemplar for series in answer.get("data", []) for exemplar in series["exemplars"]]

            (exemplar,) = wait_until(exemplars, seconds=30)
            ids = (exemplar["labels"]["trace_id"], exemplar["labels"]["span_id"])
            (span,) = wait_until(lambda: [s for s in collector.spans if (s.trace_id, s.span_id) == ids])
            assert span.attributes["extra_headers.blocked.names"] == ["Authorization"]

            query = {"query": 'extra_headers_decisions_total{decision="blocked",reason="credential",provider="on"}'}

            def counted() -> list[str]:
                answer = prometheus.get("/api/v1/query", params=query).json()
                return [series["value"][1] for series in answer["data"]["result"]]

            # Prometheus shows an exemplar before it has kept the scrape that brought it.
            wait_until(lambda: counted() == ["1"])
