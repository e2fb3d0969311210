"""The whole chain: callers, real OGX servers with the add-on, Prometheus, every panel, Alertmanager, a webhook."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from extra_headers.dashboards.tuning import Tuning
from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from tests.dashboards.documents import targets
from tests.dashboards.stack import Exporter, Prometheus, Receiver, Stack, wait_for
from tests.dashboards.test_live_panels import NEEDS_A_DAY, _numbers, _with_variables
from tests.server.stack import Stack as Ogx
from tests.telemetry.servers import running as running_server

_SPIKE = "ExtraHeadersBlockedSpike"
_HOSTILE = {"Authorization": "Bearer made-up", "X-Forwarded-For": "a", "User-Agent": "b", "X-Tenant": "c"}


@dataclass(frozen=True, slots=True)
class Chain:
    """All that runs."""

    servers: list[Ogx]
    prometheus: Prometheus
    receiver: Receiver


def _every_feature(config: dict[str, Any]) -> None:
    setting = {"shadow": {"allow": ["x-maas-*"]}, "set": {"X-User": "${user.id}"}, "on_missing": "omit"}
    for provider in config["providers"]["inference"]:
        if provider["provider_id"] == "drop_both":
            provider["config"]["extra_headers"] |= setting


def _other_policy(config: dict[str, Any]) -> None:
    _every_feature(config)
    config["providers"]["inference"][0]["config"]["extra_headers"] = {"block": ["x-new-*"]}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Yield two replicas, one of them with another policy, and everything behind them."""
    with ExitStack() as cleanup:
        collector = cleanup.enter_context(OtlpReceiver())
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        replica = cleanup.enter_context(
            running_server(tmp_path_factory.mktemp("replica"), environment, change=_every_feature)
        )
        old = cleanup.enter_context(running_server(tmp_path_factory.mktemp("old"), environment, change=_other_policy))
        stack = cleanup.enter_context(Stack(tmp_path_factory.mktemp("monitoring")))
        receiver = stack.receiver()
        # An exporter, to Prometheus, is an address to scrape.
        scraped = [Exporter(urlsplit(server.metrics_url).port or 0) for server in (replica, old)]
        prometheus = stack.prometheus(
            *scraped,
            tuning=Tuning(window=10, slow_window=20, baseline=30, spike_for=2, keep_firing_for=2, new_series=8),
            alertmanager=stack.alertmanager(receiver),
        )
        wait_for(lambda: len(prometheus.query("extra_headers_policy_info")) == 6, "the first scrapes")
        yield Chain([replica, old], prometheus, receiver)


def _traffic(server: Ogx) -> None:
    """Send what callers send: mostly clean, some hostile, some malformed, filtered here and rejected there."""
    for i in range(10):
        assert server.send("on", {"X-Tenant": f"tenant-{i}"}).status_code == 200
    for _ in range(3):
        assert server.send("on", _HOSTILE).status_code == 200
        assert server.send("reject_both", _HOSTILE).status_code == 403
        assert server.send("drop_both", {"X-Tenant": "a", "X-Bad": "b\n"}).status_code == 200
        assert server.send("on", {"X-Bad": "b\n"}).status_code == 400


def test_every_panel_shows_the_traffic(chain: Chain) -> None:
    """Each query of both dashboards returns numbers of a real server; the day before is empty on the first day."""
    for server in chain.servers:
        _traffic(server)
    recorded = 'sum(increase({__name__=~".*:from_zero"}[30s])) > 0'
    wait_for(lambda: chain.prometheus.query(recorded), "recorded names of headers")

    empty = []
    for target in targets():
        expr, now = _with_variables(target.expr), time.time()
        if NEEDS_A_DAY.search(expr):
            continue
        instant = target.query.get("instant")
        found = chain.prometheus.query(expr) if instant else chain.prometheus.query_range(expr, now - 60, now)
        if not _numbers(found):
            empty.append(str(target))

    assert len(targets()) > 20
    assert empty == []


def test_the_spike_alert_lives_its_life(chain: Chain) -> None:
    """An attack on one provider is pending, fires at the security team's webhook, and is resolved there."""
    started = time.time()

    def state() -> str:
        return chain.prometheus.alert_states().get((_SPIKE, "on"), "inactive")

    def under_attack() -> str:
        for _ in range(10):
            hostile = {"X-Forwarded-For": "a", "X-Original-URL": "/", "X-HTTP-Method-Override": "DELETE"}
            assert chain.servers[0].send("on", hostile).status_code == 200
        return state()

    wait_for(lambda: state() == "inactive", "no spike before the attack", 60)
    wait_for(lambda: under_attack() == "firing", "the spike alert fires")
    wait_for(lambda: ("/security-team", "firing", "on") in chain.receiver.alerts(_SPIKE), "the message")
    wait_for(lambda: state() == "inactive", "the spike alert ends", 60)
    wait_for(lambda: ("/security-team", "resolved", "on") in chain.receiver.alerts(_SPIKE), "all clear", 60)

    was_pending = f'ALERTS{{alertname="{_SPIKE}",provider="on",alertstate="pending"}}'
    assert chain.prometheus.query_range(was_pending, started, time.time()) != []
    assert "made-up" not in str(chain.receiver.messages)
