"""The core blocklist: rule by rule what the design lists, each effective in every spelling, each with its source."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from extra_headers.forwarding import DecisionKind, Policy, Reason, evaluate
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST, CoreRule
from extra_headers.forwarding.policy.decision import CORE_REASONS
from extra_headers.forwarding.policy.entries import NEVER_UNBLOCKED, core_rule
from extra_headers.forwarding.policy.field_names import is_prefix, is_token, normalize_name
from tests.core.helpers import is_forwarded, spellings

# The whole table, a second time: a rule that goes missing or changes its reason is noticed. The oracle reads this one,
# so that the laws never compare the evaluation with the table that it reads itself.
DESIGN = {
    Reason.FRAMING: (
        "host, content-length, transfer-encoding, connection, keep-alive, proxy-connection, te, trailer, upgrade, "
        "expect, http2-settings, content-type, content-encoding, content-range, content-location, "
        "content-disposition, content-md5, content-digest, repr-digest, digest, accept, accept-encoding, "
        "accept-charset, a-im, prefer, range, if-*, early-data, priority, grpc-*, x-content-sha256, "
        "inference-header-content-length, ce-*"
    ),
    Reason.CREDENTIAL: (
        "authorization, proxy-authorization, proxy-authenticate, www-authenticate, x-api-key, api-key, apikey, "
        "x-apikey, x-api-token, x-goog-api-key, x-goog-iam-*, x-serverless-authorization, cookie, cookie2, "
        "set-cookie, ocp-apim-subscription-key, x-amz-*, x-authorization, x-auth-*, x-access-token, access-token, "
        "x-service-token, x-subject-token, x-security-token, private-token, job-token, deploy-token, x-vault-*, "
        "x-consul-token, x-nomad-token, x-functions-key, x-zumo-auth, x-ms-token-*, x-ms-authorization-auxiliary, "
        "x-acs-*, x-tc-*, opc-obo-token, modal-key, modal-secret, x-rapidapi-*, dapr-api-token, grpc-metadata-*, "
        "signature, signature-input, dpop, cf-access-*, x-refresh-token, x-rbac-token, user-key, app-key, "
        "client-secret, x-ibm-client-*, x-ca-*, x-hi-original-auth, x-aigw-*, x-upstream-authorization, "
        "x-model-authorization, x-user-openai-key, x-user-azure-openai-key, x-user-anthropic-key, "
        "x-user-bedrock-key, x-user-gemini-key, x-user-vertex-ai-key, x-user-minimax-key, x-ray-authorization, "
        "x-fireworks-api-key, x-openai-actor-authorization, x-databricks-azure-*, x-databricks-gcp-*, "
        "x-snowflake-*, x-bce-*, x-vercel-protection-bypass, x-aws-ec2-metadata-*, metadata-flavor"
    ),
    Reason.CLIENT_IDENTITY: (
        "forwarded, via, cdn-loop, client-cert*, x-forwarded-*, x-forwarded, forwarded-for, x-originating-*, "
        "x-real-ip, x-client-ip, client-ip, x-custom-ip-authorization, wl-proxy-*, x-proxyuser-*, "
        "x-cluster-client-ip, cf-connecting-ip, cf-*, true-client-ip, x-amzn-*, x-azure-*, x-fastly-*, fastly-*, "
        "x-akamai-*, fly-*, x-nf-*, x-appengine-*, x-arr-*, x-vercel-*, x-cloud-trace-context, "
        "x-ms-client-principal*, x-goog-authenticated-user-*, x-goog-iap-jwt-assertion, x-endpoint-api-*, "
        "x-apigateway-*, remote-*, x-remote-*, impersonate-*, kubeflow-userid, kubeflow-groups, x-maas-username*, "
        "x-maas-group*, x-webauth-*, x-authentik-*, x-pomerium-*, x-vouch-*, x-consumer-*, x-credential-*, "
        "x-anonymous-consumer, x-authenticated-*, x-jwt-*, x-rh-identity, tailscale-*, ssl-client-*, x-ssl-*, "
        "x-client-cert*, x-client-dn, x-client-verify, gap-auth, gap-signature, x-userinfo, x-id-token, "
        "x-raw-id-token, x-mse-*, x-authz-*, x-ext-authz*, x-tokeninfo-forward, x-tokenintrospection-forward, "
        "teleport-*, oidc-*, shib-*, sm-*, iv-*, oam-*, x-openwebui-*, x-aim-*, sf-context-*, "
        "openai-safety-identifier, user, client-id, app-id, sudo, x-ambassador-*, x-cloudtasks-*, "
        "x-cloudscheduler*, cloudfront-*, do-connecting-ip"
    ),
    Reason.ROUTING: (
        "x-original-url, x-rewrite-url, x-original-host, x-original-*, x-host, x-http-*, x-http-method, "
        "x-http-method-override, x-method-override, proxy, front-end-https, x-scheme, x-url-scheme, script-name, "
        "path-info, x-middleware-*, x-accel-*, x-sendfile*, max-forwards, alt-used, x-envoy-*, x-istio-*, l5d-*, "
        "knative-*, dapr-*, x-prefiller-host-port, x-llm-d-*, x-encoder-hosts-ports, x-kv-cache-source-host-port, "
        "x-data-parallel-host-port, x-data-parallel-rank, x-dynamo-*, x-worker-instance-id, x-prefill-*, "
        "x-dp-rank, x-smg-target-worker, target-pod, azureml-model-deployment, k-network-*, k-kubelet-probe, "
        "k-proxy-request, k-original-host, k-passthrough-lb, seldon-*, x-seldon-*, mm-*, "
        "serve-multiplexed-model-id, model, external-filter, config-profile, x-aibrix-*, x-selected-model, "
        "x-session-token, x-slo-*, nvcf-*, x-runpod-*, x-amzn-bedrock-*, x-amzn-sagemaker-*, x-ms-oai-*, "
        "x-ms-model-mesh-*, x-policy-id, x-ark-*, groq-model-version, x-fireworks-*, x-routing-preference, "
        "x-openrouter-cache*, ai-model-id, ai-language-model-*, x-mcp-*, x-a2a-*, x-cf-*, x-kuma-*, "
        "x-telepresence-*, metadata"
    ),
    Reason.ACCOUNT: (
        "openai-organization, openai-project, x-goog-user-project, x-vertex-ai-llm-*, x-hf-bill-to, "
        "x-databricks-org-id, chatgpt-account-id, anthropic-workspace-id, anthropic-user-profile-id, "
        "x-ms-spillover-deployment, x-databricks-*, x-dashscope-*, x-watson-*, opc-compartment-id, compartmentid, "
        "x-initiator, x-scope-orgid, x-mlflow-*, x-llmgateway-*"
    ),
    Reason.SDK: "x-stainless-*, user-agent, x-goog-*, x-server-timeout, mcp-*, last-event-id",
    Reason.GATEWAY: (
        "x-ogx-*, x-llamastack-*, x-gateway-*, x-litellm-*, x-portkey-*, x-bf-*, cf-aig-*, helicone-*, x-ai-eg-*, "
        "x-vsr-*, x-tfy-*, ocp-apim-*, surrogate-*, x-kong-*, x-tyk-*, x-gravitee-*, x-3scale-*, x-higress-*, "
        "x-arch-*, x-bt-*, x-mlflow-guardrail-bypass, x-helicone-*, x-javelin-*, x-highflame-*, x-traceloop-*, "
        "x-lunar-*, ai-gateway-*, x-contextforge-*, x-mcp-auth*, x-mcp-verified-*, router-key, x-pass-*, "
        "litellm-*, custom-llm-provider, x-compresr-bypass, x-headroom-bypass"
    ),
    Reason.TRACE_CONTEXT: (
        "traceparent, tracestate, baggage, b3, x-b3-*, uber-trace-id, uberctx-*, jaeger-*, ot-tracer-*, "
        "ot-baggage-*, x-ot-span-context, sentry-trace, x-datadog-*, newrelic, x-newrelic-*, x-dynatrace*, "
        "x-instana-*, elastic-apm-traceparent, sw8*, correlation-context, x-client-trace-id, x-request-start, "
        "x-queue-start, x-honeycomb-*, langsmith-*, langfuse-*, eagleeye-*, pinpoint-*"
    ),
    Reason.BROWSER: "origin, referer, sec-*, proxy-*, access-control-*, dnt, date, upgrade-insecure-requests",
}

# Names that callers need and nobody trusts, beside some that only resemble blocked ones.
PASSING = [
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "idempotency-key",
    "x-request-id",
    "x-maas-subscription",
    "x-smg-routing-key",
    "routing-strategy",
    "x-prefilled",
    "target-pods",
    "x-tenant-id",
    "tea",
    "hosts",
    "x-host-hint",
    "x-api-key-id",
    "x-apikey-hint",
    "accept-language",
    "content-language",
    "section",
    "x-amzon",
    "x-amz",
    "proxies",
    "x-b3",
    "b3-x",
    "openai-organizations",
    "x-correlation-id",
    "x-client-request-id",
    "x-ms-client-request-id",
    "x-trace-id",
    "x-user-id",
    "x-session-id",
    "x-priority",
    "x-title",
    "http-referer",
    "cache-control",
    "request-id",
    "x-auth0-tenant",
    "ifx",
    "cfx",
    "x-forward",
    "prefer-region",
    "remote",
    "grpc",
]


def names_of(rule: CoreRule) -> list[str]:
    """Return names that a rule blocks: the name itself, or the bare prefix and two that start with it."""
    if not is_prefix(rule.pattern):
        return [rule.pattern]
    stem = rule.pattern.removesuffix("*")
    return [stem, f"{stem}a", f"{stem}some-thing-9"]


@pytest.mark.parametrize("reason", CORE_REASONS)
def test_the_entries_of_a_reason_are_those_of_the_design(reason: Reason) -> None:
    """No name more, no name less."""
    entries = [rule.pattern for rule in CORE_BLOCKLIST if rule.reason is reason]
    assert sorted(entries) == sorted(DESIGN[reason].split(", "))


def test_every_core_reason_stands_in_the_design_and_the_other_way_round() -> None:
    """The closed set of core reasons is the table's first column."""
    assert set(CORE_REASONS) == set(DESIGN) == {rule.reason for rule in CORE_BLOCKLIST}
    assert len(CORE_REASONS) == len(set(CORE_REASONS))


