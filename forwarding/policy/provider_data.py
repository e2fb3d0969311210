"""The JSON around the extra headers: what a decoder that keeps the last of two equal keys would hide.

Pure functions over strings. The host decodes provider data with the last key winning; a proxy or log in front of it may
have read the first. So equal keys are kept here, for the evaluation to call them duplicates.
"""

import json
from collections import Counter
from collections.abc import Mapping

JSON_WHITE_SPACE = " \t\n\r"
"""RFC 8259 section 2: less than `str.strip` takes away by itself."""

NOT_AN_OBJECT = "no JSON object"
"""In place of headers that cannot be read; any policy takes it for a malformed envelope."""


class RepeatedKeys(dict[str, object]):
    """A decoded JSON object that has equal keys. As a dict, the last one wins; `pairs` holds every one."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = tuple(pairs)
        counts = Counter(key for key, _ in pairs)
        self.repeated = frozenset(key for key, count in counts.items() if count > 1)


def decode_object(text: str) -> Mapping[str, object] | None:
    """Decode a JSON object, keeping equal keys as `RepeatedKeys`.

    Returns:
        The object; None where `text` is no JSON, no object, or nested or sized beyond what the decoder takes.

    """
    try:
        decoded = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def headers_in(provider_data: Mapping[str, object] | None, key: str) -> object | None:
    """Return the extra headers under `key` of what `decode_object` returned; None where there are none.

    Where they cannot be read, the answer is an object that is no mapping.
    """
    if provider_data is None:
        return NOT_AN_OBJECT
    # Of two equal keys, a proxy in front may have read the first and a decoder here kept the last.
    if isinstance(provider_data, RepeatedKeys) and key in provider_data.repeated:
        return NOT_AN_OBJECT
    value = provider_data.get(key)
    return None if value is None or value == {} else value


def _refuse(constant: str) -> object:
    # RFC 8259 section 6. A NaN equals nothing, so the host's decoding and this one could not be compared.
    raise ValueError(f"{constant} is no JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    decoded = dict(pairs)
    return decoded if len(decoded) == len(pairs) else RepeatedKeys(pairs)
