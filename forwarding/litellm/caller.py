"""What a caller of the proxy sent that LiteLLM would turn into headers of the call to the provider.

Pure: reads and changes the request's data, knows no policy.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from ..policy.field_names import normalize_name
from ..policy.provider_data import NOT_AN_OBJECT, RepeatedKeys

PLAIN = "headers"
"""Plain request headers that LiteLLM would forward, or a field of that name in the body."""
BODY = "extra_headers"
SCOPED = "provider_specific_header"
"""Headers for some providers only."""
AS_HEADERS: Mapping[str, str] = {"organization": "OpenAI-Organization", "api_key": "Authorization"}
"""Fields of the body from which LiteLLM's clients make a header, and the header."""
HEADER_FIELDS = (PLAIN, BODY, SCOPED, "organization")
"""Fields whose value in a call is never the caller's."""
FIELDS = (PLAIN, BODY, SCOPED, *AS_HEADERS)
"""All fields of the request's data that lead to headers of the call."""

REDACTED = "[redacted]"


type Pairs = list[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class CallerHeaders:
    """The caller's extra headers, wherever in the request they are. Shows no value."""

    fields: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The fields of the request's data that can contain any."""

    def __bool__(self) -> bool:
        return bool(self.fields)

    @classmethod
    def in_data(cls, data: Mapping[str, object]) -> "CallerHeaders":
        """Return the headers in a request's data."""
        return cls({name: value for name in FIELDS if (value := data.get(name)) is not None and value != {}})

    def without(self, names: tuple[str, ...]) -> "CallerHeaders":
        """Return the headers but for those in some fields."""
        return CallerHeaders({name: value for name, value in self.fields.items() if name not in names})

    def with_unreadable(self, names: Iterable[str]) -> "CallerHeaders":
        """Return the headers with fields that nobody can read."""
        return CallerHeaders({**self.fields, **dict.fromkeys(names, NOT_AN_OBJECT)})

    def without_equal(self, own: Mapping[str, object]) -> "CallerHeaders":
        """Return the headers but for what the operator's configuration says as well, field by field."""
        left: dict[str, object] = {}
        for name, value in self.fields.items():
            configured = own.get(name)
            if isinstance(value, Mapping) and isinstance(configured, Mapping):
                differing = {key: each for key, each in value.items() if configured.get(key) != each}
                if differing:
                    left[name] = differing
            elif value != configured:
                left[name] = value
        return CallerHeaders(left)

    def for_provider(self, provider: str) -> object | None:
        """Return the headers for one of LiteLLM's providers, as an evaluation takes them; None where there are none.

        Where they cannot be read, the answer is an object that is not a mapping.
        """
        pairs: Pairs = []
        for name, value in self.fields.items():
            if name in AS_HEADERS:
                pairs.append((AS_HEADERS[name], value))
            elif name == SCOPED:
                scoped = _scoped_to(provider, value)
                if scoped is None:
                    return NOT_AN_OBJECT
                pairs += scoped
            elif isinstance(value, Mapping):
                pairs += value.items()
            else:
                return NOT_AN_OBJECT
        if not pairs:
            return None
        headers = dict(pairs)
        return headers if len(headers) == len(pairs) else _without_copies(pairs)

    def names(self) -> set[str]:
        """Return the normalized names of the plain and scoped headers."""
        found: set[str] = set()
        for name in (PLAIN, SCOPED):
            value = self.fields.get(name)
            parts = value if isinstance(value, list | tuple) else [value]
            for part in parts:
                headers = part.get("extra_headers") if name == SCOPED and isinstance(part, Mapping) else part
                if isinstance(headers, Mapping):
                    found |= {normalize_name(key) for key in headers if isinstance(key, str)}
        return found


def _scoped_to(provider: str, value: object) -> Pairs | None:
    """Return the headers of `provider_specific_header` that are for a provider; None where they cannot be read."""
    pairs: Pairs = []
    for part in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(part, Mapping):
            return None
        providers, headers = part.get("custom_llm_provider", ""), part.get("extra_headers", {})
        if not isinstance(providers, str) or not isinstance(headers, Mapping):
            return None
        if provider in (each.strip() for each in providers.split(",")):
            pairs += headers.items()
    return pairs


def _without_copies(pairs: Pairs) -> dict[str, object]:
    """Return pairs with equal names as an evaluation takes them.

    LiteLLM itself puts one line of the request into two of the fields: an `anthropic-beta`, say. Such copies are equal
    in name and value, and count once.
    """
    distinct = list(dict.fromkeys(pairs)) if all(_is_hashable(value) for _, value in pairs) else pairs
    headers = dict(distinct)
    return headers if len(headers) == len(distinct) else RepeatedKeys(distinct)


def _is_hashable(value: object) -> bool:
    return isinstance(value, str | int | float | bool | None)


def redact_copies(data: MutableMapping[str, Any], caller: CallerHeaders, nested: Collection[str]) -> None:
    """Overwrite the values of a caller's headers in the copies of the request that LiteLLM keeps for its logs.

    Args:
        data: of the request.
        caller: the headers.
        nested: names of other fields that had some.

    """
    request = data.get("proxy_server_request")
    if isinstance(request, dict):
        body = request.get("body")
        if isinstance(body, dict):
            request["body"] = {
                key: REDACTED if key in FIELDS or key in nested else value for key, value in body.items()
            }
    names = caller.names()
    if not names:
        return
    copies = [data.get("metadata"), data.get("litellm_metadata")]
    copies += [each.get("requester_metadata") for each in copies if isinstance(each, dict)]
    for holder in (request, *copies):
        if isinstance(holder, dict) and isinstance(headers := holder.get("headers"), Mapping):
            holder["headers"] = dict(_redacted(headers, names))


def _redacted(headers: Mapping[Any, Any], names: set[str]) -> Iterator[tuple[Any, Any]]:
    for name, value in headers.items():
        yield name, REDACTED if normalize_name(str(name)) in names else value


def redact_call(details: object) -> None:
    """Overwrite the values of headers in what LiteLLM notes of a call for its callbacks; the call itself keeps them."""
    arguments = details.get("additional_args") if isinstance(details, dict) else None
    sent = arguments.get("complete_input_dict") if isinstance(arguments, Mapping) else None
    if isinstance(details, dict) and isinstance(arguments, Mapping) and isinstance(sent, Mapping) and BODY in sent:
        shown = {name: _names_alone(value) if name == BODY else value for name, value in sent.items()}
        details["additional_args"] = {**arguments, "complete_input_dict": shown}


def _names_alone(headers: object) -> object:
    return dict.fromkeys(headers, REDACTED) if isinstance(headers, Mapping) else REDACTED