class TestEveryRule:
    """What is true of each rule by itself. A failure lists the rules for which it is not."""

    def test_blocks_with_its_reason_in_every_spelling(self) -> None:
        """Case and the character used for `-` make no difference. The decision names the rule that blocks."""
        unlike = [
            (spelling, rule.pattern)
            for rule in CORE_BLOCKLIST
            for name in names_of(rule)
            for spelling in spellings(name)
            if _decided(spelling) != (DecisionKind.BLOCKED, rule.reason, rule.pattern, spelling, {})
        ]
        assert unlike == []

    def test_is_the_one_that_the_check_of_a_policy_finds(self) -> None:
        """The rule that blocks a name also decides whether the name may be unblocked."""
        assert [r.pattern for r in CORE_BLOCKLIST if {core_rule(name) for name in names_of(r)} != {r}] == []

    def test_blocks_whatever_an_allow_list_says(self) -> None:
        """An allow list wide enough to name the header does not lift it."""
        wide = {rule: Policy(allow=(f"{rule.pattern[0]}*",)) for rule in CORE_BLOCKLIST}
        assert [name for rule, policy in wide.items() for name in names_of(rule) if is_forwarded(name, policy)] == []

    def test_names_its_source(self) -> None:
        """An operator who doubts a rule can look it up."""
        assert [rule.pattern for rule in CORE_BLOCKLIST if len(rule.source.strip()) <= 10] == []

    def test_has_a_normalized_pattern(self) -> None:
        """A pattern in another form would never match."""
        stems = [rule.pattern.removesuffix("*") for rule in CORE_BLOCKLIST]
        assert [stem for stem in stems if normalize_name(stem) != stem or not is_token(stem)] == []


