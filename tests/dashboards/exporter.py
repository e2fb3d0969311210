"""A process that counts real decisions and serves its metrics: `python -m tests.dashboards.exporter PORT FILE`.

FILE is JSON: the policies by provider. It decides and counts the extra headers that are posted to `/evaluate`, with the
add-on's own code, and serves what prometheus-client has counted at every other path, with exemplars where Prometheus
asks for OpenMetrics.
"""

import itertools
import json
import secrets
import sys
import time
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from opentelemetry.trace import SpanContext, TraceFlags
from prometheus_client import Counter, make_wsgi_app

from extra_headers.forwarding import Policy, evaluate
from extra_headers.forwarding.enforcement import labels_of
from extra_headers.forwarding.policy.identity import User
from extra_headers.telemetry.metrics import Metrics, ProviderMetrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


# Every fifth user belongs to no tenant and no team.
_USERS = itertools.cycle([*[User("made-up", "made-up", {"teams": ["made-up"]})] * 4, User("made-up")])


class Provider:
    """One provider with its policy and its counters."""

    def __init__(self, metrics: Metrics, provider_id: str, setting: dict[str, object]) -> None:
        self.policy = Policy.model_validate(setting)
        self.metrics = ProviderMetrics(metrics, labels_of(provider_id, f"remote::{provider_id}", self.policy))

    def evaluate(self, headers: object, outbound: Iterable[str]) -> None:
        """Decide and count the extra headers of one request, with a made-up trace."""
        started = time.perf_counter()
        evaluation = evaluate(headers, self.policy, outbound)
        seconds = time.perf_counter() - started
        span = SpanContext(
            secrets.randbits(128) | 1,
            secrets.randbits(64) | 1,
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )
        self.metrics.record(evaluation, seconds, span)
        if (candidate := self.policy.shadow_policy) is not None:
            self.metrics.record_shadow(evaluation, evaluate(headers, candidate, outbound))
        if (identity_headers := self.policy.identity_headers(next(_USERS))) is not None:
            self.metrics.record_identity_headers(identity_headers)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the tests read what is counted."""


def serve(port: int, policies: dict[str, dict[str, object]]) -> None:
    """Serve until the process is ended."""
    metrics = Metrics.in_registry()
    if metrics is None:
        sys.exit("the metrics' names are taken")
    providers = {name: Provider(metrics, name, setting) for name, setting in policies.items()}
    requests = Counter("ogx_requests", "All requests, as OGX counts them; also those without extra headers.", ["api"])
    scrape = make_wsgi_app()

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/evaluate":
            page: Iterable[bytes] = scrape(environ, start_response)
            return page
        length = int(environ["CONTENT_LENGTH"])
        request = json.loads(environ["wsgi.input"].read(length))
        times = request.get("times", 1)
        requests.labels("inference").inc(2 * times)
        for _ in range(times):
            providers[request["provider"]].evaluate(request["headers"], request.get("outbound", ()))
        start_response(f"{HTTPStatus.NO_CONTENT} No Content", [])
        return []

    make_server("127.0.0.1", port, application, handler_class=_Quiet).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
