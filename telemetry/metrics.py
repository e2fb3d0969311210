"""Prometheus counters of the decisions, in prometheus-client's default registry, which hosts already serve.

Label values come from closed sets and from the operator's configuration, never from a caller.
"""

import logging
import time
from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Self

from opentelemetry.trace import SpanContext, format_span_id, format_trace_id
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Evaluation, Outcome, Reason
from extra_headers.forwarding.policy.identity import IdentityHeaderResult, IdentityHeaders

from . import contract
from .contract import METRICS
from .deferred import Deferred, DeferredCounter, Increments
from .remembered import remembered

_log = logging.getLogger(__name__)

_EXEMPLAR_SECONDS = 1.0

# An evaluation takes microseconds; the tail shows a machine that is out of CPU.
_EVALUATION_BUCKETS = (5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2)


@dataclass(frozen=True, slots=True)
class ProviderLabels:
    """What identifies one provider and its active policy. Bounded by the run config."""

    provider: str
    """The provider id."""
    provider_type: str
    policy: str
    """Digest of the policy."""
    on_blocked: str
    on_malformed: str
    identity_headers: Mapping[str, str] = field(default_factory=dict)
    """The label value of each identity header, by its name."""
    shadow: str | None = None
    """Digest of the policy that enforcing the shadow policy would give; None without one."""
    summary: str = ""
    """The policy in a line, for the log of a server that starts."""


