"""What the control plane answers."""


class ModelCollection:
    """A list of models: none."""

    def __init__(self) -> None:
        self.items: list[object] = []
