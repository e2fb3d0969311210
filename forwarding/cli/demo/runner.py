"""Runs one scenario against the running servers and compares the result with what it expects."""

import json
from collections import Counter
from collections.abc import Mapping
from threading import Barrier
from typing import Any

from extra_headers.telemetry import contract

from ...run_config.explanation import explain_request
from ...run_config.policies import check_policy
from ...testing.recording_provider import ReceivedRequest
from .. import configuration
from .client import Reply, Scrape, chat, scrape
from .environment import Environment
from .results import Arrival, Exchange, Increases, ScenarioResult, find_faults
from .scenarios import Scenario


def run_scenario(environment: Environment, scenario: Scenario) -> ScenarioResult:
    """Send the scenario's calls, all at once, and return what happened.

    Raises:
        NoAnswerError: a server does not answer.
        Stopped: a signal came.

    """
    before = scrape(environment.ports.metrics)
    environment.provider.take()
    start = Barrier(len(scenario.callers))

    def call(number: int, headers: Mapping[str, str] | None) -> Reply:
        start.wait()
        return chat(environment.host, environment.ports.server, _content(number), headers, scenario.provider)

    futures = [environment.threads.submit(call, number, headers) for number, headers in enumerate(scenario.callers)]
    replies = environment.signals.results(futures)
    # LiteLLM asks for the provider's models by itself.
    taken = [request for request in environment.provider.take() if request.method == "POST"]
    received = {_content_of(request): request for request in taken}
    counted = _increases(before, scrape(environment.ports.metrics))

    exchanges = [
        Exchange(headers, reply, _arrival(environment, scenario, received.get(_content(number)), headers))
        for number, (headers, reply) in enumerate(zip(scenario.callers, replies, strict=True))
    ]
    faults = find_faults(scenario, exchanges, counted, environment.first)
    if unexpected := len(taken) - sum(exchange.arrival is not None for exchange in exchanges):
        faults.append(f"the provider received {unexpected} requests that no caller sent")
    return ScenarioResult(scenario, exchanges, counted, faults)


def explain(environment: Environment, scenario: Scenario) -> bool:
    """Print the rule behind each decision as `extra-headers explain` does; return whether it decides as expected."""
    path = environment.server.config_path
    config = configuration.read(str(path))
    provider = next(provider for provider in config.providers if provider.id == scenario.provider)
    checked, _ = check_policy(config, provider)
    headers = dict(scenario.callers[0] or {})
    if checked.policy is None:
        return False
    explained = explain_request(config, checked, checked.policy, headers).headers
    reporter = environment.reporter
    command = f"extra-headers explain {path.name} --provider {scenario.provider}"
    reporter.heading("Why", f"the rule behind each decision: {command}")
    reporter.note(f"  {' '.join(f"-H '{name}: ...'" for name in headers)}")
    reporter.facts({one.header: f"{one.decision.kind.value}: {one.source}" for one in explained})
    return {one.header: one.decision.reason for one in explained} == scenario.decisions


def _arrival(
    environment: Environment, scenario: Scenario, request: ReceivedRequest | None, headers: Mapping[str, str] | None
) -> Arrival | None:
    if request is None:
        return None
    if environment.first is None:
        # Every call has the fields of the first one, but for its extra header; later scenarios prove it.
        names = frozenset(name.lower() for name, _ in request.fields)
        environment.first = Arrival(request, names - scenario.forwarded(headers).keys())
    return environment.arrival(request)


def _content(number: int) -> str:
    # Identifies a call at the provider without using its headers.
    return f"call {number}"


def _content_of(request: ReceivedRequest) -> str:
    return str(json.loads(request.body)["messages"][0]["content"])


def _increases(before: Scrape, after: Scrape) -> Increases:
    def by(metric: str, *labels: str) -> Counter[Any]:
        counted = Counter[tuple[str, ...]]()
        for series, increase in after.increases_since(before, metric).items():
            counted[tuple(dict(series)[label] for label in labels)] += increase
        return counted

    return Increases(
        decisions=by(contract.DECISIONS_TOTAL, contract.LABEL_DECISION, contract.LABEL_REASON),
        requests=by(contract.REQUESTS_TOTAL, contract.LABEL_OUTCOME),
        rules=dict(by(contract.BLOCKED_NAMES_TOTAL, contract.LABEL_REASON, contract.LABEL_HEADER).keys()),
        shadow=by(contract.SHADOW_DECISIONS_TOTAL, contract.LABEL_SHADOW_DECISION, contract.LABEL_SHADOW_REASON),
        identity_headers=by(contract.IDENTITY_HEADERS_TOTAL).total(),
    )
