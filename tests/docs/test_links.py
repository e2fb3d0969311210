"""Every relative link and anchor of README and docs leads somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """The file is in the repository, and the heading in the file."""
    broken = []
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        has_anchor = not parts.fragment or (target.exists() and parts.fragment in anchors(target))
        if not (target.is_relative_to(ROOT) and target.exists() and has_anchor):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    """Whoever opens docs finds every page from there, and finds docs from the README."""
    linked = {(ROOT / "docs" / urlsplit(link).path).resolve() for link in links(ROOT / "docs" / "README.md")}
    pages = {page for page in (ROOT / "docs").glob("*.md") if page.name != "README.md"}
    assert pages - linked == set()
    assert "docs/README.md" in links(ROOT / "README.md")
