"""Lists models; the real one makes calls of its own, which carry no caller's headers."""

from types import SimpleNamespace

from .models import ModelCollection


class GenerativeAiClient:
    """The client that the provider lists models with."""

    def __init__(self, **_: object) -> None:
        pass

    def list_models(self, **_: object) -> SimpleNamespace:
        """Return the models of a compartment."""
        return SimpleNamespace(data=ModelCollection())
