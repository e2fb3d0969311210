"""The start of the callback in a proxy: every policy is checked, and what cannot be controlled is warned of."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from .assistants import control_assistants
from .cookies import keep_no_cookies
from .deployments import Deployments
from .hooks import ExtraHeadersCallback
from .passthrough import control_pass_through
from .settings import checked, entries
from .warnings import warnings_of

_log = logging.getLogger(__name__)


class UnsupportedHostError(RuntimeError):
    """The callback was loaded by something that is not a LiteLLM proxy."""


def start_callback() -> ExtraHeadersCallback:
    """Return the callback of the running proxy.

    Raises:
        PolicyError: a policy is unusable; the proxy does not start.
        UnsupportedHostError: there is no proxy.

    """
    proxy: Any = sys.modules.get("litellm.proxy.proxy_server")
    if proxy is None:
        raise UnsupportedHostError(
            "extra_headers.forwarding.litellm.callback was loaded outside a LiteLLM proxy; it is meant for "
            "`litellm_settings: {callbacks: [extra_headers.forwarding.litellm.callback]}` in the proxy's config.yaml"
        )
    config: Mapping[str, Any] = proxy.proxy_config.get_config_state()
    deployments = Deployments(checked(config))
    for entry in entries(config):
        deployments.declare(entry)
    for _, warning in warnings_of(config):
        _log.warning("extra_headers: %s", warning)
    callback = ExtraHeadersCallback(deployments)
    keep_no_cookies()
    control_assistants()
    control_pass_through(callback.decide_on_pass_through)
    return callback
