"""How much a caller may send for one provider."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

SERVER_BYTES = 16 * 1024
"""Of the head of a request. uvicorn, on which all hosts run, parses with h11 unless httptools is installed; and h11
refuses a larger head if it does not arrive in one read, so by chance."""
# The request line, the name of the header and the caller's other headers: its Authorization above all.
_OTHER_BYTES = 3840
_QUOTES_AND_COMMAS = len('"": "", ')


class Limits(BaseModel, frozen=True):
    """How much a caller may send. A header beyond a limit is malformed. Nothing is truncated."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    max_headers: Annotated[StrictInt, Field(ge=1, le=1024, description="Extra headers in one request.")] = 32
    max_name_bytes: Annotated[StrictInt, Field(ge=1, le=1024, description="Length of one field name in bytes.")] = 128
    max_value_bytes: Annotated[StrictInt, Field(ge=1, le=65536, description="Length of one field value in bytes.")] = (
        4096
    )
    max_total_bytes: Annotated[
        StrictInt,
        Field(ge=1, le=131072, description="Length of the names and values of all headers that would pass, in bytes."),
    ] = 6144

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.max_value_bytes > self.max_total_bytes:
            # No number in any message: it may come from a variable, of which nothing is shown.
            raise ValueError(
                "max_value_bytes is larger than max_total_bytes, so it can never be reached; lower the one or raise "
                "the other"
            )
        return self

    @property
    def request_bytes(self) -> int:
        """The size of the largest head of a request within these limits, if JSON escapes every character."""
        return 2 * self.max_total_bytes + _QUOTES_AND_COMMAS * self.max_headers + _OTHER_BYTES


def more_than_the_server_takes(limits: Limits) -> str | None:
    """Return what is wrong with limits that promise more than the server lets pass; None for nothing."""
    if limits.request_bytes <= SERVER_BYTES:
        return None
    fitting = Limits()
    return (
        f"limits: the server refuses some requests with more than {SERVER_BYTES} bytes of headers (uvicorn, with h11); "
        f"lower max_total_bytes ({fitting.max_total_bytes} fits with max_headers: {fitting.max_headers}), or install "
        "httptools"
    )
