"""What the host reads of `module: benchmarks.naive`."""

from ogx_api import Api, RemoteProviderSpec


def get_provider_spec() -> RemoteProviderSpec:
    """Return the provider as the host is to load it."""
    return RemoteProviderSpec(
        api=Api.inference,
        adapter_type="vllm",
        provider_type="remote::vllm",
        module="benchmarks.naive",
        config_class="ogx.providers.remote.inference.vllm.VLLMInferenceAdapterConfig",
        provider_data_validator="benchmarks.naive.ProviderData",
    )
