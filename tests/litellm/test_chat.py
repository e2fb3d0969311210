"""A chat request through the proxy: what reaches the provider, what is refused, what is counted."""

import pytest

from extra_headers.telemetry import contract
from tests.litellm.configuration import PROVIDER_KEY
from tests.litellm.keys import ALICE, BOB, NOBODY
from tests.litellm.proxy import Proxy, grown


class TestForwarded:
    """Headers that the policy passes."""

    def test_a_header_of_the_body_arrives_once(self, proxy: Proxy) -> None:
        """The header of the body arrives, and LiteLLM's own headers stay as they are."""
        assert proxy.chat("gpt", {"X-Maas-Subscription": "free"}).status == 200
        received = proxy.one()
        assert received.values("x-maas-subscription") == ["free"]
        assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]
        assert received.values("x-operator") == ["the-operators"]

    def test_plain_headers_and_the_body_are_decided_together(self, proxy: Proxy) -> None:
        """Both arrive; the same name in both is a duplicate."""
        assert proxy.chat("gpt", {"X-B": "2"}, plain={"X-A": "1"}).status == 200
        received = proxy.one()
        assert received.values("x-a") == ["1"]
        assert received.values("x-b") == ["2"]
        refused = proxy.chat("gpt", {"X-A": "2"}, plain={"x-a": "1"})
        assert refused.status == 400
        assert "duplicate" in refused.error["message"]
        assert proxy.taken() == []

    def test_without_extra_headers_nothing_changes(self, proxy: Proxy) -> None:
        """The request is the one without the callback, and nothing is counted."""
        before = proxy.counts(contract.REQUESTS_TOTAL)
        assert proxy.chat("gpt").status == 200
        received = proxy.one()
        assert received.values("x-operator") == ["the-operators"]
        assert {name.lower() for name, _ in received.fields if name.lower().startswith("x-")} == {"x-operator"} | {
            name.lower() for name, _ in received.fields if name.lower().startswith("x-stainless-")
        }
        assert grown(before, proxy.counts(contract.REQUESTS_TOTAL)) == {}

    def test_a_deployment_can_pass_none(self, proxy: Proxy) -> None:
        """`extra_headers: false` forwards nothing, LiteLLM's own way included."""
        assert proxy.chat("off", {"X-A": "1"}, plain={"X-B": "2"}).status == 200
        received = proxy.one()
        assert received.values("x-a") == received.values("x-b") == []


class TestBlocked:
    """Headers that the policy stops."""

    @pytest.mark.parametrize("model", ["gpt", "claude", "vllm", "azure"])
    def test_no_credential_is_replaced(self, proxy: Proxy, model: str) -> None:
        """The operator's credential and headers arrive, whatever field of the request names others."""
        headers = {"Authorization": "Bearer EVIL", "api-key": "EVIL", "x-api-key": "EVIL", "X-Operator": "EVIL"}
        scoped = {"custom_llm_provider": "openai, anthropic, hosted_vllm, azure", "extra_headers": headers}
        answer = proxy.chat(
            model,
            headers,
            headers=headers,
            provider_specific_header=scoped,
            organization="EVIL",
            api_key="EVIL",
            model_info={"id": "EVIL", "extra_headers": False},
            plain={"X-Forwarded-For": "EVIL", "OpenAI-Organization": "EVIL", "X-Real-IP": "EVIL"},
        )
        assert answer.status == 400  # the same name twice
        assert proxy.taken() == []
        answer = proxy.chat(
            model,
            dict.fromkeys(("Authorization", "api-key", "x-api-key", "Host"), "EVIL"),
            organization="EVIL",
            api_key="EVIL",
            plain={"X-Forwarded-For": "EVIL", "OpenAI-Organization": "EVIL", "X-Real-IP": "EVIL"},
        )
        assert answer.status == 200
        received = proxy.one()
        assert b"EVIL" not in received.head + received.body
        assert PROVIDER_KEY.encode() in received.head

    def test_the_operators_own_header_stays(self, proxy: Proxy) -> None:
        """A caller's header of the same name, in any spelling, is an override and changes nothing."""
        before = proxy.counts(contract.DECISIONS_TOTAL)
        assert proxy.chat("gpt", {"x_operator": "EVIL", "X-A": "1"}).status == 200
        received = proxy.one()
        assert received.values("x-operator") == ["the-operators"]
        assert received.values("x_operator") == []
        assert received.values("x-a") == ["1"]
        assert grown(before, proxy.counts(contract.DECISIONS_TOTAL)) == {
            ("blocked", "gpt", "override"): 1,
            ("forwarded", "gpt", "allowed"): 1,
        }

    def test_a_deployment_has_its_own_policy(self, proxy: Proxy) -> None:
        """The default policy blocks x-internal-*; that of `pair` passes one name each, under a label each."""
        assert proxy.chat("gpt", {"X-Internal-A": "1"}).status == 200
        assert proxy.one().values("x-internal-a") == []
        before = proxy.counts(contract.REQUESTS_TOTAL)
        for _ in range(20):
            assert proxy.chat("pair", {"X-A": "1", "X-B": "1"}).status == 200
        received = proxy.taken()
        assert all(len(each.values("x-a")) + len(each.values("x-b")) == 1 for each in received)
        counted = grown(before, proxy.counts(contract.REQUESTS_TOTAL))
        assert sum(counted.values()) == 20
        assert {labels[-1] for labels in counted} == {"pair", "pair#2"}

    def test_the_operator_can_leave_the_key_to_the_caller(self, proxy: Proxy) -> None:
        """`configurable_clientside_auth_params` is LiteLLM's own way to say so."""
        assert proxy.chat("own-key", {"Authorization": "Bearer EVIL"}, api_key="the-callers-key").status == 200
        assert proxy.one().values("authorization") == ["Bearer the-callers-key"]


