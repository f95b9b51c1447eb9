"""CDSREQ: what we ask the market operator for: profiles (XR1) or master data (XR3) of supply points."""

from datetime import date
from typing import Final

import msgspec

from central.market.payloads.days import backward

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


def problems(data: DataRequest) -> list[str]:
    """Days that run backward, one sentence each."""
    return [sentence for asked in data.locations for sentence in backward(f"The request for {asked.opm}", asked)]
