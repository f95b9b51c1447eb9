"""To how many decimal places other distributors round their unit prices: data, each with what it stands on."""

from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

_FILE: Final = Path(__file__).with_name("rounding.json")


class IssuerRounding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decimal places of an issuer's prices by the number of the rate, in the unit of the message."""

    issuer: str
    name: str
    places: dict[str, int]
    source: str
    mark: Literal["documented", "inferred", "assumed"]


class Rounding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The issuers whose rounding is known."""

    issuers: list[IssuerRounding]


@cache
def rounding() -> Rounding:
    """As it ships."""
    return msgspec.json.decode(_FILE.read_bytes(), type=Rounding)
