"""Names of the headers that LiteLLM's clients put on a call by themselves. Pure: imports no host."""

from collections.abc import Mapping

from ..client_headers import HTTP_CLIENT_NAMES, SIGNED_NAMES

_EVERY_PROVIDER = HTTP_CLIENT_NAMES | {"authorization", "content-type"}
# Besides names that the core blocklist stops in any case.
_OF_PROVIDERS: Mapping[str, frozenset[str]] = {
    "bedrock": frozenset(SIGNED_NAMES),
    "bedrock_converse": frozenset(SIGNED_NAMES),
    "black_forest_labs": frozenset({"x-key"}),
    "cohere": frozenset({"request-source"}),
    "cohere_chat": frozenset({"request-source"}),
    "github_copilot": frozenset(
        {
            "copilot-integration-id",
            "copilot-vision-request",
            "editor-plugin-version",
            "editor-version",
            "openai-intent",
            "x-github-api-version",
            "x-initiator",
            "x-interaction-type",
        }
    ),
    "novita": frozenset({"x-novita-source"}),
    "openrouter": frozenset({"http-referer", "x-title"}),
    "runwayml": frozenset({"x-runway-version"}),
    "sagemaker": frozenset(SIGNED_NAMES),
    "vertex_ai": frozenset({"x-goog-user-project"}),
}


def client_names(provider: str, *, organization: bool = False) -> frozenset[str]:
    """Return the names of the headers of every call to a provider.

    Args:
        provider: LiteLLM's name of it.
        organization: whether the deployment has the setting `organization`.

    """
    names = _EVERY_PROVIDER | _OF_PROVIDERS.get(provider, frozenset())
    return names | {"openai-organization"} if organization else names
