"""Hours and days of a server's metrics, each with the alerts that must fire and when: what docs/alerting.md promises.

A `Day` is ordinary until something is changed: two replicas with two providers in one namespace, clean requests, and
identity headers that are sent. promtool plays it to the generated rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from extra_headers.dashboards.tuning import AlertName
from extra_headers.forwarding.policy.decision import REASONS, Outcome, Reason
from extra_headers.forwarding.policy.identity import IdentityHeaderResult
from extra_headers.telemetry import contract

type Piece = tuple[int, float] | str
type Firing = tuple[AlertName, str, str]
"""An alert with its provider and namespace, empty where it has none."""

GONE, RESET = "gone", "reset"
INSTANCES, PROVIDERS = ("a", "b"), ("vllm", "openai")


def counter(*pieces: Piece) -> str:
    """Return a counter in promtool's notation.

    Args:
        pieces: so many steps with so much growth in each; `reset` starts at 0 again; `gone 5` is 5 steps without a
            sample.

    """
    value: float = 0
    written: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            value = 0
            if piece != RESET:
                written.append(f"stale _x{int(piece.split()[1]) - 1}" if written else f"_x{piece.split()[1]}")
        else:
            steps, growth = piece
            written.append(f"{value:g}+{growth:g}x{steps - 1}")
            value += growth * steps
    return " ".join(written)


def once(before: int, events: int, after: int) -> str:
    """Return a counter that grows once."""
    return f"0x{before - 1} {events}x{after}"


@dataclass
class Day:
    """Series by name and labels. `steps` minutes, or as many times five of them."""

    title: str
    steps: int = 240
    minutes: int = 1
    firing: Mapping[int, set[Firing]] = field(default_factory=dict)
    """Exactly what fires at these steps; nothing at any time where it is empty."""
    quiet_from: int = 0
    """On an ordinary day: the step from which nothing fires."""
    series: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for instance in INSTANCES:
            self.replica(instance)

    def set(self, metric: str, values: str, **labels: str) -> None:
        """Set the values of a series; the namespace is `prod` unless it is given."""
        labels = {"namespace": "prod", "job": "ogx", "instance": "a"} | labels
        selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
        self.series[f"{metric}{{{selector}}}"] = values

    def replica(self, instance: str, *, life: str | None = None, policy: str = "aaa", **labels: str) -> None:
        """Set every series of a replica to those of an ordinary one.

        Args:
            instance: its name.
            life: pieces in place of one for the whole day, such as `60 reset 240`, in steps.
            policy: digest of its policies.
            labels: namespace or job.

        """
        life = life or str(self.steps + 1)
        where = {"instance": instance, **labels}
        self.set("up", _present(life), **where)
        for provider in PROVIDERS:
            self.provider(provider, life=life, policy=policy, **where)

    def provider(self, provider: str, *, life: str | None = None, policy: str = "aaa", **where: str) -> None:
        """Set every series of a provider on one replica to those of an ordinary one."""
        life = life or str(self.steps + 1)
        self.policy(provider, policy, _present(life), **where)
        for outcome in Outcome:
            growth = 5 if outcome is Outcome.CLEAN else 0
            self.requests(outcome, _growing(life, growth), provider=provider, **where)
        # One reason of each kind; a day sets those that it needs, and promtool's time grows with the series.
        for reason in (Reason.ALLOWED, Reason.NOT_ALLOWED, Reason.TYPE):
            self.decisions(reason, _growing(life, 5 if reason is Reason.ALLOWED else 0), provider=provider, **where)
        self.identity(IdentityHeaderResult.SENT, _growing(life, 5), provider=provider, **where)

    def policy(self, provider: str, digest: str, values: str, **where: str) -> None:
        """Set a provider's policy info."""
        self.set(contract.POLICY_INFO, values, provider=provider, policy=digest, **where)

    def requests(self, outcome: Outcome, values: str, **labels: str) -> None:
        """Set the requests of an outcome."""
        self.set(contract.REQUESTS_TOTAL, values, **{"provider": "vllm"} | labels, outcome=outcome)

    def decisions(self, reason: Reason, values: str, **labels: str) -> None:
        """Set the decisions of a reason."""
        kind = next(kind for kind, reasons in REASONS.items() if reason in reasons)
        self.set(contract.DECISIONS_TOTAL, values, **{"provider": "vllm"} | labels, decision=kind, reason=reason)

    def identity(self, result: IdentityHeaderResult, values: str, **labels: str) -> None:
        """Set the identity headers of a result."""
        labels = {"provider": "vllm", "header": "x-tenant"} | labels
        self.set(contract.IDENTITY_HEADERS_TOTAL, values, **labels, result=result)

    def names(self, reason: Reason, header: str, values: str) -> None:
        """Set the number of headers that an entry of the policy blocked."""
        self.set(contract.BLOCKED_NAMES_TOTAL, values, provider="vllm", reason=reason, header=header)

    def during(self, start: int, end: int, growth: float) -> str:
        """Return a counter that grows between two steps."""
        return counter((start, 0), (end - start, growth), (self.steps - end + 1, 0))


def _present(life: str) -> str:
    return " ".join(
        f"stale _x{int(piece.removeprefix('-')) - 1}" if piece.startswith("-") else f"1x{int(piece) - 1}"
        for piece in life.split()
        if piece != RESET
    )


def _growing(life: str, growth: float) -> str:
    pieces: list[Piece] = []
    for piece in life.split():
        if piece == RESET:
            pieces.append(RESET)
        elif piece.startswith("-"):
            pieces.append(f"{GONE} {piece.removeprefix('-')}")
        else:
            pieces.append((int(piece), growth))
    return counter(*pieces)


def vllm(*names: AlertName) -> set[Firing]:
    """Return what fires for the provider vllm."""
    return {(name, "vllm", "prod") for name in names}
