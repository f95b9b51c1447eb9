"""Workbooks of price decisions (ERÚ, XLSX) as the package builder's raw prices, kept and compared, never installed.

Series `eru.workbook`, key the year: `{"low": ..., "high": ...}` as `central.tariffs.build` takes them.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import Connection

from central.platform.errors import BadInput, NotFound
from central.platform.external.values import Value, newest_value
from central.tariffs.diff import differences
from central.tariffs.install import packages_in_force
from central.tariffs.package import Package
from central.tariffs.workbook import RawPrices, WorkbookMapping, proposed, read_workbook, shipped_mapping
from central.workflow.external.adapter import Adapter, NoParameters, UnreadableError, one_part
from central.workflow.external.records import keep
from central.workflow.external.written import refuse_page

SERIES: Final = "eru.workbook"
SCOPE: Final = "cz-electricity"

Year = Annotated[int, msgspec.Meta(ge=2000, le=2100)]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The year that the decision is for, and how the workbook lies (none: as the shipped mapping assumes)."""

    year: Year
    mapping: WorkbookMapping | None = None


def read(octets: bytes, settings: Settings) -> Sequence[Value]:
    """The prices of one workbook; UnreadableError says the sheet and row of what is not understood."""
    if not octets.startswith(b"PK"):
        refuse_page(octets[:200].decode("utf-8", "replace"))
    try:
        prices = read_workbook(octets, settings.mapping or shipped_mapping())
    except BadInput as error:
        raise UnreadableError(error.message) from None
    return [Value(SERIES, str(settings.year), {"low": prices.low, "high": prices.high})]


def compared(connection: Connection, year: int) -> Mapping[str, Any]:
    """The newest workbook of a year against the package in force then; NotFound where one of them is missing."""
    stored = newest_value(connection, SERIES, str(year))
    if stored is None:
        raise NotFound(
            "price_decision_not_found",
            f"No workbook of a price decision for {year} was read; ask for a run of a source of the adapter "
            "eru-workbook.",
        )
    first, end = date(year, 1, 1), date(year + 1, 1, 1)
    packages = [each for each in packages_in_force(connection, first, end) if each.file.scope == SCOPE]
    if not packages:
        raise NotFound("package_not_found", f"No package of {SCOPE} is in force in {year}; nothing to compare with.")
    prices = RawPrices(stored["content"]["low"], stored["content"]["high"])
    return {
        "address": stored["address"],
        "fetched_at": stored["fetched_at"],
        "version": stored["version"],
        "low": prices.low,
        "high": prices.high,
        "packages": [_compared(package, prices) for package in packages],
    }


def _compared(package: Package, prices: RawPrices) -> Mapping[str, Any]:
    found = [each for each in differences(package, proposed(package, prices)) if each.kind != "package"]
    return {
        "package": f"{package.name} {package.version}",
        "differences": [
            {
                "text": each.text,
                "component": each.component,
                "keys": dict(each.keys),
                "before": each.before,
                "after": each.after,
            }
            for each in found
        ],
    }


ADAPTER: Final = Adapter(
    name="eru-workbook",
    title="Workbooks of ERÚ's price decisions (XLSX), compared with the package in force",
    mark="assumed",
    addresses=(),
    settings=Settings,
    parameters=NoParameters,
    parts=one_part,
    read=read,
    store=keep,
)
