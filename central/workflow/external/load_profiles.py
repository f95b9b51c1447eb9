"""Series of load-profile classes (TDD), normalised or recomputed, from a CSV file or a workbook.

Assumed: the table that the import by hand takes (day, place in the day, a column for each class); the same reader reads
it, and the same act stores it: a series of a day that is fetched again and says something else stands beside the old.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from sqlalchemy import Connection

from central.platform.errors import BadInput
from central.platform.external.values import Counts
from central.readings.load_profile_import import ClassDay, Head, import_load_profiles, read_csv, read_workbook
from central.workflow.external.adapter import (
    FETCHER,
    STORABLE,
    Adapter,
    NoParameters,
    Origin,
    UnreadableError,
    one_part,
)
from central.workflow.external.table_form import Name
from central.workflow.external.written import refuse_page, text_of
from shared.quantities import Commodity


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the series are of: commodity, kind, temperature zone (empty: the whole country), and the file's form."""

    commodity: Literal["electricity", "gas"]
    kind: Literal["normalised", "recomputed"]
    zone: Annotated[str, msgspec.Meta(max_length=40, pattern=STORABLE)] = ""
    mark: Literal["documented", "inferred", "assumed"] = "documented"
    format: Literal["csv", "xlsx"] = "csv"
    sheet: Name | None = None


def read(octets: bytes, settings: Settings) -> Sequence[ClassDay]:
    """The days of all classes of a file."""
    try:
        if settings.format == "xlsx":
            return read_workbook(octets, settings.sheet)
        text = text_of(octets)
        refuse_page(text)
        return read_csv(text)
    except BadInput as error:
        raise UnreadableError(error.message) from None


def keep(connection: Connection, days: Sequence[ClassDay], settings: Settings, origin: Origin) -> Counts:
    """One import; the same content from the same place again changes nothing."""
    source = f"{origin.source}: {origin.address[:300]}"
    head = Head(Commodity(settings.commodity), settings.kind, settings.zone, source, settings.mark)
    done = import_load_profiles(connection, head, days, FETCHER, origin.at)
    return Counts(len(days), 0 if done["repeated"] else len(days), 0)


ADAPTER: Final = Adapter(
    name="load-profiles",
    title="Series of load-profile classes (TDD), normalised or recomputed: CSV, XLSX",
    mark="assumed",
    addresses=(),
    settings=Settings,
    parameters=NoParameters,
    parts=one_part,
    read=read,
    store=keep,
)
