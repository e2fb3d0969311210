"""Which headers a provider's outbound call carries without a caller, told from its run config alone.

The names that no caller may override. The running server asks the client itself; here a like one is made, with a
made-up key.
"""

from dataclasses import dataclass
from importlib.metadata import version

from openai import AsyncOpenAI

from ..client_headers import GENAI_NAMES, SIGNED_NAMES, client_header_names
from .providers import Provider

_GENAI_TYPE = "remote::vertexai"
# What its client says that it sends; importing it to ask would need the SDK, and a project.
_GENAI_CLIENT_NAMES = frozenset({"content-type", "user-agent", "x-goog-api-client"})
# An HTTP client that signs each request.
_SIGNING_TYPES = ("remote::oci", "remote::bedrock")


@dataclass(frozen=True, slots=True)
class Carried:
    """Names that one party puts on every call."""

    by: str
    """Who, for people."""
    names: frozenset[str]


def carried_names(provider: Provider) -> list[Carried]:
    """Return what the calls of a provider carry."""
    if provider.type.value == _GENAI_TYPE:
        sdk = Carried("Google's SDK", GENAI_NAMES | _GENAI_CLIENT_NAMES)
    else:
        sdk = Carried(f"the openai {version('openai')} client", _openai_names())
    carried = [sdk]
    if provider.type.value in _SIGNING_TYPES:
        carried.append(Carried("the request signer", frozenset(SIGNED_NAMES)))
    if provider.network_headers:
        carried.append(Carried("network.headers", frozenset(provider.network_headers)))
    return carried


def _openai_names() -> frozenset[str]:
    return client_header_names(AsyncOpenAI(api_key="made-up", base_url="http://127.0.0.1"))
