"""The scenarios of the demo as data: what is sent, and what must happen."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...policy.decision import DecisionKind, Outcome, Reason

PROVIDER_ID = "vllm"
PROVIDER_KEY = "the-providers-own-key"
USER = "alice"
USER_HEADER = "X-Auth-User"
"""A gateway in front of the server sends the user's name in this header, and the server trusts it."""
IDENTITY_PROVIDER_ID = "vllm-identity"
"""A second provider of the same type, with identity headers and a shadow policy."""
IDENTITY_SETTING = {"set": {"x-user": "${user.id}"}, "shadow": {"allow": ["x-maas-*"], "on_blocked": "reject"}}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Calls that are sent at the same moment, and what must happen to them."""

    title: str
    point: str
    """Why it matters, in one line."""
    callers: tuple[Mapping[str, str] | None, ...]
    """The extra headers of each caller; None for a caller who sends none."""
    decisions: Mapping[str, Reason] = field(default_factory=dict)
    """The expected decision on each header, by its name."""
    status: int = 200
    """Of the answer to every caller."""
    provider: str = PROVIDER_ID
    identity_headers: Mapping[str, str] = field(default_factory=dict)
    """The identity headers on each call, names in lower case."""
    setting: Mapping[str, object] | None = None
    """The provider's policy, where it should be shown."""
    shadow: Mapping[str, Reason] = field(default_factory=dict)
    """The expected decision of the shadow policy on each header; empty without one."""

    @property
    def outcome(self) -> Outcome:
        """What happens to each request."""
        if self.status != 200:
            return Outcome.REJECTED
        passes = all(reason.kind is DecisionKind.FORWARDED for reason in self.decisions.values())
        return Outcome.CLEAN if passes else Outcome.FILTERED

    def forwarded(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        """Return the headers that are added to the call, from caller and server; names in lower case."""
        if self.outcome is Outcome.REJECTED:
            return {}
        sent = (headers or {}).items()
        passed = {n.lower(): v for n, v in sent if self.decisions[n].kind is DecisionKind.FORWARDED}
        return {**passed, **self.identity_headers}

    def expected_decisions(self) -> Counter[tuple[str, ...]]:
        """Return the expected increase of the counter of each decision."""
        counted = _count(self.callers, self.decisions)
        if self.outcome is Outcome.REJECTED:
            # Nothing is forwarded then, and nothing is counted as such.
            return Counter({key: n for key, n in counted.items() if key[0] != DecisionKind.FORWARDED})
        return counted

    def expected_requests(self) -> Counter[tuple[str, ...]]:
        """Return the expected increase of the counter of each outcome; requests without extra headers do not count."""
        return Counter({(self.outcome,): calls} if (calls := sum(map(bool, self.callers))) else {})

    def expected_shadow(self) -> Counter[tuple[str, ...]]:
        """Return the expected increase of the counter of each decision of the shadow policy."""
        return _count(self.callers, self.shadow)

    def expected_identity_headers(self) -> int:
        """Return the expected increase of the counter of identity headers."""
        return len(self.identity_headers) * len(self.callers)


def _count(callers: tuple[Mapping[str, str] | None, ...], decisions: Mapping[str, Reason]) -> Counter[tuple[str, ...]]:
    names = [name for headers in callers for name in headers or () if name in decisions]
    return Counter((decisions[name].kind.value, decisions[name].value) for name in names)


SCENARIOS = (
    Scenario(
        "An allowed header",
        "A caller selects a subscription at run time. Only the provider receives it.",
        ({"X-MAAS-SUBSCRIPTION": "free-tier"},),
        {"X-MAAS-SUBSCRIPTION": Reason.ALLOWED},
    ),
    Scenario(
        "No extra headers",
        "A call without extra headers is not changed, and nothing is decided or counted.",
        (None,),
    ),
    Scenario(
        "An Authorization override",
        "Forwarded unchecked, the caller's credential would replace the provider's API key.",
        ({"Authorization": "Bearer attacker", "X-MAAS-SUBSCRIPTION": "free-tier"},),
        {"Authorization": Reason.CREDENTIAL, "X-MAAS-SUBSCRIPTION": Reason.ALLOWED},
    ),
    Scenario(
        "An underscore spoof",
        "CGI and WSGI servers cannot tell X_Forwarded_For from X-Forwarded-For, so both are blocked.",
        ({"X_Forwarded_For": "203.0.113.7"},),
        {"X_Forwarded_For": Reason.CLIENT_IDENTITY},
    ),
    Scenario(
        "A CRLF injection",
        "A line break in a value would smuggle a second header. The request is rejected with 400.",
        ({"X-Note": "hello\r\nAuthorization: Bearer attacker"},),
        {"X-Note": Reason.VALUE},
        status=400,
    ),
    Scenario(
        "Two tenants at once",
        "They share a server, a provider and its connections. Neither may get the other's header.",
        ({"X-Tenant": "acme-corp"}, {"X-Tenant": "globex-corp"}) * 10,
        {"X-Tenant": Reason.ALLOWED},
    ),
    Scenario(
        "Identity headers and a shadow policy",
        "The server adds the user, whatever callers claim. The shadow policy is evaluated, not enforced.",
        ({"X_User": "mallory", "X-Experiment": "variant-b"},),
        {"X_User": Reason.OVERRIDE, "X-Experiment": Reason.ALLOWED},
        provider=IDENTITY_PROVIDER_ID,
        identity_headers={"x-user": USER},
        setting=IDENTITY_SETTING,
        shadow={"X_User": Reason.OVERRIDE, "X-Experiment": Reason.NOT_ALLOWED},
    ),
)

SECRETS = (PROVIDER_KEY, "free-tier", "attacker", "203.0.113.7", "acme-corp", "globex-corp", "mallory", "variant-b")
"""A word of every header value in the scenarios, and the provider's key: none may appear in telemetry or a log."""
