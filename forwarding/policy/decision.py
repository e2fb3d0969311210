"""The vocabulary of a decision: what can happen to a header, why, and the errors a rejected request raises.

Immutable values only. No header value is ever kept in a decision or an error, and a name only when it is a valid
field name, so that everything here is safe to log, to count and to return to a caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class DecisionKind(StrEnum):
    """What happens to one header."""

    # Enum's own hash runs Python code; these are keys on the path of every request.
    __hash__ = str.__hash__

    FORWARDED = "forwarded"
    BLOCKED = "blocked"
    MALFORMED = "malformed"


class Reason(StrEnum):
    """Why it happens. A closed set: reasons are label values."""

    __hash__ = str.__hash__

    # forwarded
    ALLOWED = "allowed"
    # blocked, by the core blocklist
    FRAMING = "framing"
    CREDENTIAL = "credential"
    CLIENT_IDENTITY = "client_identity"
    ROUTING = "routing"
    ACCOUNT = "account"
    SDK = "sdk"
    GATEWAY = "gateway"
    TRACE_CONTEXT = "trace_context"
    BROWSER = "browser"
    # blocked, by the operator's policy or by the outbound request
    OPERATOR = "operator"
    OVERRIDE = "override"
    NOT_ALLOWED = "not_allowed"
    # malformed
    ENVELOPE = "envelope"
    TYPE = "type"
    NAME = "name"
    VALUE = "value"
    DUPLICATE = "duplicate"
    TOO_MANY = "too_many"
    TOO_LARGE = "too_large"

    @property
    def kind(self) -> DecisionKind:
        """The kind of decision that has this reason."""
        return next(kind for kind, reasons in REASONS.items() if self in reasons)


CORE_REASONS = (
    Reason.FRAMING,
    Reason.CREDENTIAL,
    Reason.CLIENT_IDENTITY,
    Reason.ROUTING,
    Reason.ACCOUNT,
    Reason.SDK,
    Reason.GATEWAY,
    Reason.TRACE_CONTEXT,
    Reason.BROWSER,
)

REASONS: Mapping[DecisionKind, tuple[Reason, ...]] = {
    DecisionKind.FORWARDED: (Reason.ALLOWED,),
    DecisionKind.BLOCKED: (*CORE_REASONS, Reason.OPERATOR, Reason.OVERRIDE, Reason.NOT_ALLOWED),
    DecisionKind.MALFORMED: (
        Reason.ENVELOPE,
        Reason.TYPE,
        Reason.NAME,
        Reason.VALUE,
        Reason.DUPLICATE,
        Reason.TOO_MANY,
        Reason.TOO_LARGE,
    ),
}

ATTEMPT_REASONS = (Reason.CREDENTIAL, Reason.OVERRIDE)
"""Reasons of a blocked header that would have replaced a header of the server."""

# One phrase a reason, for the person who must act on an error, a log line or the command line's answer.
EXPLANATIONS: Mapping[Reason, str] = {
    Reason.ALLOWED: "passes the policy",
    Reason.FRAMING: "the HTTP client and server own the message framing",
    Reason.CREDENTIAL: "the server holds the provider's credentials",
    Reason.CLIENT_IDENTITY: "only trusted proxies may state who the client is",
    Reason.ROUTING: "it can change what a request reaches, such as method, host or model, or how it is processed",
    Reason.ACCOUNT: "the server chooses the account, which is billed and sets limits and data policies",
    Reason.SDK: "the client library owns it",
    Reason.GATEWAY: "it controls a gateway between the server and the provider",
    Reason.TRACE_CONTEXT: "the server's own tracing owns it",
    Reason.BROWSER: "browsers own it, and servers trust it for that",
    Reason.OPERATOR: "the operator's block list names it",
    Reason.OVERRIDE: "the outbound request already carries it",
    Reason.NOT_ALLOWED: "the operator's allow list does not name it",
    Reason.ENVELOPE: "the extra headers must be a JSON object of header names and values",
    Reason.TYPE: "a header value must be a JSON string",
    Reason.NAME: "a header name must be an RFC 9110 token: ASCII letters, digits and !#$%&'*+-.^_`|~",
    Reason.VALUE: "a header value must be printable ASCII without leading or trailing white space",
    Reason.DUPLICATE: "the name repeats another one; case is ignored, and all but letters and digits counts as '-'",
    Reason.TOO_MANY: "more headers than limits.max_headers",
    Reason.TOO_LARGE: "larger than limits.max_name_bytes, max_value_bytes or max_total_bytes",
}


class Outcome(StrEnum):
    """What happens to the request that carried the headers."""

    __hash__ = str.__hash__

    CLEAN = "clean"
    """Every header is forwarded."""
    FILTERED = "filtered"
    """The request goes on without the blocked and malformed headers."""
    REJECTED = "rejected"
    """Nothing is sent to the provider."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one header, and why."""

    name: str | None
    """The field name as the caller spelled it; None where it is not a valid field name within the limits, or was not
    looked at because there were too many."""
    kind: DecisionKind
    reason: Reason
    rule: str | None = None
    """The pattern that decided, normalized: a rule of the core blocklist, an entry of the operator's lists, or the name
    of a header that the outbound request carries. Never the caller's choice of word."""
    name_length: int = 0
    """Length of the name in characters, for a name that must not be shown."""

    def as_malformed(self, reason: Reason) -> "Decision":
        """Return the decision on the same header for another reason than its name: it is malformed."""
        return Decision(self.name, DecisionKind.MALFORMED, reason, None, self.name_length)


