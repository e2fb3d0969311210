"""Where providers are: by host and port, an outbound call is known for a call to one, however its URL is spelled."""

import contextlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

_URL_ATTRIBUTES = ("url.full", "http.url")
_DEFAULT_PORTS = {"http": 80, "https": 443}

type Origin = tuple[str, int | None]
"""A host and a port, however a URL spells them."""

_by_provider: dict[str, frozenset[Origin]] = {}


def note_provider_urls(provider: str, urls: Iterable[str]) -> None:
    """Note the URLs that a provider's settings name: some of its calls may go to another one than `base_url`."""
    _by_provider[provider] = _origins(urls)


def of_provider(provider: str) -> frozenset[Origin]:
    """Return where a provider is by its settings; empty where nothing was noted."""
    return _by_provider.get(provider, frozenset())


@lru_cache(maxsize=4096)
def of_call(base_url: str, others: frozenset[Origin] = frozenset()) -> frozenset[Origin]:
    """Return where the calls go that are made with a `base_url`, or to one of the others."""
    return _origins([base_url]).union(others)


def of_span(span: trace.Span) -> Origin | None:
    """Return where a call goes by its span; None where the span does not name it."""
    attributes: Mapping[str, AttributeValue] = getattr(span, "attributes", None) or {}
    url = next((attributes[key] for key in _URL_ATTRIBUTES if key in attributes), None)
    return _origin(url) if isinstance(url, str) else None


def _origins(urls: Iterable[str]) -> frozenset[Origin]:
    return frozenset(origin for origin in map(_origin, urls) if origin is not None)


@lru_cache(maxsize=256)
def _origin(url: str) -> Origin | None:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    with contextlib.suppress(ValueError):
        host = ip_address(host).compressed
    return (host, port) if host else None
