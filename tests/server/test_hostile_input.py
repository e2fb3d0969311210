"""Hostile names and malformed input, over a real socket: what the provider receives, and what the caller is told."""

import json

import pytest

from extra_headers.forwarding.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.decisions import CORE_REASONS, Reason
from extra_headers.telemetry import names
from tests.server.stack import Stack

_PASSING = {"X-Maas-Subscription": "free-tier"}

# Field name and the reason for which it is blocked.
HOSTILE_NAMES: dict[str, Reason] = {
    "Authorization": Reason.CREDENTIAL,
    "AUTHORIZATION": Reason.CREDENTIAL,
    "aUtHoRiZaTiOn": Reason.CREDENTIAL,
    "Proxy-Authorization": Reason.CREDENTIAL,
    "proxy_authorization": Reason.CREDENTIAL,
    "X-API-Key": Reason.CREDENTIAL,
    "x_api_key": Reason.CREDENTIAL,
    "Api-Key": Reason.CREDENTIAL,
    "X_Goog-Api_Key": Reason.CREDENTIAL,
    "Cookie": Reason.CREDENTIAL,
    "Set-Cookie": Reason.CREDENTIAL,
    "X-Amz-Security-Token": Reason.CREDENTIAL,
    "x_amz_date": Reason.CREDENTIAL,
    "CF-Access-Client-Secret": Reason.CREDENTIAL,
    "Host": Reason.FRAMING,
    "Content-Length": Reason.FRAMING,
    "content_length": Reason.FRAMING,
    "Transfer-Encoding": Reason.FRAMING,
    "TRANSFER_ENCODING": Reason.FRAMING,
    "Connection": Reason.FRAMING,
    "Content-Type": Reason.FRAMING,
    "Expect": Reason.FRAMING,
    "Te": Reason.FRAMING,
    "Upgrade": Reason.FRAMING,
    "X-Forwarded-For": Reason.CLIENT_IDENTITY,
    "X_Forwarded_For": Reason.CLIENT_IDENTITY,
    "x-forwarded_host": Reason.CLIENT_IDENTITY,
    "Forwarded": Reason.CLIENT_IDENTITY,
    "X-Real-IP": Reason.CLIENT_IDENTITY,
    "True-Client-IP": Reason.CLIENT_IDENTITY,
    "X-MS-Client-Principal-Name": Reason.CLIENT_IDENTITY,
    "X-Original-URL": Reason.ROUTING,
    "X-HTTP-Method-Override": Reason.ROUTING,
    "x_envoy_original_path": Reason.ROUTING,
    "OpenAI-Organization": Reason.ACCOUNT,
    "openai_project": Reason.ACCOUNT,
    "User-Agent": Reason.SDK,
    "X-Stainless-Retry-Count": Reason.SDK,
    "X-OGX-Provider-Data": Reason.GATEWAY,
    "X-Gateway-Inference-Fairness-Id": Reason.GATEWAY,
    "X-LiteLLM-Api-Key": Reason.GATEWAY,
    "Traceparent": Reason.TRACE_CONTEXT,
    "x_b3_traceid": Reason.TRACE_CONTEXT,
    "Origin": Reason.BROWSER,
    "Sec-Fetch-Site": Reason.BROWSER,
}

