"""A shadow policy beside the live one: counted and traced where it would differ, and without any effect."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY, CollectorRegistry

from extra_headers.forwarding import Evaluation, ExtraHeaders, Policy, PolicyError, evaluate
from extra_headers.forwarding.enforcement import Enforcer, labels_of
from extra_headers.forwarding.policy.decision import REASONS, DecisionKind, Outcome
from extra_headers.forwarding.testing.otlp_receiver import OtlpReceiver
from extra_headers.forwarding.testing.processes import inference_provider
from extra_headers.telemetry import contract
from extra_headers.telemetry.metrics import Metrics, ProviderMetrics
from extra_headers.telemetry.spans import shadow_attributes
from tests.server.stack import ENDPOINTS, PROVIDER_KEY
from tests.telemetry.servers import running
from tests.telemetry.totals import totals
from tests.waiting import wait_until

_NUMBERS = itertools.count(1)
POLICY = Policy.model_validate(
    {
        "allow": ["x-a", "x-b"],
        "on_malformed": "drop",
        "shadow": {"allow": ["x-b", "x-c"], "on_blocked": "reject", "limits": {"max_value_bytes": 8}},
    }
)
HEADERS = {"X-A": "1", "X-B": "1", "X-C": "1", "Cookie": "s", "x_b-long": "1"}


def _both(headers: object, policy: Policy = POLICY) -> tuple[Evaluation, Evaluation]:
    assert policy.shadow_policy is not None
    return evaluate(headers, policy), evaluate(headers, policy.shadow_policy)


class TestCounters:
    """What is counted."""

    def test_every_header_counts_with_both_decisions(self) -> None:
        """Agreement included, so that its share can be computed; requests by both outcomes."""
        registry = CollectorRegistry()
        provider = ProviderMetrics(Metrics(registry), labels_of("p", "remote::p", POLICY))
        provider.record_shadow(*_both(HEADERS))
        provider.record_shadow(*_both({"X-B": "longer than eight"}))
        provider.record_shadow(*_both("no mapping"))

        counted = {k: v for k, v in totals(registry, contract.SHADOW_DECISIONS_TOTAL).items() if v}
        assert counted == {
            ("p", "forwarded", "blocked", "not_allowed"): 1,
            ("p", "forwarded", "forwarded", "allowed"): 1,
            ("p", "blocked", "forwarded", "allowed"): 1,
            ("p", "blocked", "blocked", "credential"): 1,
            ("p", "blocked", "blocked", "not_allowed"): 1,
            ("p", "forwarded", "malformed", "too_large"): 1,
            ("p", "malformed", "malformed", "envelope"): 1,
        }
        requests = {k: v for k, v in totals(registry, contract.SHADOW_REQUESTS_TOTAL).items() if v}
        assert requests == {
            ("p", "filtered", "rejected"): 2,
            ("p", "clean", "rejected"): 1,
        }

    def test_every_combination_exists_at_zero(self) -> None:
        """For a provider with a shadow policy, and none for one without."""
        registry = CollectorRegistry()
        metrics = Metrics(registry)
        ProviderMetrics(metrics, labels_of("with", "remote::p", POLICY))
        ProviderMetrics(metrics, labels_of("without", "remote::p", Policy()))

        assert totals(registry, contract.SHADOW_DECISIONS_TOTAL) == {
            ("with", live.value, kind.value, reason.value): 0.0
            for live in DecisionKind
            for kind, reasons in REASONS.items()
            for reason in reasons
        }
        outcomes = itertools.product(Outcome, Outcome)
        assert totals(registry, contract.SHADOW_REQUESTS_TOTAL) == {("with", a, b): 0.0 for a, b in outcomes}
        assert POLICY.shadow_policy is not None
        assert totals(registry, contract.SHADOW_POLICY_INFO) == {("with", POLICY.shadow_policy.digest): 1.0}


class TestAttributes:
    """What a span says."""

    def test_say_where_it_would_differ(self) -> None:
        """Names of the headers with another decision, and why; none of the others."""
        assert shadow_attributes(*_both(HEADERS), "digest") == {
            "extra_headers.shadow.policy": "digest",
            "extra_headers.shadow.outcome": "rejected",
            "extra_headers.shadow.differing.count": 2,
            "extra_headers.shadow.forwarded.names": ["X-C"],
            "extra_headers.shadow.stopped.names": ["X-A"],
            "extra_headers.shadow.stopped.reasons": ["not_allowed"],
        }

    def test_are_few_where_it_would_not(self) -> None:
        """No names without a difference."""
        assert shadow_attributes(*_both({"X-B": "1"}), "digest") == {
            "extra_headers.shadow.policy": "digest",
            "extra_headers.shadow.outcome": "clean",
            "extra_headers.shadow.differing.count": 0,
        }

    def test_are_capped_and_show_no_bad_name(self) -> None:
        """32 names of 64 characters; one that is too long for the shadow policy is counted only."""
        policy = Policy.model_validate({"shadow": {"allow": [], "limits": {"max_name_bytes": 70, "max_headers": 1000}}})
        headers = {**{f"X-{i}-{'a' * 65}"[:69]: "v" for i in range(31)}, "X-" + "b" * 100: "v"}
        attributes = shadow_attributes(*_both(headers, policy), "digest")
        assert attributes[contract.ATTR_SHADOW_DIFFERING] == 32
        shown = attributes[contract.ATTR_SHADOW_STOPPED_NAMES]
        assert isinstance(shown, list)
        assert len(shown) == 31
        assert {len(str(name)) for name in shown} == {64}


class TestFailure:
    """A shadow policy that cannot be evaluated, or recorded."""

    @pytest.mark.parametrize("broken", ["evaluation", "metrics", "attributes"])
    def test_never_reaches_the_request(
        self, broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The live decision and its counters are what they would be without; the log says so once."""

        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError("broken on purpose")

        provider = f"shadow-{next(_NUMBERS)}"
        enforcer = Enforcer(provider, "remote::p", POLICY)
        if broken == "evaluation":
            monkeypatch.setattr(enforcer, "_shadow_policy", object())
        elif broken == "metrics":
            monkeypatch.setattr("extra_headers.telemetry.metrics.ProviderMetrics.record_shadow", fail)
        else:
            monkeypatch.setattr("extra_headers.telemetry.spans.shadow_attributes", fail)

        decisions = [enforcer.decide(HEADERS, (), "http://127.0.0.1/") for _ in range(3)]

        assert [d.headers and d.headers.from_caller for d in decisions] == [{"X-A": "1", "X-B": "1"}] * 3
        labels = {"provider": provider, "outcome": "filtered"}
        assert REGISTRY.get_sample_value("extra_headers_requests_total", labels) == 3
        assert caplog.text.count(f"telemetry of provider '{provider}' failed; requests go on") == 1


