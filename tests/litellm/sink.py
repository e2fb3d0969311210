"""A callback that writes what LiteLLM hands to those who log: as spend logs and observability tools get it."""

import os
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger


class Sink(CustomLogger):  # type: ignore[misc]
    """Writes each event to the file in `TESTS_LITELLM_SINK`."""

    def _write(self, kwargs: dict[str, Any]) -> None:
        payload = kwargs.get("standard_logging_object")
        request = kwargs.get("litellm_params", {}).get("proxy_server_request")
        metadata = kwargs.get("litellm_params", {}).get("metadata")
        with Path(os.environ["TESTS_LITELLM_SINK"]).open("a") as file:
            file.write(f"{payload!r} {request!r} {metadata!r}\n")

    async def async_log_success_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        """Write a call that succeeded."""
        self._write(kwargs)

    async def async_log_failure_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        """Write a call that failed."""
        self._write(kwargs)


sink = Sink()