# What the caller sends as the value of the field, and the reason for which it is refused.
MALFORMED_HEADERS: dict[str, tuple[object, Reason]] = {
    "a list": (["X-A: 1"], Reason.ENVELOPE),
    "a list of pairs": ([["X-A", "1"]], Reason.ENVELOPE),
    "a string": ("X-A: 1", Reason.ENVELOPE),
    "a number": (1, Reason.ENVELOPE),
    "true": (True, Reason.ENVELOPE),
    "a null value": ({"X-A": None}, Reason.TYPE),
    "a number value": ({"X-A": 1}, Reason.TYPE),
    "a list value": ({"X-A": ["1"]}, Reason.TYPE),
    "an object value": ({"X-A": {"b": "1"}}, Reason.TYPE),
    "an empty name": ({"": "1"}, Reason.NAME),
    "a name with a colon": ({"X-A:": "1"}, Reason.NAME),
    "a pseudo header": ({":authority": "evil"}, Reason.NAME),
    "a name with a trailing space": ({"Host ": "evil"}, Reason.NAME),
    "a name with a leading tab": ({"\tHost": "evil"}, Reason.NAME),
    "a name with CRLF": ({"X-A: 1\r\nX-B": "1"}, Reason.NAME),
    "a name with NUL": ({"X-A\x00": "1"}, Reason.NAME),
    "a name with the Kelvin sign": ({"\u212aeep-alive": "1"}, Reason.NAME),
    "a name with fullwidth letters": ({"\uff28ost": "1"}, Reason.NAME),
    "a value with CRLF": ({"X-A": "1\r\nX-B: 2"}, Reason.VALUE),
    "a value with LF": ({"X-A": "1\nX-B: 2"}, Reason.VALUE),
    "a value with CR": ({"X-A": "1\rX-B: 2"}, Reason.VALUE),
    "a value with NUL": ({"X-A": "1\x00"}, Reason.VALUE),
    "a value with a folded line": ({"X-A": "1\r\n 2"}, Reason.VALUE),
    "a value with a line separator": ({"X-A": "1\u2028X-B: 2"}, Reason.VALUE),
    "a value outside ASCII": ({"X-A": "\u00e9"}, Reason.VALUE),
    "a value with a lone surrogate": ({"X-A": "\ud800"}, Reason.VALUE),
    "a value with a leading space": ({"X-A": " 1"}, Reason.VALUE),
    "names that differ in case": ({"X-Tenant": "a", "x-tenant": "b"}, Reason.DUPLICATE),
    "names that differ in _": ({"X-Tenant": "a", "X_Tenant": "b"}, Reason.DUPLICATE),
    "too many": ({f"X-{i}": "1" for i in range(33)}, Reason.TOO_MANY),
    "a value that is too long": ({"X-A": "a" * 4097}, Reason.TOO_LARGE),
    "a name that is too long": ({"X" * 129: "1"}, Reason.TOO_LARGE),
    "too much in all": ({f"X-{i}": "a" * 4000 for i in range(5)}, Reason.TOO_LARGE),
}

# The whole provider-data header, where it is no JSON object or ambiguous.
MALFORMED_ENVELOPES = {
    "cut short": '{"vllm_extra_headers": {"X-A": "1"}',
    "no JSON": "X-A: 1",
    "a list": '[{"vllm_extra_headers": {"X-A": "1"}}]',
    "a string": '"vllm_extra_headers"',
    "nested deeply": "[" * 20_000,
    "nested deeply inside": '{"vllm_extra_headers": ' + '{"a":' * 9_000,
    "a number without end": '{"vllm_extra_headers": {"X-A": ' + "1" * 5_000 + "}}",
    "the field twice": '{"vllm_extra_headers": {"X-A": "1"}, "vllm_extra_headers": {"X-A": "2"}}',
}