class TestRefused:
    """Requests that the policy rejects."""

    def test_in_litellms_own_form_and_nothing_else_is_tried(self, proxy: Proxy) -> None:
        """A blocked header is answered 403, a malformed one 400; neither a retry nor the fallback sends anything."""
        for headers, status, word in (
            ({"X-Other": "EVIL-value"}, 403, "not_allowed"),
            ({"X-Maas-A": "EVIL-value\n"}, 400, "value"),
            ({"X-Maas-A": 1}, 400, "type"),
            (["EVIL-value"], 400, "envelope"),
            ("EVIL-value", 400, "envelope"),
        ):
            answer = proxy.chat("strict", headers, num_retries=2)
            assert answer.status == status, answer.body
            assert set(answer.error) == {"message", "type", "param", "code"}
            assert answer.error["code"] == str(status)
            assert word in answer.error["message"]
            assert "'strict'" in answer.error["message"]
            assert "EVIL-value" not in answer.body.decode()
        assert proxy.taken() == []

    def test_the_deployment_stays_in_service(self, proxy: Proxy) -> None:
        """However many requests are rejected, the next one is served."""
        before = proxy.counts(contract.REQUESTS_TOTAL)
        for _ in range(30):
            assert proxy.chat("strict", {"X-Other": "1"}).status == 403
        assert proxy.chat("strict", {"X-Maas-A": "1"}).status == 200
        assert proxy.one().values("x-maas-a") == ["1"]
        assert grown(before, proxy.counts(contract.REQUESTS_TOTAL)) == {
            ("rejected", "strict"): 30,
            ("clean", "strict"): 1,
        }

    def test_a_streamed_request_is_refused_before_it_starts(self, proxy: Proxy) -> None:
        """The caller gets the status code."""
        assert proxy.chat("strict", {"X-Other": "1"}, stream=True).status == 403
        assert proxy.taken() == []


class TestAttempts:
    """Retries and fallbacks."""

    def test_a_retry_sends_the_same_headers_and_counts_once(self, proxy: Proxy) -> None:
        """LiteLLM tries the failed deployment again."""
        before = proxy.counts(contract.REQUESTS_TOTAL)
        assert proxy.chat("flaky", {"X-A": "1", "Cookie": "EVIL"}, num_retries=2).status == 200
        first, second = proxy.taken()
        assert first.values("x-a") == second.values("x-a") == ["1"]
        assert first.values("cookie") == second.values("cookie") == []
        assert grown(before, proxy.counts(contract.REQUESTS_TOTAL)) == {("filtered", "flaky"): 1}

    def test_a_fallback_is_decided_anew(self, proxy: Proxy) -> None:
        """The second deployment has a policy of its own, and counts of its own."""
        before = proxy.counts(contract.REQUESTS_TOTAL)
        assert proxy.chat("failing", {"X-A": "1", "X-Operator": "EVIL"}).status == 200
        *_, last = proxy.taken()
        assert last.values("x-a") == ["1"]
        assert last.values("x-operator") == ["the-operators"]
        assert grown(before, proxy.counts(contract.REQUESTS_TOTAL)) == {("clean", "failing"): 1, ("filtered", "gpt"): 1}


class TestIdentity:
    """`set:` with the user whom LiteLLM authenticated."""

    def test_team_and_key_alias(self, proxy: Proxy) -> None:
        """The tenant is the team; what LiteLLM vouches for wins over a key's metadata."""
        assert proxy.chat("identified", {"X-Tenant-Id": "EVIL", "X-A": "1"}, key=ALICE).status == 200
        received = proxy.one()
        assert received.values("x-tenant-id") == ["red"]
        assert received.values("x-key") == ["alice-laptop"]
        assert received.values("x-a") == ["1"]

    def test_metadata_of_the_key(self, proxy: Proxy) -> None:
        """Strings in it are attributes; a user without one goes on without the header where the policy says omit."""
        assert proxy.chat("attributed", key=ALICE).status == 200
        assert proxy.one().values("x-cost-center") == ["4711"]
        assert proxy.chat("attributed", key=BOB).status == 200
        assert proxy.one().values("x-cost-center") == []

    def test_nobody_is_refused(self, proxy: Proxy) -> None:
        """A key without a team gets 403, and nothing is sent."""
        answer = proxy.chat("identified", key=NOBODY)
        assert answer.status == 403
        assert proxy.taken() == []
