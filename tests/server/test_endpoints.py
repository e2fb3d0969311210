"""Every endpoint of a provider: the header passes, the credential stays, each decision counts once."""

import pytest

from extra_headers.telemetry import contract
from tests.server.host import HEADER
from tests.server.stack import ENDPOINTS, PROVIDER_KEY, Stack

_MIXED = {"X-MAAS-SUBSCRIPTION": "free-tier", "Authorization": "Bearer evil", "x-api-key": "evil"}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
class TestEveryEndpoint:
    """The same policy and the same telemetry, whatever is called."""

    def test_forwards_and_keeps_the_credential(self, stack: Stack, endpoint: str) -> None:
        """A caller's header reaches the provider once, beside the provider's own key and no other."""
        response = stack.send("on", _MIXED, endpoint)

        assert response.status_code == 200, response.text
        (received,) = stack.upstream.take()
        assert received.path == ENDPOINTS[endpoint].upstream_path
        assert received.values("x-maas-subscription") == ["free-tier"]
        assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]
        assert received.values("x-api-key") == []

    def test_counts_each_decision_once(self, stack: Stack, endpoint: str) -> None:
        """One request counts each of its headers once, and itself once."""
        before = stack.series()
        stack.send("on", _MIXED, endpoint)

        assert stack.counted(before, contract.DECISIONS_TOTAL) == {
            ("forwarded", "on", "allowed"): 1,
            ("blocked", "on", "credential"): 2,
        }
        assert stack.counted(before, contract.REQUESTS_TOTAL) == {("filtered", "on"): 1}

    def test_answers_403_for_a_blocked_header_and_sends_nothing(self, stack: Stack, endpoint: str) -> None:
        """With `on_blocked: reject` the caller learns which header and why, streamed or not."""
        response = stack.send("reject_both", _MIXED, endpoint)

        assert response.status_code == 403
        message = response.json()["error"]["message"]
        assert "'Authorization' is blocked (credential" in message
        assert "evil" not in response.text
        assert stack.upstream.take() == []

    def test_answers_400_for_a_malformed_header_and_sends_nothing(self, stack: Stack, endpoint: str) -> None:
        """With `on_malformed: reject` the caller learns which header and why, streamed or not."""
        response = stack.send("on", {"X-Tenant": "secret\r\nX-Evil: 1"}, endpoint)

        assert response.status_code == 400
        message = response.json()["error"]["message"]
        assert "'X-Tenant' is malformed (value" in message
        assert "secret" not in response.text
        assert stack.upstream.take() == []

    def test_drops_and_goes_on(self, stack: Stack, endpoint: str) -> None:
        """With both settings on `drop`, only the good header goes on."""
        response = stack.send("drop_both", {**_MIXED, "X-Bad": "a\nb"}, endpoint)

        assert response.status_code == 200
        (received,) = stack.upstream.take()
        assert received.values("x-maas-subscription") == ["free-tier"]
        assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]
        assert received.values("x-bad") == []

    @pytest.mark.parametrize("provider", ["off", "disabled", "absent"])
    def test_is_the_built_in_provider_without_the_flag(self, stack: Stack, endpoint: str, provider: str) -> None:
        """Without the flag nothing is forwarded, nothing rejected and nothing counted."""
        before = stack.series()
        response = stack.send(provider, {**_MIXED, "X-Bad": "a\nb"}, endpoint)

        assert response.status_code == 200
        with_data = stack.upstream.take()
        stack.send_without_provider_data(provider, endpoint)
        assert with_data == stack.upstream.take()
        assert stack.series() == before


class TestOtherProviderTypes:
    """The mechanism is not written for one provider type."""

    def test_forwards_to_openai(self, stack: Stack) -> None:
        """`remote::openai` has its own field and keeps its own key."""
        response = stack.send("openai", _MIXED, field="openai_extra_headers")

        assert response.status_code == 200
        (received,) = stack.upstream.take()
        assert received.values("x-maas-subscription") == ["free-tier"]
        assert received.values("authorization") == [f"Bearer {PROVIDER_KEY}"]

    def test_reads_only_the_field_of_the_provider(self, stack: Stack) -> None:
        """Headers for another provider type stay away from this one."""
        stack.send("openai", _MIXED, field="vllm_extra_headers")
        stack.send("on", _MIXED, field="openai_extra_headers")
        stack.send("own_field", _MIXED, field="vllm_extra_headers")

        assert [received.values("x-maas-subscription") for received in stack.upstream.take()] == [[], [], []]

    def test_reads_the_field_that_the_policy_names(self, stack: Stack) -> None:
        """`field:` tells two instances of one type apart."""
        stack.send("own_field", _MIXED, field="second_extra_headers")

        (received,) = stack.upstream.take()
        assert received.values("x-maas-subscription") == ["free-tier"]


class TestServersOwnCalls:
    """What the server asks a provider for itself never carries a caller's headers."""

    @pytest.mark.parametrize("path", ["/v1/models", "/v1/providers"])
    def test_listing_carries_no_callers_header(self, stack: Stack, path: str) -> None:
        """Models are listed, and providers checked, without the headers of whoever asked."""
        before = stack.series()
        response = stack.client.get(
            stack.server.url + path, headers={HEADER: '{"vllm_extra_headers": {"X-Tenant": "a"}}'}
        )

        assert response.status_code == 200
        assert [received.values("x-tenant") for received in stack.upstream.take() if received.values("x-tenant")] == []
        assert stack.series() == before
