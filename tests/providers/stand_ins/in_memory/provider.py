"""What the host loads for `module: in_memory`."""

from ogx_api import Api, InlineProviderSpec


def get_provider_spec() -> list[InlineProviderSpec]:
    """Return both."""
    needs = {Api.vector_io: [Api.inference, Api.files, Api.file_processors], Api.file_processors: [Api.files]}
    return [
        InlineProviderSpec(
            api=api,
            provider_type=f"inline::{api.value}-in-memory",
            module="in_memory",
            config_class="in_memory.Config",
            api_dependencies=dependencies,
        )
        for api, dependencies in needs.items()
    ]