class RejectedError(Exception):
    """The policy rejects a request; nothing is sent to the provider. The message names headers and shows no value.

    Not an `OSError` or a `ValueError`: code that retries connections or validates input must not take it for its own.
    """

    status_code: ClassVar[int]
    """What an HTTP server answers."""
    code: ClassVar[str]
    """What the error is called in an answer in the form of the OpenAI API."""


class BlockedHeadersError(RejectedError):
    """A header is blocked and the policy says `on_blocked: reject`."""

    status_code = 403
    code = "blocked_extra_headers"


class MalformedHeadersError(RejectedError):
    """A header is malformed and the policy says `on_malformed: reject`."""

    status_code = 400
    code = "malformed_extra_headers"


class MissingIdentityError(RejectedError):
    """An identity header cannot be set for this user, and the policy says `on_missing: reject`."""

    status_code = 403
    code = "missing_identity"


# Enough to act on; a caller who sends thousands of bad headers does not get thousands of lines back.
_MAX_LISTED = 8


@dataclass(frozen=True, slots=True, init=False)
class Evaluation:
    """The outcome of one set of extra headers under one policy."""

    forwarded: Mapping[str, str] = field(repr=False)
    """The headers to send on, as the caller spelled them. Empty where the request is rejected. Not shown in `repr`: the
    one place where values are."""
    decisions: tuple[Decision, ...]
    """One for each input header, in the caller's order; a malformed envelope counts as one header without a name."""
    rejected_for: DecisionKind | None = None
    """The kind of decision for which the policy rejects the request, or None where it does not."""
    withheld: bool = False
    """Whether nothing is sent for another reason than these headers: the server cannot set one of its own."""

    def __init__(
        self,
        forwarded: Mapping[str, str],
        decisions: tuple[Decision, ...],
        rejected_for: DecisionKind | None = None,
        *,
        withheld: bool = False,
    ) -> None:
        # One is made for each request. The method that a frozen dataclass gets takes half of the time to decide.
        _set_forwarded(self, forwarded)
        _set_decisions(self, decisions)
        _set_rejected_for(self, rejected_for)
        _set_withheld(self, withheld)

    @property
    def outcome(self) -> Outcome:
        """What happens to the request that carried the headers."""
        if self.rejected_for is not None or self.withheld:
            return Outcome.REJECTED
        return Outcome.CLEAN if len(self.forwarded) == len(self.decisions) else Outcome.FILTERED

    def raise_for_rejection(self, provider: str | None = None) -> None:
        """Raise if the policy rejects the request. The message names `provider` where one is given.

        Raises:
            MalformedHeadersError: a header is malformed and `on_malformed` is `reject`.
            BlockedHeadersError: a header is blocked and `on_blocked` is `reject`.

        """
        if (error := self.rejection(provider)) is not None:
            raise error

    def rejection(self, provider: str | None = None) -> MalformedHeadersError | BlockedHeadersError | None:
        """Return the error that `raise_for_rejection` raises, or None where the request goes on."""
        if self.rejected_for is None:
            return None
        subject = f"extra headers for provider {provider!r}" if provider else "extra headers"
        found = [d for d in self.decisions if d.kind is self.rejected_for]
        found = [d for d in found if d.reason is Reason.TOO_MANY][:1] or found
        listed = "; ".join(_describe(d) for d in found[:_MAX_LISTED])
        more = f"; and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
        error = MalformedHeadersError if self.rejected_for is DecisionKind.MALFORMED else BlockedHeadersError
        return error(f"{subject} rejected, nothing was sent to the provider: {listed}{more}")


_set_forwarded, _set_decisions, _set_rejected_for, _set_withheld = (
    Evaluation.__dict__[name].__set__ for name in ("forwarded", "decisions", "rejected_for", "withheld")
)


def _describe(decision: Decision) -> str:
    if decision.reason in (Reason.ENVELOPE, Reason.TOO_MANY):
        what = "the extra headers are"
    elif decision.name is None:
        what = f"a header with a name of {decision.name_length} characters is"
    else:
        what = f"header {decision.name!r} is"
    return f"{what} {decision.kind.value} ({decision.reason.value}: {EXPLANATIONS[decision.reason]})"
