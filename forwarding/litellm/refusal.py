"""Refusals in LiteLLM's own error form, which it neither retries nor counts against the deployment."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from litellm.exceptions import GuardrailRaisedException
from litellm.router_utils.cooldown_handlers import mark_advisor_orchestration_failure

from ..policy.decision import RejectedError

_log = logging.getLogger(__name__)


class RefusedError(GuardrailRaisedException):  # type: ignore[misc]
    """A request is refused before anything is sent to a provider.

    LiteLLM answers a guardrail's exception with its status code, and does not try another time or another model.
    """

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__("extra_headers", message, should_wrap_with_default_message=False, status_code=status_code)
        # What a caller sent says nothing of the deployment. LiteLLM would count it among the deployment's failures,
        # of which a share leads to a cooldown; of an exception with this mark it does not.
        mark_advisor_orchestration_failure(self)


def refused(error: RejectedError) -> RefusedError:
    """Return the exception to raise in a hook for a request that the policy rejects."""
    return RefusedError(str(error), error.status_code)


@contextmanager
def failing_closed() -> Iterator[None]:
    """Refuse the request, with status 500, if the code within fails for another reason.

    The exception itself is logged without its message, which could show a value.
    """
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:
        place = _innermost(error)
        _log.error(
            "extra_headers: deciding on a request failed, nothing was sent: %s in %s", type(error).__name__, place
        )
        raise RefusedError("extra headers could not be decided on, nothing was sent to the provider", 500) from None


def _innermost(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "unknown" if traceback is None else f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
