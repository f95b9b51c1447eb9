"""CDSREQ: what we ask the market operator for."""

from datetime import date
from typing import Final

import msgspec

FORMAT: Final = "CDSREQ"


class AskedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A supply point and the days asked about, the last one included; of one direction (A+, ...) or of all."""

    opm: str
    first_day: date
    last_day: date
    direction: str | None = None
    version: int | None = None


class DataRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a request (dotaz na data)."""

    locations: list[AskedPoint]
