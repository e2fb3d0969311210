"""What an openai client sends on every call without any caller: the names that no caller may override."""

from openai import AsyncOpenAI, Omit, OpenAI

# Headers that a signing HTTP client (OCI's, say) computes and signs, or takes as given where they are there already.
SIGNED_NAMES = ("date", "x-date", "digest", "content-digest", "x-content-sha256", "signature", "signature-input")


def client_header_names(client: OpenAI | AsyncOpenAI) -> frozenset[str]:
    """Return the names of the headers that `client` and the HTTP client beneath it send on every call.

    Unset ones (`openai-organization`, `openai-project`) are not sent and so not among them.
    """
    sent = {**client.auth_headers, **client.default_headers}
    own = {name for name, value in sent.items() if not isinstance(value, Omit)}
    # The SDK has no public name for the HTTP client that it was given; headers set there are the operator's too.
    http_client = client._client  # noqa: SLF001
    return frozenset(own.union(http_client.headers, SIGNED_NAMES if http_client.auth is not None else ()))
