"""What is decided for the headers of one request and by which rule, for people to read."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..policy.blocklist import BLOCKLIST_BY_PATTERN
from ..policy.decision import CORE_REASONS, EXPLANATIONS, Decision, Evaluation, Reason
from ..policy.evaluation import evaluate
from ..policy.field_names import normalize_name
from ..policy.model import Policy
from .checks import Checked, line_of
from .outbound_names import Carried, carried_names
from .providers import RunConfig

_LISTS = {Reason.ALLOWED: "allow", Reason.OPERATOR: "block"}


@dataclass(frozen=True, slots=True)
class Explained:
    """One header."""

    decision: Decision
    header: str
    """The name, or what may be said of it."""
    rule: str | None
    """The entry that decided; None where no entry did."""
    source: str
    """Where that entry comes from, or what the check is that decided."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One request."""

    headers: tuple[Explained, ...]
    evaluation: Evaluation
    status: int | None
    """What the server answers in place of the provider; None where the request goes on."""
    carried: tuple[Carried, ...]


def explain_request(config: RunConfig, checked: Checked, policy: Policy, headers: object | None) -> Explanation:
    """Return what is decided for a caller's extra headers; None for a request without."""
    carried = tuple(carried_names(checked.provider))
    if policy.set:
        carried = (*carried, Carried("the server (`set`)", frozenset(policy.set)))
    outbound = frozenset[str]().union(*(party.names for party in carried))
    evaluation = Evaluation({}, ()) if headers is None else evaluate(headers, policy, outbound)
    explained = tuple(_explain(config, checked, policy, carried, decision) for decision in evaluation.decisions)
    rejection = evaluation.rejection()
    return Explanation(explained, evaluation, rejection.status_code if rejection else None, carried)


def _explain(
    config: RunConfig, checked: Checked, policy: Policy, carried: Sequence[Carried], decision: Decision
) -> Explained:
    name = decision.name
    if name is None:
        whole = decision.reason is Reason.ENVELOPE
        name = "(all of them)" if whole else f"(a name of {decision.name_length} characters)"
    rule, source = _rule(config, checked, policy, carried, decision)
    return Explained(decision, name, rule, source)


def _rule(
    config: RunConfig, checked: Checked, policy: Policy, carried: Sequence[Carried], decision: Decision
) -> tuple[str | None, str]:
    rule, reason = decision.rule, decision.reason
    if rule is not None and reason in CORE_REASONS:
        return rule, f"core blocklist: {BLOCKLIST_BY_PATTERN[rule].source}"
    if rule is not None and reason is Reason.OVERRIDE:
        by = [party.by for party in carried if rule in map(normalize_name, party.names)]
        return rule, f"sent by {', '.join(by)}" if by else EXPLANATIONS[reason]
    if rule is not None and (name := _LISTS.get(reason)):
        path = (name, getattr(policy, name).index(rule))
        shown = checked.provider.hidden.get(path, rule)
        return shown, f"{name}[{path[1]}], line {line_of(config, checked.provider, path)}"
    if reason is Reason.ALLOWED:
        return None, "nothing blocks it, and there is no allow list"
    return None, EXPLANATIONS[reason]
