"""Field names: what a token is, how names are normalized for comparison, and which patterns cover which."""

import string

import pytest

from extra_headers.forwarding.policy.field_names import PatternSet, is_prefix, is_token, normalize_name
from tests.core.helpers import characters

# RFC 9110 section 5.6.2, written out.
TCHAR = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters


class TestIsToken:
    """`is_token`, the gate before every comparison."""

    def test_every_tchar_alone_is_a_token(self) -> None:
        """Each of the 77 characters of the RFC's grammar is a name by itself."""
        assert len(TCHAR) == 77
        assert [c for c in TCHAR if not is_token(c)] == []

    def test_no_other_character_is(self) -> None:
        """Surrogates and look-alikes are not, neither alone, inside nor at the end."""
        others = set(characters()) - set(TCHAR)
        assert [c for c in others if is_token(c) or is_token(f"x{c}y") or is_token(f"x{c}")] == []


class TestFold:
    """`normalize_name`, the form in which names are compared."""

    @pytest.mark.parametrize(
        ("name", "normalized"),
        [
            ("X-Forwarded-For", "x-forwarded-for"),
            ("X_FORWARDED_FOR", "x-forwarded-for"),
            ("x_Forwarded-for", "x-forwarded-for"),
            ("X.Forwarded+For", "x-forwarded-for"),
            ("__", "--"),
            ("X-Tenant_*", "x-tenant--"),
        ],
    )
    def test_only_letters_in_any_case_and_digits_make_a_difference(self, name: str, normalized: str) -> None:
        """Lower case, and every other character as `-`."""
        assert normalize_name(name) == normalized

    def test_every_tchar(self) -> None:
        """A normalized name is a token of the same length, and normalizing it again changes nothing."""
        normalized = normalize_name(TCHAR)
        assert set(normalized) == {"-", *string.digits, *string.ascii_lowercase}
        assert is_token(normalized)
        assert len(normalized) == len(TCHAR)
        assert normalize_name(normalized) == normalized

    def test_no_look_alike_is_folded_into_ascii(self) -> None:
        """`str.lower` makes a k of the Kelvin sign; here every character outside ASCII stays what it is."""
        others = "".join(map(chr, range(0x80, 0x110000)))
        assert normalize_name(others) == others


class TestPatterns:
    """Exact names and prefixes of names."""

    def test_a_trailing_star_makes_a_prefix(self) -> None:
        """Any other pattern is one exact name."""
        assert is_prefix("x-tenant-*")
        assert not is_prefix("x-tenant")
        assert not is_prefix("x-*-tenant")

    def test_an_exact_name_is_covered_by_itself_and_by_ever_shorter_prefixes(self) -> None:
        """Narrowest first, so that the first one is the entry that decides."""
        patterns = PatternSet(["x*", "x-a", "x-*", "x-a*", "x-a-*", "y*", "x-b"])
        assert list(patterns.matching_all_of("x-a")) == ["x-a", "x-a*", "x-*", "x*"]

    def test_a_prefix_is_covered_by_prefixes_only(self) -> None:
        """No exact name matches all that a prefix matches."""
        assert list(PatternSet(["x*", "x-a", "x-*", "x-a*"]).matching_all_of("x-a*")) == ["x-a*", "x-*", "x*"]

    @pytest.mark.parametrize(
        ("pattern", "within"),
        [("x-a", True), ("x-a*", True), ("x*", True), ("x-ab*", False), ("x-b*", True), ("x-b", False), ("w*", False)],
    )
    def test_what_lies_within_a_pattern(self, pattern: str, *, within: bool) -> None:
        """A pattern contains a name or prefix if it matches everything that the other one matches."""
        assert PatternSet(["x-a", "x-b-*"]).any_within(pattern) == within

    def test_answers_are_linear_in_the_length_of_a_pattern(self) -> None:
        """A megabyte of one entry is answered at once, not in hours."""
        long = "x" * 1_000_000
        patterns = PatternSet([long, f"{long}*", "x-*"])
        assert list(patterns.matching_all_of(long)) == [long, f"{long}*"]
        assert patterns.any_within(f"{long}*")
