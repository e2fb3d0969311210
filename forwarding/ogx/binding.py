"""What one provider instance knows of its extra headers: its policy, from the moment the host tells it its id."""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from ..policy.entries import set_conflicts
from ..policy.errors import PolicyFinding
from ..policy.limits import more_than_the_server_takes
from ..policy.model import Policy, parse_policy, unusable
from .forwarder import Forwarder
from .host import Host

_log = logging.getLogger(__name__)


@cache
def _has_httptools() -> bool:
    return find_spec("httptools") is not None


class ProviderBinding:
    """What a provider's class knows of its extra headers: nothing, until the host tells the provider its id."""

    def __init__(  # noqa: PLR0913 - what differs between kinds of providers
        self,
        host: Host,
        provider_type: str,
        setting: object,
        other_headers: Mapping[str, str],
        *,
        make_forwarder: Callable[[Host, str, str, Policy], Any] = Forwarder,
        check: Callable[[Policy], list[PolicyFinding]] = lambda _: [],
    ) -> None:
        self._host = host
        self._provider_type = provider_type
        self._setting = setting
        self._other_headers = other_headers
        self.provider_id: str | None = None
        self._make_forwarder = make_forwarder
        self._check = check
        self.forwarder: Any = None

    def bind(self, provider_id: str) -> None:
        """Take the provider's id, check its policy and start to forward.

        Raises:
            PolicyError: the policy is unusable; the server does not start.

        """
        subject = f"provider {provider_id!r} ({self._provider_type})"
        policy = parse_policy(self._setting, subject)
        if findings := [*set_conflicts(self._other_headers, policy.set), *self._check(policy)]:
            raise unusable(subject, findings)
        self.provider_id = provider_id
        if policy.enabled:
            if not _has_httptools() and (message := more_than_the_server_takes(policy.limits)) is not None:
                _log.warning("extra_headers: %s: %s", subject, message)
            self._host.install_hook()
            self.forwarder = self._make_forwarder(self._host, provider_id, self._provider_type, policy)
