"""`from_request`: plain headers of a request, sent with an ordinary client, on a real server."""

import json

import pytest

from extra_headers.telemetry import contract
from tests.server.host import HEADER, IS_OGX
from tests.server.stack import ENDPOINTS, Stack

_CHAT = ENDPOINTS["chat"]


def _send(stack: Stack, *headers: tuple[str, str | bytes], provider: str = "plain") -> int:
    """Send a chat with these header lines and return the status."""
    lines = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers]
    body = {"model": f"{provider}/{_CHAT.model}", **_CHAT.body}
    return stack.client.post(stack.server.url + _CHAT.path, json=body, headers=lines).status_code


def _decisions(stack: Stack, before: object) -> dict[tuple[str, ...], float]:
    return stack.counted(before, contract.DECISIONS_TOTAL, "plain")  # type: ignore[arg-type]


def test_a_listed_header_arrives_under_its_name_to_send(stack: Stack) -> None:
    """And the others of the request do not, whatever they are."""
    before = stack.series("plain")
    assert _send(stack, ("X-Subscription", "free"), ("X-Team", "blue"), ("X-Other", "1")) == 200
    (request,) = stack.upstream.take()
    assert request.values("x-maas-subscription") == ["free"]
    assert request.values("x-team") == ["blue"]
    assert not request.values("x-subscription") + request.values("x-other")
    assert _decisions(stack, before) == {("forwarded", "plain", "allowed"): 2}


def test_a_provider_that_lists_nothing_takes_nothing(stack: Stack) -> None:
    """The headers of one provider never reach another."""
    assert _send(stack, ("X-Subscription", "free"), ("X-Team", "blue"), provider="on") == 200
    (request,) = stack.upstream.take()
    assert not request.values("x-maas-subscription") + request.values("x-team")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("X-Subscription", "free"), ("X-Subscription", "paid")], "duplicate"),
        ([("X-Subscription", "free"), ("x-subscription", "free")], "duplicate"),
        (
            [("X-Subscription", "free"), (HEADER, '{"vllm_extra_headers": {"x_maas_subscription": "paid"}}')],
            "duplicate",
        ),
        ([("X-Subscription", "caf\u00e9".encode())], "value"),
        ([("X-Subscription", "f" * 5000)], "too_large"),
    ],
    ids=["two lines", "two spellings", "from both sources", "not ASCII", "too long"],
)
def test_what_is_malformed_is_refused(stack: Stack, headers: list[tuple[str, str | bytes]], reason: str) -> None:
    """With status 400, before anything is sent, by the same rules as in the provider data."""
    before = stack.series("plain")
    assert _send(stack, *headers) == 400
    assert stack.upstream.take() == []
    assert {key[2] for key in _decisions(stack, before)} == {reason}


def test_empty_values_and_many_other_headers(stack: Stack) -> None:
    """An empty value is a value. Headers that nobody lists have no part in it, however many they are."""
    others = [(f"X-Other-{number}", "1") for number in range(200)]
    assert _send(stack, ("X-Team", ""), *others) == 200
    (request,) = stack.upstream.take()
    assert request.values("x-team") == [""]
    assert b"other" not in request.head.lower()


def test_two_lines_of_provider_data_are_malformed(stack: Stack) -> None:
    """The host takes the last one; a proxy in front may have read the first."""
    before = stack.series("on")
    lines = [(HEADER, json.dumps({"vllm_extra_headers": {"X-Team": team}})) for team in ("blue", "green")]
    assert _send(stack, *lines, provider="on") == 400
    assert stack.upstream.take() == []
    assert stack.counted(before, contract.DECISIONS_TOTAL, "on") == {("malformed", "on", "envelope"): 1}


def test_fields_that_no_provider_reads_are_counted(stack: Stack) -> None:
    """A misspelt key and the other host's header would otherwise do nothing, without a trace."""
    before = stack.series()
    data = json.dumps({"vlm_extra_headers": {"X-A": "1"}, "extra_headers": {}, "vllm_api_token": "k", "other": 1})
    other = "X-LlamaStack-Provider-Data" if IS_OGX else "X-OGX-Provider-Data"
    assert _send(stack, (HEADER, data), (other, "{}"), provider="on") == 200
    assert stack.counted(before, contract.UNREAD_FIELDS_TOTAL) == {(): 3}
    assert "no provider reads" in stack.server.log
