"""A real Prometheus and Alertmanager as child processes, with the rules and routes that the package generates."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, override
from urllib.parse import urlencode

import yaml

from extra_headers.dashboards.alertmanager import alertmanager_config
from extra_headers.dashboards.alerts import rule_groups
from extra_headers.dashboards.provisioning import prometheus_config
from extra_headers.dashboards.tuning import Tuning

from .loopback import NoAnswerError, request
from .processes import ServerError, ServerProcess, free_port

_PROMETHEUS, _ALERTMANAGER = "prometheus", "prometheus-alertmanager"
"""Names of the programs and of their Debian packages."""
_START_SECONDS = 30


class MissingProgramError(RuntimeError):
    """Prometheus or Alertmanager is not installed. The message names the command that installs it."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs."""

    prometheus: str
    alertmanager: str


def find_programs() -> Programs:
    """Return the paths of Prometheus and Alertmanager.

    Raises:
        MissingProgramError: one of them is not on PATH.

    """
    found = {name: shutil.which(name) for name in (_PROMETHEUS, _ALERTMANAGER)}
    if missing := [name for name, path in found.items() if not path]:
        raise MissingProgramError(
            f"not installed: {' and '.join(missing)}; on Debian install with: apt-get install {' '.join(missing)}; "
            f"elsewhere put Prometheus and Alertmanager on PATH as {_PROMETHEUS} and {_ALERTMANAGER}"
        )
    return Programs(*map(str, found.values()))


class Alertmanager(ServerProcess):
    """An Alertmanager with the generated routes, which groups for a second at most.

    Args:
        program: its path.
        directory: for its configuration, data and log.
        receiver_url: base URL of the webhooks.
        port: of the loopback interface to listen on; by default any free one.
        on_wait: called repeatedly while it starts, with the seconds so far.

    Raises:
        ServerError: it ended, or did not answer in time.

    """

    def __init__(
        self,
        program: str,
        directory: Path,
        receiver_url: str,
        *,
        port: int | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self.address = f"127.0.0.1:{port or free_port()}"
        self.url = f"http://{self.address}"
        self._config_path = directory / "alertmanager.yaml"
        self._config = alertmanager_config(Tuning(receiver_url=receiver_url), group_wait="100ms", group_interval="1s")
        command = [
            program,
            f"--config.file={self._config_path}",
            f"--storage.path={directory / 'alertmanager'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        super().__init__(
            "Alertmanager",
            command,
            f"{self.url}/-/ready",
            directory / "alertmanager.log",
            on_wait=on_wait,
            timeout=_START_SECONDS,
        )

    @override
    def __enter__(self) -> Self:
        _write(self._config_path, self._config)
        return super().__enter__()


class Prometheus(ServerProcess):
    """A Prometheus that scrapes and evaluates the generated rules every second.

    Args:
        program: its path.
        directory: for its configuration, data and log.
        targets: host and port of each server to scrape.
        tuning: windows and thresholds of the rules.
        alertmanager: host and port of the Alertmanager; without one, alerts only fire in Prometheus.
        port: of the loopback interface to listen on; by default any free one.
        on_wait: called repeatedly while it starts, with the seconds so far.

    Raises:
        ServerError: it ended, or did not answer in time.

    """

    def __init__(  # noqa: PLR0913 - each with its default
        self,
        program: str,
        directory: Path,
        targets: Sequence[str],
        tuning: Tuning,
        *,
        alertmanager: str | None = None,
        port: int | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self._port = port or free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._directory = directory
        self._rules = rule_groups(tuning)
        self._targets = targets
        self._alertmanager = alertmanager
        self._config_path = directory / "prometheus.yml"
        command = [
            program,
            f"--config.file={self._config_path}",
            f"--storage.tsdb.path={directory / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--enable-feature=exemplar-storage",
        ]
        super().__init__(
            "Prometheus",
            command,
            f"{self.url}/-/ready",
            directory / "prometheus.log",
            on_wait=on_wait,
            timeout=_START_SECONDS,
        )

    @override
    def __enter__(self) -> Self:
        rules = self._directory / "rules.yaml"
        _write(rules, self._rules)
        config = prometheus_config(self._targets, self._alertmanager or "127.0.0.1:9", str(rules), interval="1s")
        _write(self._config_path, config)
        return super().__enter__()

    def get(self, endpoint: str, **query: str) -> Any:
        """Return the data that an endpoint of the HTTP API answers with.

        Raises:
            ServerError: it did not answer, or with an error.

        """
        try:
            status, answer = request("GET", self._port, f"/api/v1/{endpoint}?{urlencode(query)}")
        except NoAnswerError as error:
            raise self.silent(error) from error
        if status != 200:
            raise ServerError(f"{self.name} answered {status}: {answer.decode(errors='replace')}")
        return json.loads(answer)["data"]

    def query(self, expr: str, **options: str) -> list[dict[str, Any]]:
        """Return the result of an instant query; options as those of the HTTP API."""
        result: list[dict[str, Any]] = self.get("query", query=expr, **options)["result"]
        return result

    def alert_states(self) -> Mapping[tuple[str, str], str]:
        """Return `pending` or `firing` for each alert that is not inactive, by its name and provider."""
        alerts = self.get("alerts")["alerts"]
        return {(a["labels"]["alertname"], a["labels"].get("provider", "")): a["state"] for a in alerts}


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