_POLICY = Policy()


def _decided(name: str) -> tuple[object, ...]:
    evaluation = evaluate({name: "v"}, _POLICY)
    (decision,) = evaluation.decisions
    return decision.kind, decision.reason, decision.rule, decision.name, dict(evaluation.forwarded)


def test_other_names_pass_in_every_spelling() -> None:
    """The policy leaves these names to callers; some are near misses of blocked ones."""
    assert [spelling for name in PASSING for spelling in spellings(name) if not is_forwarded(spelling)] == []


@pytest.mark.parametrize("name", ["anthropic-version", "anthropic-beta", "openai-beta"])
def test_api_version_names_are_left_to_the_client_that_sends_them(name: str) -> None:
    """They pass only as long as the outbound client does not carry them."""
    (decision,) = evaluate({name: "v"}, Policy(), {name.title()}).decisions
    assert (decision.reason, decision.rule) == (Reason.OVERRIDE, name)


def test_no_pattern_stands_twice() -> None:
    """One entry, one reason."""
    patterns = [rule.pattern for rule in CORE_BLOCKLIST]
    assert len(patterns) == len(set(patterns))


def test_where_several_rules_match_the_exact_one_decides_then_the_longest_prefix() -> None:
    """`proxy-*` is a browser's and `cf-*` names the client, but some of these names carry credentials."""
    expected = {
        "proxy-x": Reason.BROWSER,
        "proxy-authorization": Reason.CREDENTIAL,
        "cf-x": Reason.CLIENT_IDENTITY,
        "cf-aig-x": Reason.GATEWAY,
        "cf-access-x": Reason.CREDENTIAL,
        "x-fireworks-x": Reason.ROUTING,
        "x-fireworks-api-key": Reason.CREDENTIAL,
        "x-mcp-x": Reason.ROUTING,
        "x-mcp-authorized": Reason.GATEWAY,
    }
    assert {name: evaluate({name: "v"}, Policy()).decisions[0].reason for name in expected} == expected


