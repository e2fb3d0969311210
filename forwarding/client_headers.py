"""What the add-on needs of openai's clients: the names that they send without any caller, and copies of them.

Does not load openai, which takes a second: whoever has a client has loaded it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

# Headers that a signing HTTP client (OCI's, say) computes and signs, or takes as given where they are there already.
SIGNED_NAMES = ("date", "x-date", "digest", "content-digest", "x-content-sha256", "signature", "signature-input")

# What every httpx client sends of itself, and what the native Anthropic Messages path adds to each call. Names of the
# core blocklist need not be here: those that cannot be lifted are blocked in any case.
HTTP_CLIENT_NAMES = frozenset({"accept", "accept-encoding", "connection", "user-agent", "anthropic-version"})
# The same for Google's SDK, in addition to what its client declares.
GENAI_NAMES = HTTP_CLIENT_NAMES | {"x-goog-user-project", "x-server-timeout"}


def client_header_names(client: "OpenAI | AsyncOpenAI") -> frozenset[str]:
    """Return the names of the headers that `client` and the HTTP client beneath it send on every call.

    Unset ones (`openai-organization`, `openai-project`) are not sent and are left out.
    """
    from openai import Omit  # noqa: PLC0415 - see above

    sent = {**client.auth_headers, **client.default_headers}
    own = {name for name, value in sent.items() if not isinstance(value, Omit)}
    # The SDK has no public name for the HTTP client that it was given; headers set there are the operator's too.
    http_client = client._client  # noqa: SLF001
    return frozenset(own.union(http_client.headers, SIGNED_NAMES if http_client.auth is not None else ()))


def copy_of[Client: (OpenAI, AsyncOpenAI)](client: Client, **changes: Any) -> Client:
    """Return a copy of `client` with other options, which shares its connections and is as quick to use."""
    made = client.with_options(**changes)
    # A new client would first ask for the platform that it sends, in a thread, which takes longer than all else that is
    # done to the call. The SDK has no public name for what it then knows.
    made._platform = client.platform_headers().get("X-Stainless-OS")  # type: ignore[assignment]  # noqa: SLF001
    return made
