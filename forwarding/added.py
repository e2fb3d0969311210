"""What the add-on adds to one call to a provider, and how it goes together with what the call carries anyway.

Pure: names and values, no policy, host or client.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from extra_headers.forwarding.names import fold


@dataclass(frozen=True, slots=True)
class AddedHeaders:
    """The caller's headers that pass, and those that the server sets. Shows no value."""

    callers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """None of them is one that the call carries anyway, under any spelling."""
    server_set: Mapping[str, str] = field(default_factory=dict, repr=False)

    def beside(self, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return these headers and a call's own, which give way to those that the server sets, in any spelling."""
        server_set = {fold(name) for name in self.server_set}
        kept = {name: value for name, value in (own or {}).items() if fold(name) not in server_set}
        return {**self.callers, **kept, **self.server_set}

    def spelled_as(self, own: Iterable[str]) -> Self:
        """Return these headers for a client that merges them into its own by exact name.

        Args:
            own: names of the headers that the client has. One that the server sets, too, is set as spelled there.

        """
        if not self.server_set:
            return self
        spellings: dict[str, list[str]] = {}
        for name in own:
            spellings.setdefault(fold(name), []).append(name)
        items = self.server_set.items()
        respelled = {spelling: value for name, value in items for spelling in spellings.get(fold(name), [name])}
        return replace(self, server_set=respelled)
