"""Where a caller's extra headers come from: provider data, plain request headers, and both together.

Pure functions. A host decodes provider data with the last of two equal keys winning; a proxy or log in front of it may
have read the first. So equal keys are kept here, for the evaluation to call them duplicates.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

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


def with_every_pair(headers: Mapping[str, object]) -> dict[str, object]:
    """Return a mapping of another kind as a decoded JSON object: the headers of HTTP libraries have equal keys, too."""
    return _object(list(getattr(headers, "multi_items", headers.items)()))


def read_fields(provider_data: Mapping[str, object], fields: Iterable[str]) -> Mapping[str, object | None]:
    """Return what `headers_in` says of each of the fields that `provider_data` has: all that a request need keep."""
    return {key: headers_in(provider_data, key) for key in fields if key in provider_data}


def unread_fields(provider_data: Mapping[str, object] | None, fields: Collection[str]) -> list[str]:
    """Return the keys that are meant for extra headers and are not among the `fields` that some provider reads."""
    return [
        key
        for key in provider_data or ()
        if key not in fields and (key.endswith("_extra_headers") or key == "extra_headers")
    ]


def taken_from_request(plain: Iterable[tuple[str, str]], from_request: Mapping[str, str]) -> object | None:
    """Return the plain request headers that a policy takes up, under the names to send; None where there are none.

    Args:
        plain: names in lower case and values of a request's headers, in order of arrival.
        from_request: the policy's, names received in lower case.

    """
    return merged([(from_request[name], value) for name, value in plain if name in from_request])


def merged(pairs: Sequence[tuple[str, object]], *sources: object | None) -> object | None:
    """Return the extra headers of one request from all their sources, to be evaluated together; None for none.

    Equal names are kept. If one of the sources cannot be read, neither can the whole.

    Args:
        pairs: names and values.
        sources: further ones, each a decoded JSON object; None for a source without headers.

    """
    given = [source for source in sources if source is not None]
    if not pairs and len(given) <= 1:
        return given[0] if given else None
    together = list(pairs)
    for source in given:
        if not isinstance(source, Mapping):
            return NOT_AN_OBJECT
        together += source.pairs if isinstance(source, RepeatedKeys) else source.items()
    return RepeatedKeys(together) if together else None


def names_of(headers: object | None) -> tuple[str, ...]:
    """Return the names of headers that `taken_from_request` returned, each once."""
    return tuple(headers) if isinstance(headers, Mapping) else ()


def _refuse(constant: str) -> object:
    # RFC 8259 section 6. A NaN equals nothing, so the host's decoding and this one could not be compared.
    raise ValueError(f"{constant} is no JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    decoded = dict(pairs)
    return decoded if len(decoded) == len(pairs) else RepeatedKeys(pairs)
