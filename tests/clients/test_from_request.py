"""Plain request headers that a service takes up with the middleware, together with its callers' provider data."""

import json
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from prometheus_client import REGISTRY
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from extra_headers.forwarding import ExtraHeaders, Policy
from extra_headers.forwarding.clients import caller_request
from extra_headers.telemetry import contract
from tests.clients.conftest import Make
from tests.clients.kinds import counted
from tests.clients.services import HEADER, echo, service
from tests.tracing import Tracing

_TAKING = Policy(from_request={"X-Subscription": "X-MAAS-Subscription", "x-label": "x-label"}, block=("x-internal-*",))

type Lines = list[tuple[str, str | bytes]]


async def _answer(guard: ExtraHeaders, lines: Lines, provider_data: object = None) -> httpx.Response:
    given: Any = [*lines]
    if provider_data is not None:
        given.append((HEADER, json.dumps({guard.field: provider_data})))
    async with service(echo(guard)) as caller:
        return await caller.post("/", headers=given)


@pytest.mark.parametrize(
    ("lines", "provider_data", "sent", "reasons"),
    [
        ([("x-SUBSCRIPTION", "free")], None, {"x-maas-subscription": "free"}, {"allowed": 1, "clean": 1}),
        ([("X-Subscription", "")], None, {"x-maas-subscription": ""}, {"allowed": 1, "clean": 1}),
        ([("X-Unlisted", "a"), ("X-MAAS-Subscription", "b"), ("Cookie", "c")], None, {}, {}),
        (
            [("X-Subscription", "free"), ("X-Label", "a")],
            {"X-Tenant": "t", "X-Internal-A": "i"},
            {"x-maas-subscription": "free", "x-label": "a", "x-tenant": "t"},
            {"allowed": 3, "operator": 1, "filtered": 1},
        ),
        ([("X-Subscription", "a"), ("X-Subscription", "b")], None, None, {"duplicate": 2, "rejected": 1}),
        ([("X-Subscription", "a")], {"x_maas_subscription": "b"}, None, {"duplicate": 2, "rejected": 1}),
        ([("X-Label", b"caf\xe9")], None, None, {"value": 1, "rejected": 1}),
        ([("X-Label", "a")], "not an object", None, {"envelope": 1, "rejected": 1}),
        ([("X-Label", "a")] * 300, None, None, {"too_many": 300, "rejected": 1}),
    ],
    ids=["renamed", "empty", "unlisted", "both", "two lines", "from both", "latin-1", "envelope", "many lines"],
)
async def test_one_evaluation(
    make: Make, lines: Lines, provider_data: object, sent: dict[str, str] | None, reasons: dict[str, float]
) -> None:
    """Listed headers are decided together with provider data, under the name to send; others are never looked at."""
    guard = make(_TAKING)
    response = await _answer(guard, lines, provider_data)

    assert (response.status_code, response.json() if sent is not None else None) == (400 if sent is None else 200, sent)
    assert counted(guard) == reasons


async def test_each_provider_takes_its_own(make: Make) -> None:
    """What one provider lists is not sent to another, and one name may go to two providers under two names."""
    for setting, sent in ((["X-A", "X-B"], {"x-a": "1", "x-b": "2"}), ({"X-A": "X-C"}, {"x-c": "1"}), ([], {})):
        guard = make(Policy.model_validate({"from_request": setting}))
        assert (await _answer(guard, [("X-A", "1"), ("X-B", "2")])).json() == sent


async def test_the_names_are_recorded(make: Make, tracing: Tracing) -> None:
    """The span says which names came from the request, and a captured value of them is overwritten."""
    guard = make(_TAKING)
    key = contract.HTTP_REQUEST_HEADER_PREFIX + "x_subscription"
    span = tracing.tracer.start_span("server", attributes={key: ["secret"]})
    with trace.use_span(span, end_on_exit=True):
        await _answer(guard, [("X-Subscription", "secret")], {"X-Tenant": "t"})

    (server,) = tracing.snapshot()
    assert server["attributes"][contract.ATTR_FROM_REQUEST_NAMES] == ["X-MAAS-Subscription"]
    assert server["attributes"][key] == ["[REDACTED]"]


async def test_extra_headers_made_in_a_request() -> None:
    """Nobody kept what its provider reads when the request began: an error says so, on the first request already."""

    async def handler(_: Request) -> Response:
        with pytest.raises(RuntimeError, match="make each `ExtraHeaders` when the service starts"):
            ExtraHeaders("made-late").caller_headers()
        return PlainTextResponse("fine")

    async with service(handler) as caller:
        assert (await caller.post("/")).text == "fine"


async def test_what_nobody_reads(make: Make) -> None:
    """It is not kept. It is counted if it looks like extra headers: by its key, or in another host's header."""
    guard = make(Policy())
    kept: list[set[str]] = []

    async def handler(_: Request) -> Response:
        current = caller_request._current.get()
        assert current is not None
        kept.append(set(current._fields or ()))
        return PlainTextResponse("fine")

    data = {guard.field: {"X-A": "1"}, "vlm_extra_headers": {"X-A": "1"}, "extra_headers": {}, "of_nobody": "x" * 1000}
    before = _unread()
    async with service(handler) as caller:
        await caller.post("/", headers={HEADER: json.dumps(data), "X-LlamaStack-Provider-Data": "{}"})
    assert (kept, _unread() - before) == ([{guard.field}], 3)


def _unread() -> float:
    return REGISTRY.get_sample_value(contract.UNREAD_FIELDS_TOTAL) or 0
