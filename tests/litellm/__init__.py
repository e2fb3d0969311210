"""LiteLLM as the host: a real proxy in front of a provider that records bytes. Run by `make test-litellm`."""
