"""A provider that fails: the SDK tries again, with the same headers, and what was decided once is counted once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from extra_headers.forwarding.testing.recording_provider import Answer, Ending, ReceivedRequest, answer_as_provider
from extra_headers.telemetry import contract
from tests.server.stack import PROVIDER_KEY, Stack
from tests.telemetry.servers import running

_HEADERS = {"X-Tenant": "blue", "X-Request-Mark": "once", "Cookie": "stopped", "X-Bad": "stopped\n"}
_EXPECTED = {("forwarded", "allowed"): 2, ("blocked", "credential"): 1, ("malformed", "value"): 1}


def _error(status: int) -> Answer:
    return Answer(status, json.dumps({"error": {"message": f"the provider says {status}"}}).encode())


_FAULTS = {
    "resets": Answer(0, b"", ending=Ending.RESET),
    "stalls": Answer(200, b"{", ending=Ending.STALLED),
    "429": _error(429),
    "500": _error(500),
    "503": _error(503),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a server that waits two seconds for its provider."""

    def wait_two_seconds(config: dict[str, Any]) -> None:
        for provider in config["providers"]["inference"]:
            provider["config"]["network"] = {"timeout": 2}

    # As JSON: the host's console draws a traceback for each failed request, for seconds, with all requests waiting.
    environment = {"OGX_LOG_FORMAT": "json"}
    with running(tmp_path_factory.mktemp("faults"), environment, change=wait_two_seconds) as running_stack:
        yield running_stack


class _FailsFirst:
    """Fails so many calls, then answers as a provider."""

    def __init__(self, answer: Answer, times: int) -> None:
        self._answer = answer
        self._times = times

    def __call__(self, request: ReceivedRequest) -> Answer:
        if request.method == "GET" or self._times == 0:
            return answer_as_provider(request)
        self._times -= 1
        return self._answer


def _counted(stack: Stack, before: dict[Any, float]) -> dict[tuple[str, str], float]:
    decisions = stack.counted(before, contract.DECISIONS_TOTAL)
    assert {provider for _, provider, _ in decisions} == {"drop_both"}
    return {(decision, reason): total for (decision, _, reason), total in decisions.items()}


def _calls(stack: Stack) -> list[ReceivedRequest]:
    return [received for received in stack.upstream.take() if received.method == "POST"]


def _carried(received: ReceivedRequest) -> dict[str, list[str]]:
    wanted = ("x-tenant", "x-request-mark", "cookie", "x-bad", "authorization")
    return {name: values for name in wanted if (values := received.values(name))}


_ALL_OF_THEM = {"x-tenant": ["blue"], "x-request-mark": ["once"], "authorization": [f"Bearer {PROVIDER_KEY}"]}


@pytest.mark.parametrize("endpoint", ["chat", "chat_stream"])
@pytest.mark.parametrize("fault", _FAULTS.values(), ids=_FAULTS)
def test_a_retry_carries_the_same_and_counts_nothing(stack: Stack, fault: Answer, endpoint: str) -> None:
    """Both attempts have the caller's headers and the provider's key; decisions and request are counted once."""
    if fault.ending is Ending.STALLED and endpoint == "chat_stream":
        fault = Answer(0, b"", ending=Ending.RESET)  # once a stream has begun, nothing is tried again
    before = stack.series()
    stack.upstream.answer = _FailsFirst(fault, 1)

    response = stack.send("drop_both", _HEADERS, endpoint)

    assert response.status_code == 200, response.text
    assert [_carried(call) for call in _calls(stack)] == [_ALL_OF_THEM, _ALL_OF_THEM]
    assert _counted(stack, before) == _EXPECTED
    assert stack.counted(before, contract.REQUESTS_TOTAL) == {("filtered", "drop_both"): 1}


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [(_FAULTS["resets"], 3), (_FAULTS["429"], 3), (_FAULTS["500"], 3), (_error(401), 1)],
    ids=["resets", "429", "500", "401"],
)
def test_a_provider_that_never_recovers(stack: Stack, fault: Answer, attempts: int) -> None:
    """The caller gets an error without any value, every attempt had the same headers, and all is counted once."""
    before = stack.series()
    stack.upstream.answer = _FailsFirst(fault, 100)

    response = stack.send("drop_both", _HEADERS)

    assert response.status_code >= 400
    assert not [value for value in ("blue", "once", "stopped") if value in response.text]
    assert [_carried(call) for call in _calls(stack)] == [_ALL_OF_THEM] * attempts
    assert _counted(stack, before) == _EXPECTED
    assert stack.counted(before, contract.REQUESTS_TOTAL) == {("filtered", "drop_both"): 1}


def test_the_next_caller_is_not_affected(stack: Stack) -> None:
    """After a failed call, neither its headers nor its decisions come back with somebody else's request."""
    stack.upstream.answer = _FailsFirst(_error(500), 100)
    assert stack.send("drop_both", _HEADERS).status_code >= 400
    stack.upstream.answer = answer_as_provider
    stack.upstream.take()
    before = stack.series()

    assert stack.send_without_provider_data("drop_both").status_code == 200

    (call,) = _calls(stack)
    assert _carried(call) == {"authorization": [f"Bearer {PROVIDER_KEY}"]}
    assert stack.counted(before, contract.DECISIONS_TOTAL) == {}
