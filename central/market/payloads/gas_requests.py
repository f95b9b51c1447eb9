"""CDSGASREQ and CDSEDIGASREQ: what we ask the market operator for about gas supply points.

Documented are the formats and codes: GO7 asks for daily values of the actual consumption of metering C, GSK, GSN and
GSQ for the daily, monthly and yearly CBS evaluation. The layout follows the documented sibling RESREQ (assumed).
"""

from datetime import date
from typing import Final

import msgspec

from central.market.payloads.days import backward

FORMAT: Final = "CDSGASREQ"
EDIGAS_FORMAT: Final = "CDSEDIGASREQ"


class AskedGasPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A gas supply point by its EIC and the days asked about, the last one included."""

    opm: str
    first_day: date
    last_day: date


class GasRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a request (dotaz)."""

    locations: list[AskedGasPoint]


def problems(data: GasRequest) -> list[str]:
    """Days that run backward, one sentence each."""
    return [sentence for asked in data.locations for sentence in backward(f"The request for {asked.opm}", asked)]
