"""The pages of the documentation as a Markdown parser sees them: code blocks, tables, links, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / f"{page}.md" for page in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "dashboards" / "runbooks").glob("*.md")),
]

_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True)
class Block:
    """One code block."""

    page: str
    line: int
    language: str
    """The word after the fence; empty where there is none, and for a block that is only indented."""
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str:
        """The file that the reader is asked to save it as: a comment in its first line."""
        found = re.match(r"(?:#|//) ([\w.-]+\.(?:py|ya?ml|mjs))\n", self.text)
        return found[1] if found else ""


def name(page: Path) -> str:
    """Return the path of a page within the repository."""
    return page.relative_to(ROOT).as_posix()


def _tokens(page: Path) -> list[Token]:
    return _MARKDOWN.parse(page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page in order."""
    return [
        Block(name(page), (token.map or [0])[0] + 1, token.info.strip(), token.content)
        for token in _tokens(page)
        if token.type in {"fence", "code_block"}
    ]


def links(page: Path) -> list[str]:
    """Return the targets of all links and pictures of a page."""
    inline = [child for token in _tokens(page) for child in token.children or ()]
    targets = [child.attrs.get("href") or child.attrs.get("src") for child in inline]
    return [str(target) for target in targets if target]


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them of their text."""
    tokens = _tokens(page)
    found = set()
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            text = "".join(child.content for child in token.children or ())
            found.add(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return found


def rows(page: Path) -> Iterator[dict[str, str]]:
    """Yield each row of each table of a page, by the titles of its columns, as written."""
    titles: list[str] = []
    cells: list[str] = []
    for token in _tokens(page):
        match token.type:
            case "tr_open":
                cells = []
            case "inline" if token.level > 2:
                cells.append(token.content)
            case "thead_close":
                titles = cells
            case "tr_close" if titles and cells is not titles:
                if len(cells) == len(titles):
                    yield dict(zip(titles, cells, strict=True))
            case "table_close":
                titles = []
