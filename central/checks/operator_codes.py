"""The main distributors, and how codes of supply points (EAN, EIC) tell them: data, marked by how sure they are."""

from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

_FILE: Final = Path(__file__).with_name("operator_codes.json")


class MainOperator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A main distributor of a commodity: with what the codes of its points begin, and what a party is known by."""

    name: str
    commodity: Literal["electricity", "gas"]
    prefixes: tuple[str, ...]
    ean13: tuple[str, ...]
    ico: tuple[str, ...]
    mark: Literal["documented", "inferred", "assumed"]

    def is_party(self, ean13: str | None, ico: str | None) -> bool:
        """Whether a party with this EAN and company number (IČO) is this distributor."""
        return ean13 in self.ean13 or ico in self.ico


class _Codes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    operators: tuple[MainOperator, ...]


@cache
def main_operators() -> tuple[MainOperator, ...]:
    """Those whose codes decide; a party or a code is named by its place here."""
    return msgspec.json.decode(_FILE.read_bytes(), type=_Codes).operators


def prefixes() -> list[tuple[str, str, int]]:
    """Commodity, beginning of a code, and place of the operator; longer ones first, since they say more."""
    found = [
        (operator.commodity, prefix, place)
        for place, operator in enumerate(main_operators())
        for prefix in operator.prefixes
    ]
    return sorted(found, key=lambda each: (-len(each[1]), each[1]))
