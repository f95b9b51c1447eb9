"""What the routes of gas have in common: rights, forms of days and texts, limits of a period."""

from datetime import date
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from central.platform.errors import BadInput
from central.platform.identity import Person, require

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern="^[^\\x00]+$")]
Sentence = Annotated[str, Field(min_length=1, max_length=500, pattern="^[^\\x00]+$")]
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2400, 1, 1))]
First = Annotated[date, Query(alias="from", ge=date(1990, 1, 1), le=date(2400, 1, 1), description="first gas day")]
End = Annotated[date, Query(alias="to", ge=date(1990, 1, 1), le=date(2400, 1, 1), description="the day after the last")]
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
LONGEST = 400
"""Gas days that are asked for at once."""


class Body(BaseModel):
    """A body that takes nothing but its fields."""

    model_config = ConfigDict(extra="forbid")


def check_period(first: date, end: date) -> None:
    if not 0 < (end - first).days <= LONGEST:
        raise BadInput("period", f"The period {first} to {end} must have 1 to {LONGEST} days; its end is exclusive.")


def require_text(given: str) -> str:
    if "\0" in given:
        raise BadInput("text", "A text cannot hold the character NUL.")
    return given
