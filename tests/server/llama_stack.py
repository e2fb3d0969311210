"""llama-stack, OGX under its earlier name, as a server like OGX: what it starts with and how its run config differs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, override

from extra_headers.forwarding.testing.processes import HostServer, run_config


class LlamaStackServer(HostServer):
    """A llama-stack server that runs while the `with` block does."""

    distribution = "llama-stack"
    package = "llama_stack"
    program = ("llama", "stack", "run")

    @override
    def __init__(self, config: Mapping[str, Any], directory: Path, **options: Any) -> None:
        # Its command takes no port from the run config.
        port = {"LLAMA_STACK_PORT": str(config["server"]["port"])}
        super().__init__(
            config, directory, **{**options, "environment": {**port, **(options.get("environment") or {})}}
        )


def llama_stack_run_config(providers: Sequence[Mapping[str, Any]], directory: Path, port: int) -> dict[str, Any]:
    """Return OGX's run config as llama-stack takes it: without Anthropic Messages."""
    config = run_config(providers, directory, port)
    del config["providers"]["messages"]
    config["apis"].remove("messages")
    return config
