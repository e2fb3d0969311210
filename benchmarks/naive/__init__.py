"""The upstream proposal done naively: the caller's headers are set on the client of the call; no policy, no record."""

from typing import Any

from ogx.providers.remote.inference.vllm import VLLMInferenceAdapterConfig, VLLMProviderDataValidator
from ogx.providers.remote.inference.vllm.vllm import VLLMInferenceAdapter
from openai import AsyncOpenAI


class ProviderData(VLLMProviderDataValidator):  # type: ignore[misc]
    """vLLM's, with the proposal's field."""

    vllm_extra_headers: dict[str, str] | None = None


class Adapter(VLLMInferenceAdapter):  # type: ignore[misc]
    """vLLM's, which sends the field's headers."""

    @property
    def client(self) -> AsyncOpenAI:
        """The provider's client; a copy of it where the caller sends headers."""
        client: AsyncOpenAI = super().client
        sent = self.get_request_provider_data()
        headers = sent.vllm_extra_headers if isinstance(sent, ProviderData) else None
        return client.with_options(default_headers=headers) if headers else client


async def get_adapter_impl(config: VLLMInferenceAdapterConfig, _deps: Any) -> Adapter:
    """Return the started provider: the host calls this."""
    provider = Adapter(config=config)
    await provider.initialize()
    return provider