class Metrics:
    """The metric families, registered once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str) -> Counter:
            family = DeferredCounter(name, METRICS[name].help, METRICS[name].labels, registry=registry)
            family.deferred = self.deferred
            return family

        def info(name: str) -> Gauge:
            labels = METRICS[name].labels
            return Gauge(name, METRICS[name].help, labels, registry=registry, multiprocess_mode="livemax")

        self.deferred = Deferred()
        self.counters = {name: counter(name) for name, metric in METRICS.items() if metric.kind == "counter"}
        self.decisions = self.counters[contract.DECISIONS_TOTAL]
        self.blocked_names = self.counters[contract.BLOCKED_NAMES_TOTAL]
        self.requests = self.counters[contract.REQUESTS_TOTAL]
        self.identity_headers = self.counters[contract.IDENTITY_HEADERS_TOTAL]
        self.shadow_decisions = self.counters[contract.SHADOW_DECISIONS_TOTAL]
        self.shadow_requests = self.counters[contract.SHADOW_REQUESTS_TOTAL]
        seconds = METRICS[contract.EVALUATION_SECONDS]
        self.evaluation_seconds = Histogram(
            seconds.name, seconds.help, seconds.labels, buckets=_EVALUATION_BUCKETS, registry=registry
        )
        self.policy_info = info(contract.POLICY_INFO)
        self.shadow_policy_info = info(contract.SHADOW_POLICY_INFO)
        self.unread_fields = self.counters[contract.UNREAD_FIELDS_TOTAL]
        info(contract.BUILD_INFO).labels(_installed_version()).set(1)

    @classmethod
    @cache
    def in_registry(cls, registry: CollectorRegistry = REGISTRY) -> Self | None:
        """Return the families of a registry, registered on the first call; None where their names are taken."""
        try:
            return cls(registry)
        except ValueError as error:
            _log.error("extra_headers: no metrics, requests are not affected: %s", error)
            return None


def _installed_version() -> str:
    try:
        return version("extra-headers-forwarding")
    except PackageNotFoundError:
        return "unknown"


class ProviderMetrics:
    """The series of one provider. Every combination of decision and reason exists from the start, at zero."""

    def __init__(self, metrics: Metrics, labels: ProviderLabels) -> None:
        provider = labels.provider
        self._provider = provider
        self._deferred = metrics.deferred
        self._blocked_names = metrics.blocked_names
        self._by_reason = {
            reason: metrics.decisions.labels(provider, kind.value, reason.value)
            for kind, reasons in REASONS.items()
            for reason in reasons
        }
        self._allowed = self._by_reason[Reason.ALLOWED]
        self._requests = {outcome: metrics.requests.labels(provider, outcome.value) for outcome in Outcome}
        self._seconds = metrics.evaluation_seconds.labels(provider)
        self._next_exemplar: dict[Counter, float] = {}
        metrics.policy_info.labels(
            provider, labels.provider_type, labels.policy, labels.on_blocked, labels.on_malformed
        ).set(1)
        self._identity_headers = {
            (name, result): metrics.identity_headers.labels(provider, header, result.value)
            for name, header in labels.identity_headers.items()
            for result in IdentityHeaderResult
        }
        self._shadow = None if labels.shadow is None else _ShadowMetrics(metrics, provider, labels.shadow)

    def record_identity_headers(self, identity_headers: IdentityHeaders) -> None:
        """Count the identity headers on one request, without the request itself."""
        for name, result in identity_headers.results().items():
            self._identity_headers[name, result].inc()

    def record_rejection(self) -> None:
        """Count a request without extra headers that is rejected because an identity header is missing."""
        self._requests[Outcome.REJECTED].inc()

    def record_shadow(self, live: Evaluation, shadow: Evaluation) -> None:
        """Count one request as it was decided, and as it would have been under the shadow policy."""
        if self._shadow is not None:
            self._shadow.record(live, shadow)

    def record(self, evaluation: Evaluation, seconds: float, context: SpanContext | None = None) -> None:
        """Count one evaluated request.

        A header that the policy lets pass counts as forwarded only if its request is sent.

        Args:
            evaluation: the decisions.
            seconds: how long they took.
            context: of the span that carries the decisions. Where it is sampled, blocked and malformed increments get
                its ids as an exemplar; one each second, since a scrape sees only the last.

        """
        self._seconds.observe(seconds)
        try:
            increments = remembered(self._increments, evaluation)
        except OSError:  # several workers, and their disk has no room for the series of a name
            self._increments_without_names(evaluation).add()
            raise
        if increments.exemplified and (exemplars := self._exemplars(increments, context)):
            increments.add(exemplars=exemplars)
        else:
            self._deferred.count(increments)

    def _increments(self, evaluation: Evaluation) -> Increments:
        counted = self._increments_without_names(evaluation)
        names = Tally(
            (d.reason.value, d.rule or contract.OTHER_HEADER)
            for d in evaluation.decisions
            if d.kind is DecisionKind.BLOCKED
        )
        by_name = [(self._blocked_names.labels(self._provider, *name), amount) for name, amount in names.items()]
        return Increments((*counted.amounts, *by_name), counted.exemplified)

    def _increments_without_names(self, evaluation: Evaluation) -> Increments:
        stopped = Tally(self._by_reason[d.reason] for d in evaluation.decisions if d.kind is not DecisionKind.FORWARDED)
        forwarded = {self._allowed: len(evaluation.forwarded)} if evaluation.forwarded else {}
        amounts = {self._requests[evaluation.outcome]: 1, **forwarded, **stopped}
        return Increments(tuple(amounts.items()), tuple(stopped))

    def _exemplars(self, increments: Increments, context: SpanContext | None) -> dict[Counter, dict[str, str]]:
        """Return an exemplar for each series of blocked or malformed headers that has had none in the last second."""
        now = time.monotonic()
        if now < increments.next_exemplar or context is None or not context.trace_flags.sampled:
            return {}
        due = [series for series in increments.exemplified if now >= self._next_exemplar.get(series, now)]
        self._next_exemplar.update(dict.fromkeys(due, now + _EXEMPLAR_SECONDS))
        increments.next_exemplar = min(map(self._next_exemplar.__getitem__, increments.exemplified))
        ids = {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}
        return dict.fromkeys(due, ids)


class _ShadowMetrics:
    """The series of one provider's shadow policy. Every combination exists from the start, at zero."""

    def __init__(self, metrics: Metrics, provider: str, policy: str) -> None:
        self._decisions = {
            (live, kind, reason): metrics.shadow_decisions.labels(provider, live.value, kind.value, reason.value)
            for live in DecisionKind
            for kind, reasons in REASONS.items()
            for reason in reasons
        }
        self._requests = {
            (live, shadow): metrics.shadow_requests.labels(provider, live.value, shadow.value)
            for live in Outcome
            for shadow in Outcome
        }
        metrics.shadow_policy_info.labels(provider, policy).set(1)

    def record(self, live: Evaluation, shadow: Evaluation) -> None:
        pairs = zip(live.decisions, shadow.decisions, strict=True)
        counted = Tally([(is_.kind, would_be.kind, would_be.reason) for is_, would_be in pairs])
        self._requests[live.outcome, shadow.outcome].inc()
        for key, count in counted.items():
            self._decisions[key].inc(count)
