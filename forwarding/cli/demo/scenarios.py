"""The story that the demo tells: its scenes as data, each with what is sent and what must come of it."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...policy.decision import DecisionKind, Outcome, Reason

PROVIDER_ID = "vllm"
PROVIDER_TYPE = "remote::vllm"
PROVIDER_KEY = "the-providers-own-key"
USER = "alice"
USER_HEADER = "X-Auth-User"
"""What a gateway in front of the server says of the caller, and the server takes for the authenticated user."""
TOLD_PROVIDER_ID = "vllm-told"
"""A second provider of the same type, which is told who calls, and has a policy on trial."""
TOLD_SETTING = {"set": {"x-user": "${user.id}"}, "shadow": {"allow": ["x-maas-*"], "on_blocked": "reject"}}
FIELD = "vllm_extra_headers"
PROVIDER_DATA_HEADER = "X-OGX-Provider-Data"

_CALLS_OF_EACH_TENANT = 10


@dataclass(frozen=True, slots=True)
class Scene:
    """Callers who call at the same moment, and what must come of it."""

    title: str
    point: str
    """Why it is worth watching, in one line."""
    callers: tuple[Mapping[str, str] | None, ...]
    """The extra headers of each caller; None for a caller who sends none."""
    decided: Mapping[str, Reason] = field(default_factory=dict)
    """What is decided for each header, by its name."""
    status: int = 200
    """Of the answer to every caller."""
    provider: str = PROVIDER_ID
    identity_headers: Mapping[str, str] = field(default_factory=dict)
    """the identity headers on each call, names in lower case."""
    setting: Mapping[str, object] | None = None
    """The provider's policy, where it is part of the story."""
    shadow: Mapping[str, Reason] = field(default_factory=dict)
    """What the shadow policy would decide for each header; empty without one."""

    @property
    def outcome(self) -> Outcome:
        """What happens to each request."""
        if self.status != 200:
            return Outcome.REJECTED
        kinds = {wrapper_for(reason) for reason in self.decided.values()}
        return Outcome.CLEAN if kinds <= {DecisionKind.FORWARDED} else Outcome.FILTERED

    def forwarded(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        """Return the headers that a call carries beside its own: the caller's and the server's, names in lower case."""
        if self.outcome is Outcome.REJECTED:
            return {}
        sent = (headers or {}).items()
        passed = {n.lower(): v for n, v in sent if wrapper_for(self.decided[n]) is DecisionKind.FORWARDED}
        return {**passed, **self.identity_headers}

    def expected_decisions(self) -> Counter[tuple[DecisionKind, Reason]]:
        """Return by how much the counter of each decision must grow."""
        # A header that the policy lets pass is not forwarded when its request is rejected, and not counted as such.
        counted = [
            (wrapper_for(self.decided[name]), self.decided[name]) for headers in self.callers for name in headers or ()
        ]
        rejected = self.outcome is Outcome.REJECTED
        return Counter(key for key in counted if not (rejected and key[0] is DecisionKind.FORWARDED))

    def expected_requests(self) -> Counter[Outcome]:
        """Return by how much the counter of each outcome must grow; requests without extra headers do not count."""
        return Counter({self.outcome: calls} if (calls := sum(map(bool, self.callers))) else {})

    def expected_shadow(self) -> Counter[tuple[DecisionKind, Reason]]:
        """Return by how much the counter of each decision of the shadow policy must grow."""
        return Counter(
            (wrapper_for(self.shadow[n]), self.shadow[n])
            for headers in self.callers
            for n in headers or ()
            if self.shadow
        )

    def expected_set(self) -> int:
        """Return by how much the counter of the headers that the server sends must grow."""
        return len(self.identity_headers) * len(self.callers)


def wrapper_for(reason: Reason) -> DecisionKind:
    """Return the decision that a reason belongs to."""
    return reason.kind


def provider_data(headers: Mapping[str, str]) -> str:
    """Return the value of the provider-data header that carries these extra headers."""
    return json.dumps({FIELD: headers})


SCENES = (
    Scene(
        "A header that passes",
        "A caller picks a subscription at run time; the provider is the only one to see it.",
        ({"X-MAAS-SUBSCRIPTION": "free-tier"},),
        {"X-MAAS-SUBSCRIPTION": Reason.ALLOWED},
    ),
    Scene(
        "No extra headers",
        "An ordinary call stays the ordinary call: nothing to decide, nothing to count.",
        (None,),
    ),
    Scene(
        "An Authorization override",
        "A naive pass-through would send the caller's credential in place of the provider's.",
        ({"Authorization": "Bearer attacker", "X-MAAS-SUBSCRIPTION": "free-tier"},),
        {"Authorization": Reason.CREDENTIAL, "X-MAAS-SUBSCRIPTION": Reason.ALLOWED},
    ),
    Scene(
        "An underscore spoof",
        "CGI and WSGI servers read X_Forwarded_For as X-Forwarded-For, so the two are decided alike.",
        ({"X_Forwarded_For": "203.0.113.7"},),
        {"X_Forwarded_For": Reason.CLIENT_IDENTITY},
    ),
    Scene(
        "A CRLF injection",
        "A line break in a value would smuggle a second header. Such a request is answered 400.",
        ({"X-Note": "hello\r\nAuthorization: Bearer attacker"},),
        {"X-Note": Reason.VALUE},
        status=400,
    ),
    Scene(
        "Two tenants at once",
        "They share a server, a provider and its connections. Neither may ever see the other's header.",
        ({"X-Tenant": "acme-corp"}, {"X-Tenant": "globex-corp"}) * _CALLS_OF_EACH_TENANT,
        {"X-Tenant": Reason.ALLOWED},
    ),
    Scene(
        "A user, and a policy on trial",
        "The server says who calls, whatever callers say. A shadow policy is compared and never acts.",
        ({"X_User": "mallory", "X-Trial": "trial-run"},),
        {"X_User": Reason.OVERRIDE, "X-Trial": Reason.ALLOWED},
        provider=TOLD_PROVIDER_ID,
        identity_headers={"x-user": USER},
        setting=TOLD_SETTING,
        shadow={"X_User": Reason.OVERRIDE, "X-Trial": Reason.NOT_ALLOWED},
    ),
)

SECRETS = (PROVIDER_KEY, "free-tier", "attacker", "203.0.113.7", "acme-corp", "globex-corp", "mallory", "trial-run")
"""A word of every header value of the story, and the provider's key: none may show up in telemetry or a log."""
