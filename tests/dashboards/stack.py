"""Starts exporters, Prometheus and Alertmanager on free loopback ports, talks to them, and always ends them.

No sleeps beyond the steps of a wait: everything waits for a condition with a deadline.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import yaml

from extra_headers.dashboards.alertmanager import alertmanager_config
from extra_headers.dashboards.alerts import rule_groups
from extra_headers.dashboards.provisioning import prometheus_config
from extra_headers.dashboards.tuning import Tuning
from extra_headers.forwarding.testing.loopback import LoopbackServer, Posted
from extra_headers.forwarding.testing.processes import free_port
from tests.dashboards.programs import program

_STEP = 0.05


def wait_for[T](condition: Callable[[], T], what: str, seconds: float = 30) -> T:
    """Return the first true value of a condition. Raises AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if value := condition():
                return value
        except OSError:
            pass
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        threading.Event().wait(_STEP)


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:  # noqa: S603 - own
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def get(url: str, **query: str) -> Any:
    """Return the JSON at a loopback URL."""
    full = f"{url}?{urllib.parse.urlencode(query)}" if query else url
    with urllib.request.urlopen(full, timeout=10) as answer:  # noqa: S310 - loopback only
        return json.load(answer)


class Exporter:
    """A running exporter process."""

    def __init__(self, port: int, labels: Mapping[str, str] | None = None) -> None:
        self.address = f"127.0.0.1:{port}"
        self.labels = dict(labels or {})
        """Labels that Prometheus adds to what it scrapes here."""

    def send(self, provider: str, headers: object, times: int = 1, outbound: tuple[str, ...] = ()) -> None:
        """Have so many requests with these extra headers decided and counted."""
        body = json.dumps({"provider": provider, "headers": headers, "times": times, "outbound": outbound})
        request = urllib.request.Request(f"http://{self.address}/evaluate", body.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback only
            answer.read()


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return the result of an instant query, now or at a Unix time."""
        return self._result("query", query=expr, time=str(at or time.time()))

    def query_range(self, expr: str, start: float, end: float, step: float = 1) -> list[dict[str, Any]]:
        """Return the result of a range query between two Unix times."""
        return self._result("query_range", query=expr, start=str(start), end=str(end), step=str(step))

    def exemplars(self, expr: str) -> list[dict[str, Any]]:
        """Return the exemplars of the last hour behind an expression."""
        now = time.time()
        listed: list[dict[str, Any]] = get(
            f"{self.url}/api/v1/query_exemplars", query=expr, start=str(now - 3600), end=str(now)
        )["data"]
        return listed

    def _result(self, endpoint: str, **query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = get(f"{self.url}/api/v1/{endpoint}", **query)["data"]["result"]
        return listed

    def alert_states(self) -> Mapping[tuple[str, str], str]:
        """Return the state of each active alert by its name and provider."""
        alerts = get(f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return {(a["labels"]["alertname"], a["labels"].get("provider", "")): a["state"] for a in alerts}


class Receiver(LoopbackServer):
    """A webhook that records Alertmanager's messages."""

    def __init__(self) -> None:
        super().__init__(self._receive)
        self.messages: list[tuple[str, dict[str, Any]]] = []
        """Path and body of each message, in order."""

    def _receive(self, message: Posted) -> tuple[int, bytes]:
        self.messages.append((message.path, json.loads(message.body)))
        return 200, b""

    def alerts(self, name: str) -> list[tuple[str, str, str]]:
        """Return path, status and provider of every message about an alert."""
        return [
            (path, alert["status"], alert["labels"].get("provider", ""))
            for path, body in self.messages
            for alert in body["alerts"]
            if alert["labels"]["alertname"] == name
        ]


class Stack:
    """What runs together in one test. A context manager: everything ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def exporter(self, policies: Mapping[str, Mapping[str, object]], **labels: str) -> Exporter:
        """Start an exporter with these policies by provider; Prometheus adds the labels."""
        port = free_port()
        path = self._folder / f"policies-{port}.json"
        path.write_text(json.dumps(policies), encoding="utf-8")
        self._start(f"exporter-{port}", sys.executable, "-m", "tests.dashboards.exporter", str(port), str(path))
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/metrics"), "exporter")
        return Exporter(port, labels)

    def receiver(self) -> Receiver:
        """Start a webhook."""
        return self._running.enter_context(Receiver())

    def alertmanager(self, receiver: Receiver) -> str:
        """Start an Alertmanager with the example's routes and hardly any waiting; return its address."""
        config = alertmanager_config(Tuning(receiver_url=receiver.url), group_wait="100ms", group_interval="1s")
        path = self._write("alertmanager.yaml", config)
        address = f"127.0.0.1:{free_port()}"
        self._start(
            "alertmanager",
            program("prometheus-alertmanager"),
            f"--config.file={path}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        )
        wait_for(lambda: _answers(f"http://{address}/-/ready"), "Alertmanager")
        return address

    def prometheus(
        self, *exporters: Exporter, tuning: Tuning, alertmanager: str = "127.0.0.1:9", options: tuple[str, ...] = ()
    ) -> Prometheus:
        """Start a Prometheus that scrapes the exporters and evaluates the rules every second."""
        rules = self._write("rules.yaml", rule_groups(tuning))
        config = prometheus_config("", alertmanager, str(rules), interval="1s")
        scrape: list[dict[str, object]] = config["scrape_configs"]  # type: ignore[assignment] # built just above
        scrape[0]["static_configs"] = [{"targets": [one.address], "labels": one.labels} for one in exporters]
        path = self._write("prometheus.yml", config)
        port = free_port()
        self._start(
            "prometheus",
            program("prometheus"),
            f"--config.file={path}",
            f"--storage.tsdb.path={self._folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
            *options,
        )
        prometheus = Prometheus(port)
        wait_for(lambda: _answers(f"{prometheus.url}/-/ready"), "Prometheus")
        return prometheus

    def _write(self, name: str, content: Mapping[str, object]) -> Path:
        path = self._folder / name
        path.write_text(yaml.safe_dump(dict(content)), encoding="utf-8")
        return path

    def _start(self, name: str, *command: str) -> None:
        self._running.enter_context(_process(list(command), self._folder / f"{name}.log"))


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback only
        return bool(answer.status == 200)
