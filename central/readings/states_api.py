"""A register state as routes give it."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field


class StateOut(BaseModel):
    """One register state; value is the meter's integer in unit x 10^exponent, factor turns it into the channel's."""

    channel: int
    evidence_channel: int
    concentrator: str
    meter: str
    register_: Annotated[str, Field(alias="register")]
    at: datetime
    value: int
    unit: str
    exponent: int
    factor: int
    quality: int
    batch: int | None
    """Of a remote state."""
    kind: str
    entry: int | None
    """Of a state that was entered."""
    rolled_over: bool
    locked_by: str | None
