"""The decision on each header of one request, and the rule that decided it, for people to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from openai import AsyncOpenAI

from ..client_headers import GENAI_NAMES, SIGNED_NAMES, client_header_names
from ..policy.blocklist import BLOCKLIST_BY_PATTERN
from ..policy.decision import CORE_REASONS, EXPLANATIONS, Decision, Evaluation, Reason
from ..policy.evaluation import evaluate
from ..policy.field_names import normalize_pattern
from ..policy.identity import IdentityHeaders, User
from ..policy.model import Policy
from .environment import FromEnvironment, shown
from .policies import Checked, policy_line
from .providers import Provider, RunConfig

_LISTS = {Reason.ALLOWED: "allow", Reason.OPERATOR: "block"}
_GENAI_TYPE = "remote::vertexai"
# What Google's SDK sends by itself; importing it to ask would take the SDK, and a project.
_GENAI_CLIENT_NAMES = frozenset({"content-type", "user-agent", "x-goog-api-client"})
# Their HTTP client signs each request.
_SIGNING_TYPES = ("remote::oci", "remote::bedrock")


@dataclass(frozen=True, slots=True)
class OutboundNames:
    """Names of headers that one party puts on every outbound request."""

    by: str
    """The party, for people."""
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Explained:
    """One header."""

    decision: Decision
    header: str
    """The name, or what may be said of it."""
    rule: str | None
    """The entry that decided; None if no entry did."""
    source: str
    """Where that entry comes from, or the meaning of the check that decided."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One request."""

    headers: tuple[Explained, ...]
    evaluation: Evaluation
    identity: IdentityHeaders | None
    """None if the policy has no `set`."""
    status: int | None
    """What the server answers instead of the provider; None if the request continues."""
    outbound: tuple[OutboundNames, ...]


def explain_request(
    config: RunConfig, checked: Checked, policy: Policy, headers: object | None, user: User | None = None
) -> Explanation:
    """Return what is decided for a caller's extra headers.

    Args:
        config: the run config.
        checked: the provider.
        policy: of the provider.
        headers: of the caller, as decoded from JSON; None for a request without any.
        user: whom the host authenticated; None for nobody.

    """
    outbound = tuple(_outbound_names(checked.provider))
    if policy.set:
        outbound = (*outbound, OutboundNames("the server (`set`)", frozenset(policy.set)))
    names = frozenset[str]().union(*(party.names for party in outbound))
    evaluation = Evaluation({}, ()) if headers is None else evaluate(headers, policy, names)
    identity = policy.identity_headers(user or User())
    rejection = (identity and identity.rejection("")) or evaluation.rejection()
    explained = tuple(_explain(config, checked, policy, outbound, decision) for decision in evaluation.decisions)
    return Explanation(explained, evaluation, identity, rejection.status_code if rejection else None, outbound)


def _outbound_names(provider: Provider) -> list[OutboundNames]:
    """Return which headers a provider's outbound request has without a caller, by its run config alone."""
    if provider.outbound is not None:
        return [OutboundNames(party, names) for party, names in provider.outbound.items()]
    if provider.type == _GENAI_TYPE:
        outbound = [OutboundNames("Google's SDK", GENAI_NAMES | _GENAI_CLIENT_NAMES)]
    else:
        # The running server asks its own client; one with a made-up key sends the same.
        client = AsyncOpenAI(api_key="made-up", base_url="http://127.0.0.1")
        outbound = [OutboundNames(f"the openai {version('openai')} client", client_header_names(client))]
    if provider.type in _SIGNING_TYPES:
        outbound.append(OutboundNames("the request signer", frozenset(SIGNED_NAMES)))
    if provider.network_headers:
        outbound.append(OutboundNames("network.headers", frozenset(provider.network_headers)))
    return outbound


def _explain(
    config: RunConfig, checked: Checked, policy: Policy, outbound: Sequence[OutboundNames], decision: Decision
) -> Explained:
    header = decision.name
    if header is None:
        whole = decision.reason is Reason.ENVELOPE
        header = "(all of them)" if whole else f"(a name of {decision.name_length} characters)"
    rule, reason = decision.rule, decision.reason
    source = EXPLANATIONS[reason]
    if rule is None:
        source = "nothing blocks it, and there is no allow list" if reason is Reason.ALLOWED else source
    elif reason in CORE_REASONS:
        source = f"core blocklist: {BLOCKLIST_BY_PATTERN[rule].source}"
    elif reason is Reason.OVERRIDE:
        source = f"sent by {', '.join(party.by for party in outbound if rule in map(normalize_pattern, party.names))}"
    elif (name := _LISTS.get(reason)) is not None:
        index = getattr(policy, name).index(rule)
        entry = checked.provider.setting[name][index]
        rule = shown(entry) if isinstance(entry, FromEnvironment) else rule
        source = f"{name}[{index}], line {policy_line(config, checked.provider, (name, index))}"
    return Explained(decision, header, rule, source)