class TestPlainClients:
    """Clients of a service's own."""

    def test_have_shadow_policies(self) -> None:
        """Their calls are compared in the same way."""
        provider = f"shadow-{next(_NUMBERS)}"
        ExtraHeaders(provider, policy=POLICY)
        labels = {"provider": provider, "outcome": "clean", "shadow_outcome": "rejected"}
        assert REGISTRY.get_sample_value("extra_headers_shadow_requests_total", labels) == 0

    @pytest.mark.parametrize("policy", [{"set": {"x-user": "${user.id}"}}, Policy(set={"x-user": "${user.id}"})])
    def test_cannot_set_identities(self, policy: Any) -> None:
        """No host has authenticated their caller, and the error says what to do instead."""
        with pytest.raises(PolicyError, match=r"`set` needs a caller whom a host authenticated.*on the client or"):
            ExtraHeaders("own", policy=policy)


def _with_a_shadow(config: dict[str, Any]) -> None:
    """Give the server a provider with POLICY and a header of its own, and callers with an identity."""
    (base_url,) = {provider["config"]["base_url"] for provider in config["providers"]["inference"]}
    setting = {
        **POLICY.model_dump(mode="json", exclude={"field", "set"}),
        "set": {"x-team": "team ${user.attributes.teams[0]}"},
    }
    provider = inference_provider("compared", base_url, setting, api_token=PROVIDER_KEY)
    config["providers"]["inference"] = [provider]
    auth = {"type": "upstream_header", "principal_header": "x-auth-user", "attribute_headers": {"x-auth-team": "teams"}}
    config["server"]["auth"] = {"provider_config": auth}


def test_on_a_server(tmp_path: Path) -> None:
    """The provider gets what the live policy passes; spans say what would differ, and show no value, even captured."""
    with OtlpReceiver() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST": ".*",
        }
        with running(tmp_path, environment, auto_instrumented=True, change=_with_a_shadow) as stack:
            target = ENDPOINTS["chat"]
            provider_data = '{"vllm_extra_headers": {"X-A": "canary1", "X-C": "1", "x_team": "canary2"}}'
            for extra in ({}, {"X-OGX-Provider-Data": provider_data}):
                response = stack.client.post(
                    stack.server.url + target.path,
                    json={"model": f"compared/{target.model}", **target.body},
                    headers={"x-auth-user": "alice", "x-auth-team": "canary3", **extra},
                )
                assert response.status_code == 200, response.text
            received = stack.upstream.take()
            assert [r.values("x-team") for r in received] == [["team canary3"]] * 2
            assert [(r.values("x-a"), r.values("x-c")) for r in received] == [([], []), (["canary1"], [])]

            def found() -> list[Any]:
                spans = [s for s in collector.spans if "extra_headers.provider" in s.attributes]
                return spans if len(spans) == 4 else []

            spans = wait_until(found)
            assert stack.counted({}, contract.SHADOW_REQUESTS_TOTAL) == {("filtered", "compared", "rejected"): 1.0}
            written = stack.server.log

    without, compared = [s for s in spans if s.kind is SpanKind.SERVER]
    _, call = [s for s in spans if s.kind is SpanKind.CLIENT]
    ours = {key: value for key, value in without.attributes.items() if key.startswith("extra_headers.")}
    assert set(ours) == {"extra_headers.provider", "extra_headers.policy", "extra_headers.identity_headers.names"}
    assert compared.attributes["extra_headers.identity_headers.names"] == ["x-team"]
    assert compared.attributes["extra_headers.outcome"] == "filtered"
    assert compared.attributes["extra_headers.shadow.outcome"] == "rejected"
    assert compared.attributes["extra_headers.shadow.forwarded.names"] == ["X-C"]
    assert compared.attributes["extra_headers.shadow.stopped.names"] == ["X-A"]
    assert call.attributes["extra_headers.shadow.outcome"] == "rejected"
    captured = [value for key, value in call.attributes.items() if "http.request.header.x" in key]
    assert ["[REDACTED]"] in captured
    exported = b"".join(payload for payloads in collector.payloads.values() for payload in payloads)
    assert b"canary" not in exported
    assert "canary" not in written
