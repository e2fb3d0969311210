"""Every case of the corpus against the pure core, from the text of the header on; and what the corpus must hold."""

import re
from collections import Counter

import pytest

from extra_headers.forwarding import DecisionKind, Policy, Reason
from extra_headers.forwarding.policy.blocklist import CORE_BLOCKLIST
from extra_headers.forwarding.policy.field_names import is_token
from tests.attacks.corpus import CASES, Case, decide

CLASSES = {
    "credential override",
    "case and separators",
    "Unicode look-alikes and case folding",
    "padding",
    "duplicates",
    "controls",
    "obs-fold",
    "pseudo-headers",
    "hop-by-hop and framing",
    "method and URL override",
    "identity and proxy spoofing",
    "trace-context poisoning",
    "sizes and counts",
    "JSON tricks",
    "log and label injection",
}
_SOURCE = re.compile(
    r"RFC \d{4} section \d+(\.\d+)*|CVE-\d{4}-\d{4,}|CWE-\d+|W3C [A-Z][\w ]+ section [\d.]+|Unicode UTS \d+ section \d+"
    r"|[\w.-]+/[\w.-]+(#\d+| [\w./-]+)|documentation: \S.{8,}"
)


@pytest.mark.parametrize("attack_class", sorted(CLASSES))
def test_is_decided_as_the_corpus_says(attack_class: str) -> None:
    """One decision for each header; what is forwarded is as the caller wrote it, and nothing where it is rejected.

    A name that is no token, too long, or one of too many is not kept, only its length.
    """
    for case in CASES:
        if case.attack_class == attack_class:
            _check(case)


def _check(case: Case) -> None:
    evaluation = decide(case)
    if evaluation is None:
        assert case.expected == (), case.name
        return
    assert tuple((d.kind, d.reason) for d in evaluation.decisions) == case.expected, case.name
    assert evaluation.rejected_for is case.rejected_for, case.name
    assert dict(evaluation.forwarded) == case.forwarded(), case.name
    limits, pairs = case.parsed_policy.limits, case.pairs()
    for decision, (name, _) in zip(evaluation.decisions, pairs, strict=bool(pairs)):
        shown = is_token(name) and len(name) <= limits.max_name_bytes and len(pairs) <= limits.max_headers
        assert (decision.name, decision.name_length) == (name if shown else None, len(name)), case.name


class TestCorpus:
    """What the corpus holds."""

    def test_every_class_has_several_cases(self) -> None:
        """Of all fifteen, none by another name."""
        counted = Counter(case.attack_class for case in CASES)
        assert set(counted) == CLASSES
        assert min(counted.values()) >= 5
        assert len(CASES) >= 200

    def test_names_say_which_case_it_is(self) -> None:
        """No two of a class are called the same."""
        assert [name for name, count in Counter((c.attack_class, c.name) for c in CASES).items() if count > 1] == []

    def test_every_reason_is_given(self) -> None:
        """By some case."""
        assert {reason for case in CASES for _, reason in case.expected} == set(Reason)

    def test_every_entry_of_the_core_blocklist_decides_some_case(self) -> None:
        """Under a policy that leaves the core blocklist as it is."""
        evaluations = [decide(case) for case in CASES if case.parsed_policy == Policy()]
        decided = {d.rule for e in evaluations if e for d in e.decisions if d.kind is DecisionKind.BLOCKED}
        assert [rule.pattern for rule in CORE_BLOCKLIST if rule.pattern not in decided] == []

    def test_every_source_can_be_looked_up(self) -> None:
        """It names a section of an RFC, a CVE, a CWE, a pull request, a file, or a vendor's documentation."""
        sources = {source for case in CASES for source in case.source.split("; ")}
        assert [source for source in sorted(sources) if not _SOURCE.fullmatch(source)] == []
