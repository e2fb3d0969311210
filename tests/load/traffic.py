"""The traffic of the soak: kinds of callers, and what each of their requests must leave behind.

Every value is unique to its request, so that one header at the wrong provider call is found. What is expected follows
from the kind alone: nothing here asks the add-on.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from extra_headers.forwarding.testing.recording_mcp_server import answer_as_mcp_server
from extra_headers.forwarding.testing.recording_provider import Answer, Ending, ReceivedRequest
from tests.mcp.stack import answer_calling_tools, mcp_tool

FROM_REQUEST: Mapping[str, str] = {"X-Plan": "X-Soak-Plan", "X-Region": "X-Soak-Region"}
"""Plain request headers that one provider takes up, and the names to send."""
PROVIDERS: Mapping[str, object] = {
    "on": True,
    "reject_both": {"on_blocked": "reject"},
    "drop_both": {"on_malformed": "drop"},
    "plain": {"from_request": FROM_REQUEST},
}
"""Provider ids and their `extra_headers` setting."""
RESPONSES = "answers"
"""The id of the provider of Responses, which calls MCP servers; its setting is `true`."""
MCP_PATH = "/mcp/"
"""The mark of a request follows in the path of its MCP server, which is the recording provider, too."""

type Decided = tuple[str, str, str]
"""Provider, decision and reason."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request."""

    name: str
    weight: int
    provider: str
    clean: Callable[[str], dict[str, object]] = lambda _: {}
    """The headers in the provider data that pass, for the request of a mark."""
    other: Callable[[str], dict[str, object]] = lambda _: {}
    """The headers in the provider data that do not."""
    plain: Callable[[str], dict[str, str]] = lambda _: {}
    """The plain request headers that pass."""
    other_plain: Callable[[str], dict[str, str]] = lambda _: {}
    """The plain request headers that do not."""
    stopped: tuple[tuple[str, str], ...] = ()
    """Decision and reason of each header that does not pass."""
    in_tool: bool = False
    """Whether each turn calls a tool of an MCP server, and has the headers there instead of in the provider data."""
    turns: int = 0
    """How many Responses are created over one WebSocket, each of which is a request; 0 for a chat."""
    status: int = 200
    """What the server answers with the add-on; without, it is always 200."""
    streamed: bool = False
    cancelled: bool = False
    """Whether the caller closes the connection after the first event, with the provider's answer still open."""

    @property
    def count(self) -> int:
        """How many requests one caller sends."""
        return self.turns or 1

    @property
    def calls(self) -> int:
        """How many calls one request leads to: with a tool, two of the model and four of the MCP server."""
        return 6 if self.in_tool else 1


def _pair(mark: str) -> dict[str, object]:
    return {"X-Soak-Tenant": f"tenant-{mark}", f"X-Soak-{mark}": f"own-{mark}"}


def _override(mark: str) -> dict[str, object]:
    return {"Authorization": f"Bearer {mark}", "X_Forwarded_For": f"10.0.0.1, {mark}"}


def _broken(mark: str) -> dict[str, object]:
    return {"X-Soak-Broken": f"{mark}\r\nX-Soak-Smuggled: {mark}", f"X Soak {mark}": mark}


def _plan(mark: str) -> dict[str, str]:
    return {"X-Plan": f"plan-{mark}", "X-Region": ""}


def _unreadable_plan(mark: str) -> dict[str, str]:
    return {"X-Plan": f"caf\u00e9-{mark}"}


def _plan_twice(mark: str) -> dict[str, object]:
    return {"x_soak_plan": f"other-{mark}"}


_OVERRIDE = (("blocked", "credential"), ("blocked", "client_identity"))
_BROKEN = (("malformed", "value"), ("malformed", "name"))
_VALUE = (("malformed", "value"),)
_TWICE = (("malformed", "duplicate"), ("malformed", "duplicate"))

