"""Records evaluated requests of one provider: counters, spans and audit log, and never at the request's expense.

Modules that only some settings need are imported where the setting is read, so that other servers start faster.
"""

import logging
import re
from collections.abc import Callable, Collection, Mapping
from functools import cache

from opentelemetry.trace import SpanContext
from opentelemetry.util.types import AttributeValue

from extra_headers.forwarding.policy.decision import Evaluation
from extra_headers.forwarding.policy.identity import IdentityHeaders, User

from . import spans
from .audit import AuditLog
from .audit_sinks import LineSink, LoggerSink
from .metrics import Metrics, ProviderLabels, ProviderMetrics
from .rate_limit import RateLimit
from .settings import TelemetrySettings
from .startup import log_metrics_location
from .tracing import attach_span_processor, set_up_tracing

_log = logging.getLogger(__name__)


class Recorder:
    """The telemetry of one provider.

    No method raises: a fault of a registry, a tracer or an exporter is logged once and otherwise ignored.
    """

    def __init__(self, labels: ProviderLabels) -> None:
        self._labels = labels
        self._complained = False
        self._capture_user = _process_settings().capture_user
        self._audit = AuditLog(_process_audit_sink(), every_request=_process_settings().audit_every_request)
        self._fail_open(set_up_tracing, _process_settings().propagate)
        metrics = self._fail_open(_process_metrics)
        self._metrics = self._fail_open(ProviderMetrics, metrics, labels) if metrics is not None else None
        _log.info("extra_headers: provider %s (%s): %s", labels.provider, labels.provider_type, labels.summary)

    def record(  # noqa: PLR0913 - what is known of one request
        self,
        evaluation: Evaluation,
        seconds: float,
        base_url: str,
        user: User | None = None,
        *,
        identity_headers: IdentityHeaders | None = None,
        shadow: Callable[[], Evaluation] | None = None,
        from_request: Collection[str] = (),
        mcp_server: str | None = None,
    ) -> None:
        """Record one evaluated request.

        Args:
            evaluation: the decisions.
            seconds: how long they took.
            base_url: of the provider, to recognize the spans of the calls to it.
            user: whom the host authenticated.
            identity_headers: what the server sets on the request.
            shadow: evaluates the same headers under the shadow policy. Like all telemetry, it may fail.
            from_request: names of the headers that came as plain headers of the request.
            mcp_server: the MCP server that the headers are for; None for a model provider.

        """
        compared = self._fail_open(self._compare, evaluation, shadow) if shadow is not None else None
        context = None
        try:
            context = self._observe(
                evaluation,
                base_url,
                user,
                identity_headers,
                from_request=from_request,
                mcp_server=mcp_server,
                compared=compared,
            )
        except Exception:
            self._complain()
        if self._metrics is not None:
            try:
                self._metrics.record(evaluation, seconds, context)
            except Exception:
                self._complain()

    def record_identity_headers(
        self,
        identity_headers: IdentityHeaders,
        base_url: str,
        user: User | None = None,
        *,
        mcp_server: str | None = None,
    ) -> None:
        """Record the identity headers of a request without extra headers."""
        self._fail_open(self._observe, None, base_url, user, identity_headers, mcp_server=mcp_server)
        if self._metrics is not None and identity_headers.rejected:
            self._fail_open(self._metrics.record_rejection)

    def _observe(  # noqa: PLR0913 - what is known of one request
        self,
        evaluation: Evaluation | None,
        base_url: str,
        user: User | None,
        identity_headers: IdentityHeaders | None,
        *,
        from_request: Collection[str] = (),
        mcp_server: str | None = None,
        compared: Mapping[str, AttributeValue] | None = None,
    ) -> SpanContext | None:
        """Write spans and audit log, count what the server sets, and return the context of the request's span."""
        named = user if self._capture_user else None
        labels = self._labels
        attributes = spans.decision_attributes(
            evaluation,
            labels.provider,
            labels.policy,
            named,
            identity_headers,
            from_request=from_request,
            mcp_server=mcp_server,
        )
        added: Mapping[str, str] = {} if evaluation is None else evaluation.forwarded
        if identity_headers is not None:
            added = {**added, **identity_headers.headers}
        traced = {**attributes, **compared} if compared else attributes
        context = None
        try:
            context = _trace(traced, added, base_url)
        except Exception:
            self._complain()
        if self._metrics is not None and identity_headers is not None:
            self._fail_open(self._metrics.record_identity_headers, identity_headers)
        try:
            self._audit.record(evaluation, attributes, context, identity_headers)
        except Exception:
            self._complain()
        return context

    def _compare(self, live: Evaluation, shadow: Callable[[], Evaluation]) -> Mapping[str, AttributeValue]:
        candidate = shadow()
        if self._metrics is not None:
            self._metrics.record_shadow(live, candidate)
        return spans.shadow_attributes(live, candidate, self._labels.shadow or "")

    def _fail_open[**P, T](self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Run a step. The steps of each request have a `try` of their own, which is cheaper."""
        try:
            return step(*args, **kwargs)
        except Exception:
            self._complain()
            return None

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            _log.exception("extra_headers: telemetry of provider %r failed; requests go on", self._labels.provider)


def _trace(attributes: Mapping[str, AttributeValue], added: Mapping[str, str], base_url: str) -> SpanContext:
    attach_span_processor()  # here, because the tracer provider may be set after the first provider starts
    return spans.record_decision(attributes, added, base_url)


def record_unread_field(field: str) -> None:
    """Record a field of a request that is meant for extra headers and that no provider reads. Never raises.

    Args:
        field: the key in the provider data, or the name of the header with the provider data. A caller's choice: it is
            logged only if it looks like such a name.

    """
    try:
        metrics = _process_metrics()
        if metrics is not None:
            metrics.unread_fields.inc()
        if (suppressed := _unread_fields_logged.admit()) is not None:
            shown = repr(field) if _FIELD.fullmatch(field) else f"a field with a name of {len(field)} characters"
            _log.warning(
                "extra_headers: no provider reads %s; its headers are not forwarded (%d more since the last such line)",
                shown,
                suppressed,
            )
    except Exception:
        _log.debug("extra_headers: an unread field was not recorded", exc_info=True)


_FIELD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_unread_fields_logged = RateLimit(burst=1, per_second=1 / 60)


@cache
def _process_settings() -> TelemetrySettings:
    return TelemetrySettings.from_environment()


@cache
def _process_audit_sink() -> LineSink | LoggerSink:
    settings = _process_settings()
    if settings.audit_log is not None:
        return LineSink(settings.audit_log)
    return LoggerSink(every_request=settings.audit_every_request)


@cache
def _process_metrics() -> Metrics | None:
    """Set up what is once for each process: the metric families, their endpoint, their OpenTelemetry twins."""
    settings = _process_settings()
    if settings.multiprocess_directory is not None:
        from .multiprocess import prepare_directory  # noqa: PLC0415 - see above

        try:
            prepare_directory(settings.multiprocess_directory)
        except OSError as error:
            _log.error("extra_headers: no metrics, requests are not affected: %s", error)
            return None
    metrics = Metrics.in_registry()
    if metrics is not None:
        if settings.metrics_port is not None:
            from .endpoint import start_endpoint  # noqa: PLC0415 - see above

            start_endpoint(settings)
        log_metrics_location(settings)
        if settings.otel_metrics:
            from .otel_metrics import create_otel_counters  # noqa: PLC0415 - see above

            create_otel_counters(metrics)
    return metrics
