"""Waiting for a condition with a deadline: the only way in which tests wait."""

import time
from collections.abc import Callable

_STEP_SECONDS = 0.05


def wait_until[T](
    condition: Callable[[], T], otherwise: str | Callable[[], str] = "the condition is not met", *, seconds: float = 60
) -> T:
    """Return the first truthy value of `condition`.

    Raises:
        AssertionError: there was none in time; with `otherwise`, which may describe the state then.

    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds:.0f} s: {otherwise if isinstance(otherwise, str) else otherwise()}"
            )
        time.sleep(_STEP_SECONDS)
    return value
