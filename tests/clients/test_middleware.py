"""The ASGI middleware: what handlers get of the provider-data header, and what callers get of rejections."""

import json
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from extra_headers.forwarding import BlockedHeadersError, ExtraHeaders, Policy, ProviderDataMiddleware
from extra_headers.telemetry import contract
from tests.clients.conftest import Make
from tests.clients.kinds import counted
from tests.clients.services import HEADER, echo, provider_data, service
from tests.tracing import Tracing

type Lines = list[tuple[str, str]]


class TestWhatHandlersGet:
    """The headers of the provider's own field, as the caller sent them."""

    async def test_the_field_of_each_provider(self, make: Make) -> None:
        """Two providers in one service each get their own; other provider data is nobody's extra header."""
        one, two = make(Policy()), make(Policy())
        data = {one.field: {"X-A": "1"}, two.field: {"X-B": "2"}, "vllm_api_token": "t", "other": {"X-C": "3"}}
        for guard, expected in ((one, {"x-a": "1"}), (two, {"x-b": "2"})):
            async with service(echo(guard)) as caller:
                response = await caller.post("/", headers={HEADER: json.dumps(data)})
            assert (response.status_code, response.json()) == (200, expected)

    @pytest.mark.parametrize("text", [None, "", " ", "null", "{}", '{"other": {"X-A": "1"}}'])
    async def test_nothing(self, extra_headers: ExtraHeaders, text: str | None) -> None:
        """Without provider data, or without this field, there are no headers, no error and no count."""
        async with service(echo(extra_headers)) as caller:
            response = await caller.post("/", headers={} if text is None else {HEADER: text})
        assert (response.status_code, response.json()) == (200, {})
        assert counted(extra_headers) == {}

    @pytest.mark.parametrize("value", [None, {}])
    async def test_an_empty_field(self, extra_headers: ExtraHeaders, value: object) -> None:
        """A field of null or without headers is as good as none, as on a server."""
        async with service(echo(extra_headers)) as caller:
            response = await caller.post("/", headers=provider_data(extra_headers, value))
        assert (response.status_code, response.json()) == (200, {})
        assert counted(extra_headers) == {}

    async def test_another_header(self, extra_headers: ExtraHeaders) -> None:
        """A service may take the header by another name; case does not matter."""
        async with service(echo(extra_headers), header="X-LlamaStack-Provider-Data") as caller:
            data = json.dumps({extra_headers.field: {"X-A": "1"}})
            response = await caller.post("/", headers={"x-llamastack-PROVIDER-data": data, HEADER: "broken"})
        assert response.json() == {"x-a": "1"}

    def test_a_header_that_cannot_be(self) -> None:
        """What is no field name is an error when the service starts."""
        with pytest.raises(ValueError, match="must be a field name"):
            ProviderDataMiddleware(Starlette(), header="X Provider Data")

    async def test_without_the_middleware(self, extra_headers: ExtraHeaders) -> None:
        """Asking for headers that nobody decoded is an error, not an empty answer."""
        with pytest.raises(RuntimeError, match="no ProviderDataMiddleware"):
            extra_headers.caller_headers()

    async def test_a_websocket(self, extra_headers: ExtraHeaders) -> None:
        """A connection that is no request has its caller's headers, too, and its errors stay the application's."""
        guard = ExtraHeaders("websocket", policy={"on_blocked": "reject", "field": extra_headers.field})

        async def app(_: Any, __: Any, ___: Any) -> None:
            assert extra_headers.caller_headers() is not None
            guard.with_headers(httpx.AsyncClient(), guard.caller_headers())

        scope = {"type": "websocket", "headers": [(HEADER.lower().encode(), _field(extra_headers))]}
        with pytest.raises(BlockedHeadersError):
            await ProviderDataMiddleware(app)(scope, _unused, _unused)

    async def test_lifespan(self) -> None:
        """Start-up and shut-down of the application pass untouched."""
        seen: list[str] = []

        async def app(scope: Any, _: Any, __: Any) -> None:
            seen.append(scope["type"])

        await ProviderDataMiddleware(app)({"type": "lifespan"}, _unused, _unused)
        assert seen == ["lifespan"]


async def _unused(*_: Any) -> Any:
    raise AssertionError


def _field(extra_headers: ExtraHeaders) -> bytes:
    return json.dumps({extra_headers.field: {"Cookie": "c"}}).encode()


