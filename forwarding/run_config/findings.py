"""One thing to report to the operator about a run config. Everything in it may be printed."""

from dataclasses import dataclass
from enum import StrEnum

from .environment import KeyPath, shown
from .providers import Provider, RunConfig


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The server does not start, or a setting does something else than it says."""
    WARNING = "warning"
    """It works, and is probably not intended."""
    NOTE = "note"
    """It is worth knowing, and not a fault."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to report."""

    level: Level
    line: int
    provider: str | None
    message: str


def finding_at(config: RunConfig, path: KeyPath, provider: Provider | None, level: Level, message: str) -> Finding:
    """Return a finding on the line of a path, about a provider or about the whole file."""
    return Finding(level, config.document.line_of(path), shown(provider.id) if provider else None, message)
