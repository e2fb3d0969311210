"""The prose linter: phrases that a reader needs a second pass for. `make check` runs `python -m tests.docs.prose`.

It reads pages, and in Python files docstrings, comments and texts. A linter of our own, because those that can be
installed without a download from GitHub have no rules like these: proselint takes no rules of a project and reads code
blocks as prose, and those from npm would make `make check` need Node.js.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import PAGES, ROOT, name

AVOIDED = {
    r"what becomes? of": "the result of",
    r"to the byte": "byte for byte",
    r"nobody knows": "unknown",
    r"told apart": "distinguished",
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

# What is left in texts that are older than the linter. Lower the number when you rewrite them; it never grows.
_LEFT = {
    "benchmarks": 1,
    "docs/blocklist.md": 1,
    "docs/clients.md": 3,
    "docs/providers.md": 3,
    "forwarding": 61,
    "telemetry": 9,
    "tests": 285,
}
_FOLDERS = ("benchmarks", "dashboards", "examples", "forwarding", "telemetry", "tests")
_PATTERNS = {
    re.compile(rf"\b(?:{phrase.replace(' ', r'\s+')})\b", re.IGNORECASE): better for phrase, better in AVOIDED.items()
}
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`|\]\([^)]*\)|^ {4}.*$", re.DOTALL | re.MULTILINE)


def found(text: str, first_line: int = 1) -> list[str]:
    """Return each avoided phrase in a page's prose, with its line and the replacement."""
    # Code keeps its line breaks, so that lines keep their numbers.
    prose = _CODE.sub(lambda code: "\n" * code[0].count("\n"), text)
    return [
        f"{prose.count('\n', 0, match.start()) + first_line}: {match[0]!r}; better: {better}"
        for pattern, better in _PATTERNS.items()
        for match in pattern.finditer(prose)
    ]


def found_in_code(text: str) -> list[str]:
    """Return each avoided phrase in the docstrings, texts and comments of a Python file."""
    constants = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    texts = {(node.lineno, node.value) for node in constants if isinstance(node.value, str)}
    comments = [
        token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    ]
    texts |= {(token.start[0], token.string) for token in comments}
    # Inner lines of a docstring are indented, and are no code.
    return [each for line, content in sorted(texts) for each in found(re.sub(r"\n +", "\n", content), line)]


def findings() -> Iterator[tuple[str, list[str]]]:
    """Yield each page and each folder of code with the avoided phrases in it, in the form `path:line: …`."""
    for page in PAGES:
        yield name(page), [f"{name(page)}:{each}" for each in found(page.read_text(encoding="utf-8"))]
    for folder in _FOLDERS:
        yield (
            folder,
            [
                f"{name(path)}:{each}"
                for path in sorted((ROOT / folder).rglob("*.py"))
                if path != Path(__file__)
                for each in found_in_code(path.read_text(encoding="utf-8"))
            ],
        )


def main() -> int:
    """Print the phrases of each page or folder that has more than are left over, and return the exit code."""
    everything = dict(findings())
    more = [place for place, phrases in everything.items() if len(phrases) > _LEFT.get(place, 0)]
    for place in more:
        print(*everything[place], sep="\n")
        print(f"{place}: {len(everything[place])} avoided phrases, and at most {_LEFT.get(place, 0)} are allowed")
    unknown = _LEFT.keys() - everything.keys()
    print(*(f"{place}: does not exist; remove it from _LEFT" for place in unknown), sep="\n", end="")
    return 1 if more or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
