"""Two replicas of a real server behind a real load balancer, with one Prometheus over both: totals, roll-out, drift."""

import csv
import io
import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from extra_headers.dashboards.tuning import AlertName, Tuning
from extra_headers.forwarding.policy.decision import Outcome
from extra_headers.forwarding.testing.processes import HostServer, ServerProcess, free_port, inference_provider
from extra_headers.forwarding.testing.recording_provider import RecordingProvider
from extra_headers.telemetry import contract
from tests.dashboards.programs import program
from tests.dashboards.stack import Exporter, Prometheus, Stack
from tests.server.host import HEADER, SERVER, host_run_config, metrics_environment
from tests.server.stack import PROVIDER_KEY
from tests.waiting import wait_until

_OLD, _NEW = {"allow": ["x-maas-*"]}, {"allow": ["x-maas-*", "x-new"]}
_SENT = (
    (Outcome.CLEAN, 200, {"X-MaaS-Tenant": "a"}),
    (Outcome.FILTERED, 200, {"X-MaaS-Tenant": "a", "X-Debug": "b"}),
    (Outcome.REJECTED, 400, {"X-MaaS-Tenant": 1}),
)
# A roll-out has two policies at once for as long as it takes to stop a replica.
_TUNING = Tuning(window=20, slow_window=60, drift_for=15, keep_firing_for=1)
_DRIFT = (AlertName.POLICY_DRIFT.value, "vllm")


@dataclass
class Replica:
    """One server, which can be started again with another policy on the same ports."""

    name: str
    directory: Path
    upstream: RecordingProvider
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    running: HostServer | None = None

    def start(self, policy: dict[str, list[str]]) -> None:
        """Start it, and wait until it answers."""
        provider = inference_provider("vllm", self.upstream.base_url, policy, api_token=PROVIDER_KEY)
        config = host_run_config([provider], self.directory, self.port)
        environment = metrics_environment(self.metrics_port)
        self.running = SERVER(config, self.directory, environment=environment, timeout=200).__enter__()

    def stop(self) -> None:
        """Stop it as an orchestrator does."""
        if self.running is not None:
            self.running.stop()

    def kill(self) -> None:
        """End it without a warning."""
        assert self.running is not None
        os.killpg(self.running.pid, signal.SIGKILL)


