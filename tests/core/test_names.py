"""Field names: what a token is, how names are folded for comparison, and which patterns cover which."""

import string

import pytest

from extra_headers.forwarding.names import covering, fold, is_prefix, is_token

# RFC 9110 section 5.6.2, written out.
TCHAR = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters

NOT_TOKENS = {
    "nothing": "",
    "a space": " ",
    "a trailing space": "Host ",
    "a leading space": " Host",
    "a trailing tab": "Host\t",
    "a trailing line feed": "Host\n",
    "a trailing carriage return": "Host\r",
    "a line break and another header": "X-A\r\nX-B",
    "NUL": "X-A\x00",
    "a leading NUL": "\x00X-A",
    "DEL": "X-A\x7f",
    "a pseudo-header": ":authority",
    "a trailing colon": "Host:",
    "name and value": "X-A: 1",
    "a comma": "X-A,X-B",
    "a semicolon": "X-A;",
    "a slash": "X/A",
    "a quote": 'X"A"',
    "brackets": "X[A]",
    "braces": "{X}",
    "parentheses": "X(A)",
    "a question mark": "X?A",
    "an equals sign": "X=A",
    "an at sign": "X@A",
    "a backslash": "X\\A",
    "the Kelvin sign": "\u212aeep-Alive",
    "a dotless i": "v\u0131a",
    "a dotted capital I": "V\u0130A",
    "a long s": "ho\u017ft",
    "a sharp s": "acce\u00df",
    "fullwidth letters": "\uff28\uff4f\uff53\uff54",
    "a fullwidth hyphen": "x\uff0dapi\uff0dkey",
    "a non-breaking hyphen": "x\u2011api\u2011key",
    "a soft hyphen": "x-api\u00ad-key",
    "a zero-width space": "x-api\u200b-key",
    "a no-break space": "Host\u00a0",
    "a byte order mark": "\ufeffHost",
    "a right-to-left override": "\u202eHost",
    "a line separator": "Host\u2028",
    "a next-line control": "Host\u0085",
    "a combining accent": "Hos\u0301t",
    "a Cyrillic o": "H\u043est",
    "a Greek omicron": "H\u03bfst",
    "an Arabic digit": "b\u0663",
    "a mathematical letter": "\U0001d421ost",
    "a lone surrogate": "Host\ud800",
}


class TestIsToken:
    """`is_token`, the gate before every comparison."""

    def test_every_tchar_alone_is_a_token(self) -> None:
        """Each of the 77 characters of the RFC's grammar is a name by itself."""
        assert len(TCHAR) == 77
        assert [c for c in TCHAR if not is_token(c)] == []

    def test_no_other_character_is(self) -> None:
        """Of all of Unicode, surrogates and look-alikes included, nothing else is, alone or inside a name."""
        others = [chr(i) for i in range(0x110000) if chr(i) not in TCHAR]
        assert [c for c in others if is_token(c) or is_token(f"x{c}y")] == []

    @pytest.mark.parametrize("name", NOT_TOKENS.values(), ids=NOT_TOKENS)
    def test_nothing_is_trimmed_or_mapped_first(self, name: str) -> None:
        """A name that a lenient reader would repair into a token is none."""
        assert not is_token(name)


class TestFold:
    """`fold`, the form in which names are compared."""

    @pytest.mark.parametrize(
        ("name", "folded"),
        [
            ("X-Forwarded-For", "x-forwarded-for"),
            ("X_FORWARDED_FOR", "x-forwarded-for"),
            ("x_Forwarded-for", "x-forwarded-for"),
            ("X.Forwarded+For", "x-forwarded-for"),
            ("__", "--"),
            ("X-Tenant_*", "x-tenant--"),
        ],
    )
    def test_only_letters_in_any_case_and_digits_make_a_difference(self, name: str, folded: str) -> None:
        """Lower case, and every other character as `-`."""
        assert fold(name) == folded

    def test_every_tchar(self) -> None:
        """A folded name is a token of the same length, and folding it again changes nothing."""
        folded = fold(TCHAR)
        assert set(folded) == {"-", *string.digits, *string.ascii_lowercase}
        assert is_token(folded)
        assert len(folded) == len(TCHAR)
        assert fold(folded) == folded

    def test_no_look_alike_is_folded_into_ascii(self) -> None:
        """`str.lower` makes a k of the Kelvin sign; here every character outside ASCII stays what it is."""
        others = "".join(map(chr, range(0x80, 0x110000)))
        assert fold(others) == others


class TestPatterns:
    """Exact names and prefixes of names."""

    def test_a_trailing_star_makes_a_prefix(self) -> None:
        """Any other pattern is one exact name."""
        assert is_prefix("x-tenant-*")
        assert not is_prefix("x-tenant")
        assert not is_prefix("x-*-tenant")

    def test_an_exact_name_is_covered_by_itself_and_by_ever_shorter_prefixes(self) -> None:
        """Narrowest first, so that the first one found in a list is the entry that decides."""
        assert list(covering("x-a")) == ["x-a", "x-a*", "x-*", "x*"]

    def test_a_prefix_is_covered_by_prefixes_only(self) -> None:
        """No exact name matches all that a prefix matches."""
        assert list(covering("x-a*")) == ["x-a*", "x-*", "x*"]