class TestHostileNames:
    """Names that could take over the request that they ride on."""

    @pytest.mark.parametrize(("name", "reason"), HOSTILE_NAMES.items(), ids=HOSTILE_NAMES)
    def test_is_dropped_and_the_rest_goes_on(self, stack: Stack, name: str, reason: Reason) -> None:
        """The provider's request is the same to the byte as without the hostile header, and the request succeeds."""
        stack.send("on", _PASSING)
        (expected,) = stack.upstream.take()
        before = stack.series()

        response = stack.send("on", {**_PASSING, name: "evil-value"})

        assert response.status_code == 200
        (received,) = stack.upstream.take()
        assert received == expected
        assert received.values("x-maas-subscription") == ["free-tier"]
        assert stack.counted(before, names.DECISIONS_TOTAL) == {
            ("forwarded", "on", "allowed"): 1,
            ("blocked", "on", reason.value): 1,
        }

    def test_all_reasons_of_the_core_blocklist_are_tried(self) -> None:
        """No reason of the core blocklist is without a hostile name here, and there are at least forty names."""
        assert set(HOSTILE_NAMES.values()) == set(CORE_REASONS)
        assert len(HOSTILE_NAMES) >= 40

    def test_the_whole_blocklist_at_once(self, stack: Stack) -> None:
        """Every entry of the core blocklist in one go changes nothing on the wire."""
        entries = [rule.pattern.replace("*", "anything").title() for rule in CORE_BLOCKLIST]
        stack.send("on", _PASSING)
        (expected,) = stack.upstream.take()

        for start in range(0, len(entries), 30):
            stack.send("on", {**_PASSING, **dict.fromkeys(entries[start : start + 30], "evil-value")})

        assert all(received == expected for received in stack.upstream.take())

    def test_the_operators_own_headers_cannot_be_overridden(self, stack: Stack) -> None:
        """A name that the operator sends (`network.headers`) is blocked as an override, on both ways out."""
        for endpoint in ("chat", "rerank", "messages"):
            before = stack.series()
            stack.send("network", {"X-Operator-Key": "evil", "x_team": "evil", "X-Tenant": "mine"}, endpoint)

            (received,) = stack.upstream.take()
            assert received.values("x-operator-key") == ["the-operator-value"]
            assert received.values("x-team") == ["the-team"]
            assert received.values("x_team") == []
            assert received.values("x-tenant") == ["mine"]
            assert stack.counted(before, names.BLOCKED_NAMES_TOTAL) == {
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
        assert stack.counted(before, names.BLOCKED_NAMES_TOTAL) == {
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

    @pytest.mark.parametrize(("headers", "reason"), MALFORMED_HEADERS.values(), ids=MALFORMED_HEADERS)
    def test_answers_400_and_sends_nothing(self, stack: Stack, headers: object, reason: Reason) -> None:
        """The caller is told the reason; the provider receives nothing; the decision is counted."""
        before = stack.series()
        response = stack.send("on", headers)

        assert response.status_code == 400
        assert f"({reason.value}: " in response.json()["error"]["message"]
        assert stack.upstream.take() == []
        assert {key[2] for key in stack.counted(before, names.DECISIONS_TOTAL)} == {reason.value}
        assert stack.counted(before, names.REQUESTS_TOTAL) == {("rejected", "on"): 1}

    @pytest.mark.parametrize("text", MALFORMED_ENVELOPES.values(), ids=MALFORMED_ENVELOPES)
    def test_a_malformed_envelope_is_not_swallowed(self, stack: Stack, text: str) -> None:
        """Provider data that is no JSON object, or that says two things, is refused and counted."""
        before = stack.series()
        response = stack.send("on", None, provider_data=text)

        assert response.status_code == 400, response.text
        assert "(envelope: " in response.json()["error"]["message"]
        assert stack.upstream.take() == []
        assert stack.counted(before, names.DECISIONS_TOTAL) == {("malformed", "on", "envelope"): 1}

    def test_equal_keys_are_duplicates(self, stack: Stack) -> None:
        """A name given twice in the JSON is refused, though a decoder would silently keep the last."""
        response = stack.send("on", None, provider_data='{"vllm_extra_headers": {"X-A": "1", "X-A": "2"}}')

        assert response.status_code == 400
        assert "'X-A' is malformed (duplicate" in response.json()["error"]["message"]

    def test_a_malformed_envelope_is_dropped_where_the_policy_says_so(self, stack: Stack) -> None:
        """With `on_malformed: drop` the request goes on without extra headers, and is counted."""
        before = stack.series()
        response = stack.send("drop_both", None, provider_data="{")

        assert response.status_code == 200
        assert len(stack.upstream.take()) == 1
        assert stack.counted(before, names.REQUESTS_TOTAL) == {("filtered", "drop_both"): 1}

    @pytest.mark.parametrize("text", ["null", '{"vllm_extra_headers": null}', '{"vllm_extra_headers": {}}', "{}", ""])
    def test_no_headers_are_no_fault(self, stack: Stack, text: str) -> None:
        """Provider data without extra headers is not malformed and not counted."""
        before = stack.series()
        response = stack.send("on", None, provider_data=text)

        assert response.status_code == 200
        assert stack.counted(before, names.REQUESTS_TOTAL) == {}

    def test_limits_are_the_policys(self, stack: Stack) -> None:
        """The limits of the run config decide, at their edges."""
        assert stack.send("small", {"X-A": "a" * 16, "X-B": "b" * 16}).status_code == 200
        assert stack.send("small", {"X-A": "a" * 17}).status_code == 400
        assert stack.send("small", {"X-A": "a", "X-B": "b", "X-C": "c"}).status_code == 400
        assert stack.send("small", {"X-Aaa": "a" * 16, "X-Bbb": "b" * 16}).status_code == 400

    def test_the_connection_survives_a_refusal(self, stack: Stack) -> None:
        """A refused request does not cost the caller the connection: the next one on it is answered."""
        for _ in range(20):
            assert stack.send("on", {"X-A": "\n"}).status_code == 400
            assert stack.send("reject_both", {"Cookie": "a"}).status_code == 403
            assert stack.send("on", {"X-A": "1"}).status_code == 200

    def test_an_error_body_is_json_an_openai_client_reads(self, stack: Stack) -> None:
        """The error has the shape of an OpenAI error, whatever the name looks like."""
        response = stack.send("on", {"a'\"<script>": "x", "b`|~!": "\n"})

        assert set(json.loads(response.text)) == {"error"}
        assert "script" not in response.text
        assert "with a name of 11 characters" in response.json()["error"]["message"]
