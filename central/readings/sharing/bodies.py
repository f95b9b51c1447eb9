"""What the routes of sharing have in common: forms of EANs and days, energy as it is told, limits of files."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel, Field

CODE: Final = "^[A-Za-z0-9._-]{1,50}$"
MOST_FILE: Final = 20_000_000
"""A month of 1,000 members by pairs; reading takes some fifty times as much memory."""
Ean = Annotated[str, Field(pattern="^[0-9]{18}$")]
First = Annotated[date, Query(alias="from", ge=date(1990, 1, 1), le=date(2400, 1, 1), description="first day")]
End = Annotated[date, Query(alias="to", ge=date(1990, 1, 1), le=date(2400, 1, 1), description="the day after the last")]


class LackOut(BaseModel):
    """Quarter-hours without a value, which share nothing, and the first day of them."""

    ean: str
    missing: int
    day: date


def in_kwh(hundredths: int) -> Decimal:
    """Hundredths as a decimal: 0.01 kWh in kWh, of a percent in percent."""
    return Decimal(hundredths).scaleb(-2)