KINDS = (
    Kind("clean", 30, "on", _pair),
    Kind("clean, streamed", 20, "reject_both", _pair, streamed=True),
    Kind("cancelled mid-stream", 10, "on", _pair, streamed=True, cancelled=True),
    Kind("blocked, dropped", 10, "on", _pair, _override, stopped=_OVERRIDE),
    Kind("blocked, dropped, streamed", 5, "drop_both", _pair, _override, stopped=_OVERRIDE, streamed=True),
    Kind("blocked, cancelled mid-stream", 5, "on", _pair, _override, stopped=_OVERRIDE, streamed=True, cancelled=True),
    Kind("blocked, rejected", 5, "reject_both", _pair, _override, stopped=_OVERRIDE, status=403),
    Kind("malformed, dropped", 5, "drop_both", _pair, _broken, stopped=_BROKEN),
    Kind("malformed, rejected", 5, "on", _pair, _broken, stopped=_BROKEN, status=400),
    Kind("no extra headers", 5, "on"),
    Kind("plain headers", 10, "plain", plain=_plan),
    Kind("plain headers and provider data, streamed", 5, "plain", _pair, plain=_plan, streamed=True),
    Kind("plain header malformed", 3, "plain", _pair, other_plain=_unreadable_plan, stopped=_VALUE, status=400),
    Kind(
        "plain header also in provider data",
        3,
        "plain",
        other=_plan_twice,
        other_plain=lambda mark: {"X-Plan": mark},
        stopped=_TWICE,
        status=400,
    ),
    Kind("turns", 4, "on", _pair, turns=3),
    Kind("turns, plain headers", 4, "plain", plain=_plan, turns=3),
    Kind("turns, blocked, dropped", 3, "on", _pair, _override, stopped=_OVERRIDE, turns=3),
    Kind("turns, blocked, rejected", 3, "reject_both", _pair, _override, stopped=_OVERRIDE, turns=2, status=403),
    Kind("MCP", 2, RESPONSES, _pair, in_tool=True, turns=2),
    Kind("MCP, no extra headers", 1, RESPONSES, in_tool=True, turns=2),
    Kind("MCP, blocked, dropped", 2, RESPONSES, _pair, _override, stopped=_OVERRIDE, in_tool=True, turns=2),
    Kind("MCP, malformed, rejected", 1, RESPONSES, _pair, _broken, stopped=_BROKEN, in_tool=True, turns=2, status=400),
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the soak."""

    mark: str
    """Occurs in no other request."""
    kind: Kind

    @property
    def header_lines(self) -> list[tuple[str, str]]:
        """The provider-data header, where there is one, and the plain headers."""
        kind = self.kind
        headers = {} if kind.in_tool else self._given
        plain = [*kind.plain(self.mark).items(), *kind.other_plain(self.mark).items()]
        return [("X-OGX-Provider-Data", json.dumps({"vllm_extra_headers": headers}))] * bool(headers) + plain

    @property
    def _given(self) -> dict[str, object]:
        return {**self.kind.clean(self.mark), **self.kind.other(self.mark)}

    def body(self, upstream: str, *, add_on: bool) -> dict[str, object]:
        """Return the body, or that of each turn; its text reaches the provider and says whose request a call is.

        Without the add-on, OGX itself would send the headers of an MCP tool: there are none then.
        """
        model = f"{'on' if self.kind.in_tool else self.kind.provider}/test-model"
        text = f"hold {self.mark}" if self.kind.cancelled else self.mark
        if self.kind.turns:
            tool = mcp_tool(f"{upstream}{MCP_PATH}{self.mark}", self._given if add_on else {})
            tools = {"tools": [tool]} if self.kind.in_tool else {}
            return {"type": "response.create", "model": model, "input": text, "store": False, **tools}
        messages = [{"role": "user", "content": text}]
        return {"model": model, "messages": messages, **({"stream": True} if self.kind.streamed else {})}

    @property
    def decided(self) -> Counter[Decided]:
        """The decisions that it, or each turn, must be counted with."""
        provider = self.kind.provider
        passed = 0 if self.kind.status != 200 else len(self._passing)
        return Counter((provider, *stopped) for stopped in self.kind.stopped) + Counter(
            {(provider, "forwarded", "allowed"): passed}
        )

    @property
    def outcome(self) -> str | None:
        """The outcome that it, or each turn, must be counted with; None where it is not counted."""
        if self.kind.status != 200:
            return "rejected"
        if self.kind.stopped:
            return "filtered"
        return "clean" if self._passing else None

    @property
    def _passing(self) -> dict[str, object]:
        plain = {FROM_REQUEST[name]: value for name, value in self.kind.plain(self.mark).items()}
        return {**self.kind.clean(self.mark), **plain}

    def forwarded(self, *, by_add_on: bool, to_tool: bool = False) -> dict[str, str]:
        """Return the caller's headers that the provider or the MCP server must see, names in lower case."""
        passed = self._passing if by_add_on and to_tool == self.kind.in_tool else {}
        return {name.lower(): str(value) for name, value in passed.items()}


def requests(count: int, seed: int = 5217) -> Iterator[Request]:
    """Yield the requests of that many callers, in an order that depends on the seed alone."""
    shuffled = random.Random(seed)  # noqa: S311 - a fixed shuffle
    kinds = shuffled.choices(KINDS, [kind.weight for kind in KINDS], k=count)
    for number, kind in enumerate(kinds):
        yield Request(f"m{number:06d}", kind)


def answer(request: ReceivedRequest) -> Answer:
    """Answer as a provider or an MCP server; streams that their callers cancel stay open after their first event."""
    if request.path.startswith(MCP_PATH):
        return answer_as_mcp_server(request)
    whole = answer_calling_tools(request)
    if b'"hold ' not in request.body:
        return whole
    first = whole.body[: whole.body.index(b"\n\n") + 2]
    return Answer(whole.status, first, whole.content_type, Ending.STALLED)
