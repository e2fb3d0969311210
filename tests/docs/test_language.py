"""The prose linter finds phrases where people read, and nowhere else; `make check` runs it on the repository."""

from tests.docs.prose import found, found_in_code


def test_finds_phrases_in_prose_only() -> None:
    """Code blocks, code spans and link targets are left alone."""
    text = (
        "It holds it.\n\n```text\nit holds\n```\n\nA `hold` and [a link](stands.md) is\nno code; it is no longer one.\n"
        "There is no other."
    )
    assert [line.partition(";")[0] for line in found(text)] == ["7: 'is\\nno'", "1: 'holds'"]


def test_finds_phrases_in_code() -> None:
    """Docstrings, texts and comments are read; names are not."""
    text = 'def holds() -> str:\n    """Do it.\n\n    It holds it.\n    """\n    return "goes on"  # beside\n'
    assert [line.partition(";")[0] for line in found_in_code(text)] == ["4: 'holds'", "6: 'beside'", "6: 'goes on'"]
