"""The documentation keeps to plain words: patterns of phrases that a reader needs a second pass for."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, name

AVOIDED = {
    r"stands?": "is; for `stands for`: means, replaces",
    r"(?<!there\s)(?:is|are) no(?! longer| more)": "is not a",
    r"holds?": "contains, keeps",
    r"tells?|told": "reports, informs",
    r"go(?:es)? on": "continues",
    r"in force": "active",
    r"beside": "next to, in addition to",
    r"whom": "a sentence of its own",
    r"up(?:on) which": "a sentence of its own",
    r"of (?:its|their|one's|your) own": "leave it out",
    r"among (?:it|them|which)": "including",
    r"makes? no sense": "contradict each other",
    r"nothing (?:to complain about|usual)": "no problems found",
    r"says? (?:of|so|which|what|that|how|where|who)": "states, reports",
}
"""Phrases, with what to write in their place."""

# What is left on pages that are older than this test. Lower the number when you rewrite a page; it never grows.
_LEFT = {
    "docs/blocklist.md": 1,
    "docs/clients.md": 3,
    "docs/providers.md": 3,
}

_CODE = re.compile(r"^```.*?^```|`[^`\n]*`|\]\([^)]*\)|^ {4}.*$", re.DOTALL | re.MULTILINE)


def found(text: str) -> list[str]:
    """Return each avoided phrase in a page's prose, with its line and the replacement."""
    # Code keeps its line breaks, so that lines keep their numbers.
    prose = _CODE.sub(lambda code: "\n" * code[0].count("\n"), text)
    return [
        f"line {prose.count('\n', 0, match.start()) + 1}: {match[0]!r}; better: {better}"
        for phrase, better in AVOIDED.items()
        for match in re.finditer(rf"\b(?:{phrase.replace(' ', r'\s+')})\b", prose, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_has_no_more_avoided_phrases_than_before(page: Path) -> None:
    """New pages have none."""
    phrases = found(page.read_text(encoding="utf-8"))
    assert len(phrases) <= _LEFT.get(name(page), 0), "\n".join(phrases)


def test_pages_that_are_listed_exist() -> None:
    """A page that was renamed or deleted leaves no allowance behind."""
    assert _LEFT.keys() <= {name(page) for page in PAGES}


def test_finds_phrases_in_prose_only() -> None:
    """Code blocks, code spans and link targets are left alone."""
    text = (
        "It holds it.\n\n```text\nit holds\n```\n\nA `hold` and [a link](stands.md) is\nno code; it is no longer one."
    )
    assert [line.partition(";")[0] for line in found(text)] == ["line 7: 'is\\nno'", "line 1: 'holds'"]