class TestMalformed:
    """What cannot be read is malformed under every policy, and is never guessed at."""

    @pytest.mark.parametrize(
        "text",
        [
            '{"FIELD": {"X-A": "secret"}',
            '"secret"',
            '["secret"]',
            '{"FIELD": "secret"}',
            '{"FIELD": ["secret"]}',
            '{"FIELD": {"X-A": NaN}}',
            '{"FIELD": {"X-A": "secret"}, "FIELD": {"X-A": "secret"}}',
            '{"FIELD": {"X-A": "secret"}} trailing',
            "[" * 5000,
            '{"FIELD": {"X-A": ' + "9" * 5000 + "}}",
            '{"FIELD": {"X-A": "' + "s" * 70_000 + '"}}',
        ],
        ids=range(11),
    )
    async def test_is_answered(self, extra_headers: ExtraHeaders, text: str) -> None:
        """The answer is 400, names the provider, and repeats nothing; it counts as one rejected request."""
        async with service(echo(extra_headers)) as caller:
            response = await caller.post("/", headers={HEADER: text.replace("FIELD", extra_headers.field)})

        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, "malformed_extra_headers")
        assert extra_headers.provider in error["message"]
        assert "secret" not in response.text
        assert counted(extra_headers)["rejected"] == 1

    async def test_two_lines(self, extra_headers: ExtraHeaders) -> None:
        """Of two headers of the same name, a proxy may have read the other one."""
        lines: Lines = [(HEADER, json.dumps({extra_headers.field: {"X-A": value}})) for value in "12"]
        async with service(echo(extra_headers)) as caller:
            response = await caller.post("/", headers=lines)
        assert response.status_code == 400

    @pytest.mark.parametrize(("room", "status"), [(0, 200), (-1, 400)])
    async def test_the_largest_header(self, extra_headers: ExtraHeaders, room: int, status: int) -> None:
        """One byte more than `max_bytes` is not decoded at all."""
        headers = provider_data(extra_headers, {"X-A": "1"})
        async with service(echo(extra_headers), max_bytes=len(headers[HEADER]) + room) as caller:
            assert (await caller.post("/", headers=headers)).status_code == status

    async def test_dropped(self, make: Make) -> None:
        """Where the policy says drop, the request goes on without any extra header."""
        guard = make(Policy(on_malformed="drop"))
        async with service(echo(guard)) as caller:
            response = await caller.post("/", headers={HEADER: "{"})
        assert (response.status_code, response.json()) == (200, {})
        assert counted(guard) == {"envelope": 1, "filtered": 1}

    async def test_a_handler_that_does_not_ask(self, extra_headers: ExtraHeaders) -> None:
        """An endpoint that calls no provider answers as ever."""

        async def handler(_: Request) -> Response:
            return PlainTextResponse("fine")

        async with service(handler) as caller:
            assert (await caller.post("/", headers={HEADER: "{"})).text == "fine"
        assert counted(extra_headers) == {}


class TestAnswers:
    """Rejections as an OpenAI client understands them."""

    async def test_forbidden(self, make: Make) -> None:
        """A blocked header is answered with 403, header and reason by name, without its value."""
        guard = make(Policy(on_blocked="reject"))
        async with service(echo(guard)) as caller:
            response = await caller.post("/", headers=provider_data(guard, {"X-A": "1", "Cookie": "secret"}))

        assert response.status_code == 403
        assert response.headers["content-type"] == "application/json"
        error = response.json()["error"]
        assert "header 'Cookie' is blocked (credential" in error.pop("message")
        assert error == {"type": "invalid_request_error", "param": HEADER, "code": "blocked_extra_headers"}
        assert "secret" not in response.text

    async def test_an_invalid_name_is_not_repeated(self, extra_headers: ExtraHeaders) -> None:
        """A name that is no field name shows by its length only: it could be markup, or a value gone astray."""
        async with service(echo(extra_headers)) as caller:
            response = await caller.post("/", headers=provider_data(extra_headers, {"<script>secret</script>": "a"}))
        assert response.status_code == 400
        assert "a name of 23 characters" in response.text
        assert "script" not in response.text

    async def test_other_errors_are_the_applications(self) -> None:
        """A `ValueError` or `PermissionError` that is not ours is left to whoever handles it."""
        for error in (ValueError("theirs"), PermissionError("theirs")):

            async def handler(_: Request, error: Exception = error) -> Response:
                raise error

            async with service(handler) as caller:
                with pytest.raises(type(error), match="theirs"):
                    await caller.post("/")

    async def test_an_answer_that_has_begun(self, make: Make) -> None:
        """A rejection in the middle of a streamed answer cannot be answered any more, and stays an error."""
        guard = make(Policy(on_blocked="reject"))

        async def handler(_: Request) -> Response:
            async def parts() -> Any:
                yield b"begun"
                guard.with_headers(httpx.AsyncClient(), guard.caller_headers())

            return StreamingResponse(parts())

        async with service(handler) as caller:
            with pytest.raises(BlockedHeadersError):
                await caller.post("/", headers=provider_data(guard, {"Cookie": "c"}))


@pytest.mark.parametrize("header", [HEADER, "X-Own-Data"])
async def test_captured_provider_data_is_overwritten(
    extra_headers: ExtraHeaders, tracing: Tracing, header: str
) -> None:
    """A server span that captured every header does not keep the callers' values, whatever the header is called."""
    key = contract.HTTP_REQUEST_HEADER_PREFIX + header.lower().replace("-", "_")
    data = json.dumps({extra_headers.field: {"X-Tenant": "secret"}})
    span = tracing.tracer.start_span("server", attributes={key: [data]})
    with trace.use_span(span, end_on_exit=True):
        async with service(echo(extra_headers), header=header) as caller:
            await caller.post("/", headers={header: data})

    (server,) = tracing.snapshot()
    assert server["attributes"][key] == ["[REDACTED]"]
    assert server["attributes"]["extra_headers.forwarded.names"] == ["X-Tenant"]
    assert "secret" not in repr(server)
