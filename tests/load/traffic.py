"""The traffic of the soak: kinds of callers, and what each of their requests must leave behind.

Every value is unique to its request, so that one header at the wrong provider call is found. What is expected follows
from the kind alone: nothing here asks the add-on.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from extra_headers.forwarding.testing.recording_provider import Answer, Ending, ReceivedRequest, answer_as_provider

PROVIDERS: Mapping[str, object] = {
    "on": True,
    "reject_both": {"on_blocked": "reject"},
    "drop_both": {"on_malformed": "drop"},
}
"""Provider ids and their `extra_headers` setting."""

type Decided = tuple[str, str, str]
"""Provider, decision and reason."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request."""

    name: str
    weight: int
    provider: str
    clean: Callable[[str], dict[str, object]]
    """The headers that pass, for the request of a mark."""
    other: Callable[[str], dict[str, object]] = lambda _: {}
    """The headers that do not."""
    stopped: tuple[tuple[str, str], ...] = ()
    """Decision and reason of each of these."""
    status: int = 200
    """What the server answers with the add-on; without, it is always 200."""
    streamed: bool = False
    cancelled: bool = False
    """Whether the caller closes the connection after the first event, with the provider's answer still open."""


def _pair(mark: str) -> dict[str, object]:
    return {"X-Soak-Tenant": f"tenant-{mark}", f"X-Soak-{mark}": f"own-{mark}"}


def _override(mark: str) -> dict[str, object]:
    return {"Authorization": f"Bearer {mark}", "X_Forwarded_For": f"10.0.0.1, {mark}"}


def _broken(mark: str) -> dict[str, object]:
    return {"X-Soak-Broken": f"{mark}\r\nX-Soak-Smuggled: {mark}", f"X Soak {mark}": mark}


_OVERRIDE = (("blocked", "credential"), ("blocked", "client_identity"))
_BROKEN = (("malformed", "value"), ("malformed", "name"))

KINDS = (
    Kind("clean", 30, "on", _pair),
    Kind("clean, streamed", 20, "reject_both", _pair, streamed=True),
    Kind("cancelled mid-stream", 10, "on", _pair, streamed=True, cancelled=True),
    Kind("blocked, dropped", 10, "on", _pair, _override, _OVERRIDE),
    Kind("blocked, dropped, streamed", 5, "drop_both", _pair, _override, _OVERRIDE, streamed=True),
    Kind("blocked, cancelled mid-stream", 5, "on", _pair, _override, _OVERRIDE, streamed=True, cancelled=True),
    Kind("blocked, rejected", 5, "reject_both", _pair, _override, _OVERRIDE, status=403),
    Kind("malformed, dropped", 5, "drop_both", _pair, _broken, _BROKEN),
    Kind("malformed, rejected", 5, "on", _pair, _broken, _BROKEN, status=400),
    Kind("no extra headers", 5, "on", lambda _: {}),
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the soak."""

    mark: str
    """Occurs in no other request."""
    kind: Kind

    @property
    def provider_data(self) -> str | None:
        """The value of the provider-data header."""
        headers = {**self.kind.clean(self.mark), **self.kind.other(self.mark)}
        return json.dumps({"vllm_extra_headers": headers}) if headers else None

    @property
    def body(self) -> dict[str, object]:
        """The body; `user` reaches the provider and says whose request a call is."""
        content = [{"role": "user", "content": "hi"}]
        return {
            "model": f"{self.kind.provider}/test-model",
            "messages": content,
            "user": f"hold {self.mark}" if self.kind.cancelled else self.mark,
            **({"stream": True} if self.kind.streamed else {}),
        }

    @property
    def decided(self) -> Counter[Decided]:
        """The decisions that it must be counted with."""
        provider = self.kind.provider
        passed = 0 if self.kind.status != 200 else len(self.kind.clean(self.mark))
        return Counter((provider, *stopped) for stopped in self.kind.stopped) + Counter(
            {(provider, "forwarded", "allowed"): passed}
        )

    @property
    def outcome(self) -> str | None:
        """The outcome that it must be counted with; None where it is not counted."""
        if self.kind.status != 200:
            return "rejected"
        if self.kind.stopped:
            return "filtered"
        return "clean" if self.kind.clean(self.mark) else None

    def forwarded(self, *, by_add_on: bool) -> dict[str, str]:
        """Return the caller's headers that the provider must see, names in lower case."""
        passed = self.kind.clean(self.mark) if by_add_on else {}
        return {name.lower(): str(value) for name, value in passed.items()}


def requests(count: int, seed: int = 5217) -> Iterator[Request]:
    """Yield that many requests, in an order that depends on the seed alone."""
    shuffled = random.Random(seed)  # noqa: S311 - a fixed shuffle
    kinds = shuffled.choices(KINDS, [kind.weight for kind in KINDS], k=count)
    for number, kind in enumerate(kinds):
        yield Request(f"m{number:06d}", kind)


def answer(request: ReceivedRequest) -> Answer:
    """Answer as a provider; the streams that their callers will cancel stay open after their first event."""
    whole = answer_as_provider(request)
    if b'"user":"hold ' not in request.body and b'"user": "hold ' not in request.body:
        return whole
    first = whole.body[: whole.body.index(b"\n\n") + 2]
    return Answer(whole.status, first, whole.content_type, Ending.STALLED)
