"""Hostile and malformed input beside what the operator has set; `tests/attacks` has the attacks themselves."""

import json

import pytest

from extra_headers.telemetry import contract
from tests.server.stack import ENDPOINTS, Stack
from tests.waiting import wait_until


class TestHostileNames:
    """Names that could take over the request that they ride on."""

    def test_the_operators_own_headers_cannot_be_overridden(self, stack: Stack) -> None:
        """A name that the operator sends (`network.headers`) is blocked as an override, on both ways out."""
        for endpoint in {"chat", "rerank", "messages"}.intersection(ENDPOINTS):
            before = stack.series()
            stack.send("network", {"X-Operator-Key": "evil", "x_team": "evil", "X-Tenant": "mine"}, endpoint)

            (received,) = stack.upstream.take()
            assert received.values("x-operator-key") == ["the-operator-value"]
            assert received.values("x-team") == ["the-team"]
            assert received.values("x_team") == []
            assert received.values("x-tenant") == ["mine"]
            assert stack.counted(before, contract.BLOCKED_NAMES_TOTAL) == {
                ("x-operator-key", "network", "override"): 1,
                ("x-team", "network", "override"): 1,
            }

    def test_the_allow_list_is_all_that_passes(self, stack: Stack) -> None:
        """With `allow`, other names are blocked and counted without their caller-chosen spelling."""
        before = stack.series()
        stack.send("allowing", {"x-maas-tier": "a", "X-Tenant": "b", "X-Other": "c", "X-Maas-Internal-Id": "d"})

        (received,) = stack.upstream.take()
        assert [received.values(name) for name in ("x-maas-tier", "x-tenant")] == [["a"], ["b"]]
        assert [received.values(name) for name in ("x-other", "x-maas-internal-id")] == [[], []]
        assert stack.counted(before, contract.BLOCKED_NAMES_TOTAL) == {
            ("_other", "allowing", "not_allowed"): 1,
            ("x-maas-internal-*", "allowing", "operator"): 1,
        }

    def test_what_the_operator_unblocks_passes(self, stack: Stack) -> None:
        """`unblock` lifts the named entries and nothing beside them."""
        stack.send("unblocking", {"OpenAI-Organization": "org", "X-Real-Ip": "10.0.0.1", "OpenAI-Project": "p"})

        (received,) = stack.upstream.take()
        assert received.values("openai-organization") == ["org"]
        assert received.values("x-real-ip") == ["10.0.0.1"]
        assert received.values("openai-project") == []


class TestMalformedInput:
    """Input that is refused: 400, the reason, nothing sent, nothing repaired."""

    def test_a_malformed_envelope_is_dropped_where_the_policy_says_so(self, stack: Stack) -> None:
        """With `on_malformed: drop` the request goes on without extra headers, and is counted."""
        before = stack.series()
        response = stack.send("drop_both", None, provider_data="{")

        assert response.status_code == 200
        assert len(stack.upstream.take()) == 1
        assert stack.counted(before, contract.REQUESTS_TOTAL) == {("filtered", "drop_both"): 1}

    @pytest.mark.parametrize("text", ["null", '{"vllm_extra_headers": null}', '{"vllm_extra_headers": {}}', "{}", ""])
    def test_no_headers_are_no_fault(self, stack: Stack, text: str) -> None:
        """Provider data without extra headers is not malformed and not counted."""
        before = stack.series()
        response = stack.send("on", None, provider_data=text)

        assert response.status_code == 200
        assert stack.counted(before, contract.REQUESTS_TOTAL) == {}

    def test_the_connection_survives_a_refusal(self, stack: Stack) -> None:
        """A refused request does not cost the caller the connection: the next one on it is answered."""
        for _ in range(20):
            assert stack.send("on", {"X-A": "\n"}).status_code == 400
            assert stack.send("reject_both", {"Cookie": "a"}).status_code == 403
            assert stack.send("on", {"X-A": "1"}).status_code == 200

    def test_a_refusal_is_a_line_in_the_log(self, stack: Stack) -> None:
        """It says why, without the host's traceback: callers can have as many as they like."""
        before = len(stack.server.log)
        assert stack.send("reject_both", {"Cookie": "a"}).status_code == 403
        lines = wait_until(lambda: [line for line in stack.server.log[before:].splitlines() if "HeadersError" in line])
        assert ["header 'Cookie' is blocked" in line for line in lines] == [True]
        assert "Traceback" not in stack.server.log[before:]

    def test_an_error_body_is_json_an_openai_client_reads(self, stack: Stack) -> None:
        """The error has the shape of an OpenAI error, whatever the name looks like."""
        response = stack.send("on", {"a'\"<script>": "x", "b`|~!": "\n"})

        assert set(json.loads(response.text)) == {"error"}
        assert "script" not in response.text
        assert "with a name of 11 characters" in response.json()["error"]["message"]
