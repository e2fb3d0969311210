"""The attack corpus: what stands in `cases/*.yaml`, read into values. Nothing is run here.

A case says what a caller sends, in one of three forms: `headers`, a mapping that is written as JSON; `text`, the JSON
of the extra headers; `envelope`, the whole provider data. `<<5|a>>` in it stands for `aaaaa`, and `<<3,|"X-#": 1>>`
for three members with `#` counted from 0. `expect` holds the decision on each header, in order; with a number in front,
for so many headers. `policy` and `outbound` are what the operator has set; by default, everything is at its default.
`wire: refused` marks what the HTTP server in front does not take at all.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from extra_headers.forwarding import DecisionKind, Evaluation, Policy, Reason, evaluate
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import decode_object, headers_in

FIELD = "vllm_extra_headers"
_REPEATED = re.compile(r"<<(\d+)(,?)\|(.*?)>>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Case:
    """One attack, and what becomes of it."""

    attack_class: str
    name: str
    source: str
    """RFC section, CVE, CWE, pull request, file or documentation, several with `;` between."""
    provider_data: str
    """The value of the provider-data header."""
    expected: tuple[tuple[DecisionKind, Reason], ...]
    policy: Mapping[str, Any]
    outbound: tuple[str, ...]
    refused_by_server: bool

    @property
    def rejected_for(self) -> DecisionKind | None:
        """The kind of decision for which the policy rejects the request."""
        kinds = {kind for kind, _ in self.expected}
        if DecisionKind.MALFORMED in kinds and self.parsed_policy.on_malformed == "reject":
            return DecisionKind.MALFORMED
        if DecisionKind.BLOCKED in kinds and self.parsed_policy.on_blocked == "reject":
            return DecisionKind.BLOCKED
        return None

    @property
    def parsed_policy(self) -> Policy:
        """The policy that decides."""
        return parse_policy(self.policy, f"the case {self.name!r}")

    def pairs(self) -> list[tuple[str, Any]]:
        """Return the headers as they stand in the JSON, equal names each; none where there is nothing to read."""
        found = caller_headers(self.provider_data)
        if not isinstance(found, Mapping):
            return []
        return list(getattr(found, "pairs", found.items()))

    def forwarded(self) -> dict[str, str]:
        """Return the headers that reach the provider, as the caller wrote them."""
        if self.rejected_for is not None:
            return {}
        decided = zip(self.pairs(), self.expected, strict=True) if self.pairs() else ()
        return {name: value for (name, value), (kind, _) in decided if kind is DecisionKind.FORWARDED}


def caller_headers(provider_data: str) -> object | None:
    """Decode provider data as hosts do, and return what `evaluate` gets of it; None for no extra headers."""
    return headers_in(decode_object(provider_data), FIELD)


def decide(case: Case) -> Evaluation | None:
    """Evaluate a case in the pure core; None where the caller sent no extra headers."""
    headers = caller_headers(case.provider_data)
    return None if headers is None else evaluate(headers, case.parsed_policy, case.outbound)


def _expand(text: str) -> str:
    def repeat(match: re.Match[str]) -> str:
        count, comma, what = int(match[1]), match[2], match[3]
        return ",".join(what.replace("#", str(i)) for i in range(count)) if comma else what * count

    return _REPEATED.sub(repeat, text)


def _provider_data(case: Mapping[str, Any]) -> str:
    if "envelope" in case:
        return _expand(case["envelope"])
    text = case["text"] if "text" in case else json.dumps(case["headers"])
    return _expand(f'{{"{FIELD}": {text}}}')


def _expected(expect: str | list[str]) -> Iterator[tuple[DecisionKind, Reason]]:
    for entry in [expect] if isinstance(expect, str) else expect:
        count, _, decision = entry.rpartition(" ")
        kind, _, reason = decision.partition("/")
        yield from [(DecisionKind(kind), Reason(reason))] * int(count or 1)


def _load() -> Iterator[Case]:
    for path in sorted(Path(__file__).with_name("cases").glob("*.yaml")):
        document = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for case in document["cases"]:
            yield Case(
                document["class"],
                case["name"],
                case["source"],
                _provider_data(case),
                tuple(_expected(case["expect"])),
                case.get("policy", {}),
                tuple(case.get("outbound", ())),
                case.get("wire") == "refused",
            )


CASES = tuple(_load())
