"""The provider types of OGX that extra headers work on: those of its remote inference providers.

Written down, since the commands work without OGX; a test compares the list with OGX's registry.
"""

REMOTE_INFERENCE_TYPES = frozenset(
    f"remote::{name}"
    for name in (
        "anthropic",
        "azure",
        "bedrock",
        "cerebras",
        "databricks",
        "deepseek",
        "fireworks",
        "gemini",
        "groq",
        "llama-cpp-server",
        "llama-openai-compat",
        "meta",
        "mistral",
        "nvidia",
        "oci",
        "ollama",
        "openai",
        "passthrough",
        "runpod",
        "sambanova",
        "text-embeddings-inference",
        "together",
        "vertexai",
        "vllm",
        "watsonx",
    )
)
