"""CSV of the portal of EDC (Elektroenergetické datové centrum): what is fixed in it, over the reader of tables.

Two layouts: all members (`IN-<EAN>-D`, `OUT-<EAN>-D`, `IN-<EAN>-O`, `OUT-<EAN>-O`) and pairs (`<EANd>-<EANo>`); kWh
with a decimal comma, production (-D) positive, consumption (-O) negative, local time. UTF-8, a mark of it possible;
a delimiter at the end of lines possible. Keys are the columns' names; consumption becomes positive, as channels
count it.
Source: exports of the portal described in public repositories (documented there, no official description).
"""

import re
from typing import Final

from central.platform.errors import BadInput
from central.readings.transfer.mapping import EdcMapping, SeriesRule, TableMapping, TimeRule
from central.readings.transfer.series import Parsed
from central.readings.transfer.table_reader import read_table
from shared.identifiers import IdentifierError, parse_ean18

_MEMBER: Final = re.compile(r"(?:IN|OUT)-([0-9]{18})-[DO]", re.ASCII)
_PAIR: Final = re.compile(r"([0-9]{18})-([0-9]{18})", re.ASCII)
_TABLE: Final = TableMapping(
    format="csv",
    layout="wide",
    time=TimeRule(columns=["Datum", "Cas od"], format="%d.%m.%Y %H:%M"),
    ignore=["Cas do"],
    unit="Wh",
    exponent=3,
    rules=[SeriesRule(match="*-O", sign=-1)],
)


def read_edc(content: bytes, _mapping: EdcMapping) -> Parsed:
    """The series of an export; BadInput names a column that neither layout has."""
    parsed = read_table(content, _TABLE)
    for key in parsed.keys:
        found = _MEMBER.fullmatch(key) or _PAIR.fullmatch(key)
        if found is None:
            raise BadInput(
                "edc_column",
                f"The column {key[:80]!r} is none of an EDC export; expected IN-<EAN>-D, OUT-<EAN>-D, IN-<EAN>-O, "
                "OUT-<EAN>-O or <EAN>-<EAN>.",
            )
        for ean in found.groups():
            try:
                parse_ean18(ean)
            except IdentifierError as error:
                raise BadInput("ean", f"The column {key}: {error}") from None
    return parsed
