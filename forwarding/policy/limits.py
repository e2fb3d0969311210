"""How much a caller may send for one provider."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator


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
    ] = 16384

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.max_value_bytes > self.max_total_bytes:
            raise ValueError(
                f"max_value_bytes ({self.max_value_bytes}) is larger than max_total_bytes ({self.max_total_bytes}), so "
                "it can never be reached; lower the one or raise the other"
            )
        return self
