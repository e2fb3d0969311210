"""`decode_object`: the JSON around the headers, with the equal keys that other decoders hide."""

import pytest

from extra_headers.forwarding.policy.provider_data import RepeatedKeys, decode_object

OBJECTS = {
    "an empty object": ("{}", {}),
    "white space around": (' \t\r\n{"X-A": "1"}\n', {"X-A": "1"}),
    "other types": (
        '{"a": null, "b": true, "c": -1.5e3, "d": ["x"], "e": {}}',
        {"a": None, "b": True, "c": -1500.0, "d": ["x"], "e": {}},
    ),
    "escapes": ('{"X\\u002dA": "\\u00e9\\n"}', {"X-A": "\xe9\n"}),
    "an empty key": ('{"": ""}', {"": ""}),
    "a lone surrogate": ('{"\\ud800": "\\udc00"}', {"\ud800": "\udc00"}),
    "a surrogate pair": ('{"k": "\\ud83d\\udd11"}', {"k": "\U0001f511"}),
    "a special key of other languages": ('{"__proto__": {"x": 1}}', {"__proto__": {"x": 1}}),
    "keys that differ in case": ('{"a": 1, "A": 2}', {"a": 1, "A": 2}),
    "a number too large for a float": ('{"a": 1e999}', {"a": float("inf")}),
}


@pytest.mark.parametrize(("text", "expected"), OBJECTS.values(), ids=OBJECTS)
def test_an_object_is_decoded(text: str, expected: dict[str, object]) -> None:
    """As the standard decoder does, into a plain dict."""
    decoded = decode_object(text)
    assert decoded == expected
    assert type(decoded) is dict


@pytest.mark.parametrize("text", ["", "  ", "null", "[]", '{"a": NaN}'])
def test_anything_else_is_none(text: str) -> None:
    """No exception for any text: the evaluation calls it a malformed envelope. The attack corpus has many more.

    NaN and the infinities are no JSON (RFC 8259 section 6), and a NaN, unequal to itself, would hide from a comparison
    that two decoders read the same text.
    """
    assert decode_object(text) is None


class TestRepeatedKeys:
    """Equal keys of one object."""

    def test_are_all_kept_in_order(self) -> None:
        """Every pair as written, and which keys stand more than once."""
        decoded = decode_object('{"a": 1, "b": 2, "a": 3, "a": 1}')
        assert isinstance(decoded, RepeatedKeys)
        assert decoded.pairs == (("a", 1), ("b", 2), ("a", 3), ("a", 1))
        assert decoded.repeated == {"a"}

    def test_read_as_a_dict_the_last_one_wins(self) -> None:
        """So it equals what the host's own decoder makes of the text."""
        assert decode_object('{"a": 1, "b": 2, "a": 3}') == {"a": 3, "b": 2}

    def test_are_equal_after_unescaping(self) -> None:
        """An escape does not hide one."""
        decoded = decode_object('{"X-A": 1, "\\u0058-A": 2}')
        assert isinstance(decoded, RepeatedKeys)
        assert decoded.repeated == {"X-A"}

    def test_are_kept_at_every_depth(self) -> None:
        """The extra headers are one object inside the provider data."""
        decoded = decode_object('{"vllm_extra_headers": {"a": 1, "a": 2}, "list": [{"b": 1, "b": 1}]}')
        assert decoded is not None
        assert type(decoded) is dict
        inner, listed = decoded["vllm_extra_headers"], decoded["list"]
        assert isinstance(inner, RepeatedKeys)
        assert isinstance(listed, list)
        assert isinstance(listed[0], RepeatedKeys)

    def test_keys_equal_only_after_folding_are_the_evaluations_business(self) -> None:
        """JSON keys are compared as they are."""
        assert type(decode_object('{"X-A": 1, "x-a": 2, "X_A": 3}')) is dict

    def test_thousands_are_decoded(self) -> None:
        """No cost beyond one look at each."""
        decoded = decode_object("{" + ",".join(['"a": 1'] * 20_000) + "}")
        assert isinstance(decoded, RepeatedKeys)
        assert len(decoded.pairs) == 20_000
