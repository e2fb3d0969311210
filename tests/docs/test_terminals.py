"""The pictures of terminals in docs/images show what the commands print today."""

import pytest

from tests.docs.terminals import COMMANDS, IMAGES, drawn, watch, words


@pytest.mark.parametrize("picture", COMMANDS)
def test_a_picture_shows_what_the_command_prints(picture: str) -> None:
    """Every word in it is in a run of the command; `make terminals` draws it anew."""
    shown = words((IMAGES / picture).read_text(encoding="utf-8"))
    assert len(shown) > 20
    assert shown - words(drawn(picture)) == set()


def test_the_picture_of_watch_is_what_it_prints() -> None:
    """Its numbers are of fixed traffic in a fixed time, so that drawing it anew changes nothing."""
    assert (IMAGES / "watch.svg").read_text(encoding="utf-8") == watch()


def test_every_picture_is_on_a_page() -> None:
    """A picture that is drawn is shown to a reader, and loads nothing from another site."""
    pages = "".join(page.read_text(encoding="utf-8") for page in IMAGES.parent.glob("*.md"))
    pictures = sorted(IMAGES.glob("*.svg"))
    assert [picture.name for picture in pictures] == ["check.svg", "explain.svg", "watch.svg"]
    for picture in pictures:
        assert f"images/{picture.name}" in pages
        assert "@font-face" not in picture.read_text(encoding="utf-8")