def test_no_entry_that_can_be_lifted_hides_one_that_cannot() -> None:
    """Were `x-amz-a` blocked as both a credential and, more narrowly, an account, lifting it would leak a credential.

    So wherever two entries match one name, the one that decides is the one that may never be lifted.
    """
    for narrow in CORE_BLOCKLIST:
        for wide in CORE_BLOCKLIST:
            overlaps = wide is not narrow and is_prefix(wide.pattern) and narrow.pattern.startswith(wide.pattern[:-1])
            if overlaps and wide.reason in NEVER_UNBLOCKED:
                assert narrow.reason in NEVER_UNBLOCKED


class TestSurvey:
    """The names that were looked up in products and documents, each with its effect: docs/blocklist.md tells how."""

    ROWS = tuple(csv.DictReader(Path(__file__).with_name("header_survey.csv").read_text(encoding="utf-8").splitlines()))
    EFFECTS = frozenset(
        {
            "authentication",
            "identity",
            "tenancy",
            "billing",
            "routing",
            "host",
            "model",
            "filter",
            "logging",
            "caching",
            "priority",
            "retries",
            "framing",
            "tracing",
            "none",
        }
    )

    def test_every_name_is_decided_as_recorded(self) -> None:
        """Blocked with the recorded reason, or forwarded."""
        unlike = []
        for row in self.ROWS:
            kind, reason, *_ = _decided(row["name"])
            found = kind if kind is DecisionKind.FORWARDED else reason
            if found != row["decision"]:
                unlike.append((row["name"], row["decision"], found))
        assert unlike == []

    def test_every_name_has_a_product_an_effect_and_a_source(self) -> None:
        """A name that passes has the reason why, too."""
        assert [
            row for row in self.ROWS if not (row["product"] and row["source"] and row["effect"] in self.EFFECTS)
        ] == []
        assert [row for row in self.ROWS if bool(row["why"]) is not (row["decision"] == "forwarded")] == []

    def test_no_name_of_a_product_is_there_twice(self) -> None:
        """Two products may use one name."""
        assert len({(normalize_name(row["name"]), row["product"]) for row in self.ROWS}) == len(self.ROWS)

    def test_the_documentation_states_how_many(self) -> None:
        """Names, products, and names of each class."""
        page = (Path(__file__).parents[2] / "docs" / "blocklist.md").read_text(encoding="utf-8")
        assert f"{len(self.ROWS)} names of {len({row['product'] for row in self.ROWS})} products" in page
        classes = Counter(row["class"] for row in self.ROWS)
        assert [name for name, count in classes.items() if f"| {name} | {count} |" not in page] == []