@dataclass
class Balancer:
    """HAProxy over the replicas, with what it counted itself."""

    directory: Path
    port: int = field(default_factory=free_port)

    def command(self, replicas: list[Replica]) -> list[str]:
        """Write its configuration, and return what starts it."""
        servers = "".join(f"  server {one.name} 127.0.0.1:{one.port}\n" for one in replicas)
        (self.directory / "haproxy.cfg").write_text(
            f"global\n  stats socket {self._socket} mode 600 level admin\n"
            "defaults\n  mode http\n  option redispatch\n"
            "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  timeout check 10s\n"
            f"frontend gateway\n  bind 127.0.0.1:{self.port}\n  default_backend replicas\n"
            "backend replicas\n  balance roundrobin\n  option httpchk GET /v1/health\n"
            f"  default-server check inter 500ms fall 2 rise 1\n{servers}"
        )
        return [program("haproxy"), "-db", "-f", str(self.directory / "haproxy.cfg")]

    def ask(self, command: str) -> str:
        """Send a command to its socket, and return the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._socket))
            connection.sendall(f"{command}\n".encode())
            with connection.makefile() as answer:
                return answer.read()

    def servers(self) -> dict[str, dict[str, str]]:
        """Return the statistics of each replica."""
        rows = csv.DictReader(io.StringIO(self.ask("show stat").removeprefix("# ")))
        return {row["svname"]: row for row in rows if row["pxname"] == "replicas"}

    def answered(self, replica: str) -> int:
        """Return how many requests a replica answered as the policy has it."""
        row = self.servers()[replica]
        return int(row["hrsp_2xx"]) + int(row["hrsp_4xx"])

    @property
    def _socket(self) -> Path:
        return self.directory / "haproxy.sock"


@dataclass
class Gateway:
    """Everything that runs, and the clients' tally."""

    a: Replica
    b: Replica
    balancer: Balancer
    prometheus: Prometheus
    client: httpx.Client
    tally: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """What replicas that were stopped had counted when Prometheus saw them last."""

    def send(self, count: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Send requests of every outcome from four clients at once."""
        with ThreadPoolExecutor(4) as clients:
            calls = [clients.submit(self._call, *_SENT[i % len(_SENT)]) for i in range(count)]
            meanwhile()
        self.tally.update(call.result() for call in calls)

    def _call(self, outcome: Outcome, status: int, headers: object) -> str:
        body = {"model": "vllm/test-model", "messages": [{"role": "user", "content": "hi"}]}
        data = json.dumps({"vllm_extra_headers": headers})
        try:
            response = self.client.post("/v1/chat/completions", json=body, headers={HEADER: data})
        except httpx.RemoteProtocolError:  # the balancer does not answer for a replica that died meanwhile
            return "unanswered"
        return outcome.value if response.status_code == status else f"answered {response.status_code}"

    def counted(self, matchers: str = "") -> Counter[str]:
        """Return the requests by outcome as Prometheus has them from the replicas that run."""
        result = self.prometheus.query(f"sum by (outcome) ({contract.REQUESTS_TOTAL}{{{matchers}}}) > 0")
        return Counter({row["metric"]["outcome"]: int(row["value"][1]) for row in result})

    def expect_equal_totals(self) -> None:
        """Wait until Prometheus has counted exactly what the clients sent."""
        wait_until(lambda: self.counted() + self.ended == self.tally, lambda: f"{self.counted()} is not {self.tally}")

    def replace(self, replica: Replica, policy: dict[str, list[str]]) -> None:
        """Drain a replica, stop it, and start it with another policy, while the other one serves the clients."""
        self.balancer.ask(f"set server replicas/{replica.name} state drain")
        self.send(9)
        self.expect_equal_totals()  # an orchestrator grants at least a scrape interval before it ends a process
        self.ended += self.counted(f'instance="127.0.0.1:{replica.metrics_port}"')
        replica.stop()
        self.wait_for_targets(1)
        replica.start(policy)
        self.wait_for_targets(2)
        self.balancer.ask(f"set server replicas/{replica.name} state ready")
        wait_until(lambda: self.balancer.servers()[replica.name]["status"] == "UP", "the replica is not in the balance")
        self.send(9)

    def wait_for_targets(self, count: int) -> None:
        """Wait until Prometheus sees so many replicas with policies."""
        wait_until(lambda: len(self.prometheus.query(contract.POLICY_INFO)) == count, f"not {count} replicas")

    def fired(self) -> set[str]:
        """Return every alert that has fired so far."""
        return {
            row["metric"]["alertname"]
            for row in self.prometheus.query('count_over_time(ALERTS{alertstate="firing"}[15m])')
        }


@pytest.fixture
def gateway(tmp_path: Path, upstream: RecordingProvider) -> Iterator[Gateway]:
    """Start two replicas at once, the balancer and Prometheus."""
    with ExitStack() as cleanup:
        replicas = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            replicas.append(Replica(name, tmp_path / name, upstream))
            cleanup.callback(replicas[-1].stop)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda replica: replica.start(_OLD), replicas))
        balancer = Balancer(tmp_path)
        ready = f"http://127.0.0.1:{balancer.port}/v1/health"
        command = balancer.command(replicas)
        cleanup.enter_context(ServerProcess("HAProxy", command, ready, tmp_path / "haproxy.log"))
        stack = cleanup.enter_context(Stack(tmp_path))
        prometheus = stack.prometheus(*(Exporter(one.metrics_port) for one in replicas), tuning=_TUNING)
        client = cleanup.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{balancer.port}", timeout=60))
        a, b = replicas
        running = Gateway(a, b, balancer, prometheus, client)
        running.wait_for_targets(2)
        yield running


def test_replicas_behind_a_load_balancer(gateway: Gateway) -> None:
    """Totals equal the clients' through a roll-out, a killed replica costs its own, drift fires and ends."""
    gateway.send(30)
    gateway.expect_equal_totals()
    assert all(gateway.balancer.answered(name) > 9 for name in ("a", "b"))

    gateway.replace(gateway.a, _NEW)
    gateway.replace(gateway.b, _NEW)
    gateway.expect_equal_totals()
    assert gateway.tally.keys() == {outcome.value for outcome in Outcome}
    assert gateway.fired() == set()

    survivor = f'instance="127.0.0.1:{gateway.a.metrics_port}"'
    before = gateway.balancer.answered("a") - gateway.counted(survivor).total()
    gateway.send(120, meanwhile=gateway.b.kill)
    wait_until(
        lambda: gateway.counted(survivor).total() + before == gateway.balancer.answered("a"), "the survivor lost counts"
    )
    wait_until(
        lambda: gateway.balancer.servers()["b"]["status"].startswith("DOWN"), "the dead replica is in the balance"
    )
    tally = gateway.tally.copy()
    gateway.send(30)
    assert gateway.tally - tally == Counter(dict.fromkeys((outcome.value for outcome in Outcome), 10))

    gateway.b.stop()
    gateway.b.start(_OLD)
    wait_until(lambda: gateway.prometheus.alert_states().get(_DRIFT) == "firing", "no drift")
    gateway.b.stop()
    wait_until(lambda: _DRIFT not in gateway.prometheus.alert_states(), "the drift does not end")
    assert AlertName.TELEMETRY_ABSENT not in gateway.fired()
