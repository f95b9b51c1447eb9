"""Exports of EDC's portal (CSV, either layout), most of all from a folder: what was allocated to a sharing group.

The portal's interface for programs is not documented officially; its files are.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from sqlalchemy import Connection

from central.platform.errors import BadInput
from central.platform.external.values import Counts
from central.readings.sharing.allocated import store_export
from central.readings.sharing.export import Export, read_export
from central.workflow.external.adapter import FETCHER, Adapter, NoParameters, Origin, UnreadableError, one_part
from central.workflow.external.written import refuse_page

MOST_TOLD: Final = 5
"""EANs and days that an error names."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The sharing group that the files are of."""

    group: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{1,50}$")]


def read(octets: bytes, _: Settings) -> Sequence[Export]:
    """One export; UnreadableError where it is none."""
    refuse_page(octets[:200].decode("utf-8", "replace"))
    try:
        return [read_export(octets)]
    except BadInput as error:
        raise UnreadableError(error.message) from None


def store(connection: Connection, exports: Sequence[Export], settings: Settings, origin: Origin) -> Counts:
    """Keep whole days; sentences about the others and about points that are not ours. NotFound without the group."""
    added = unchanged = 0
    left: list[str] = []
    for export in exports:
        stored = store_export(
            connection, settings.group, export, origin.text, "fetched by schedule", FETCHER, origin.at
        )
        added, unchanged = added + stored.added, unchanged + stored.unchanged
        if stored.unknown:
            left.append(f"No points here: {', '.join(stored.unknown[:MOST_TOLD])} ({len(stored.unknown)} in all).")
        if stored.incomplete:
            told = ", ".join(f"{each.ean} {each.day}" for each in stored.incomplete[:MOST_TOLD])
            left.append(f"Days that are there in part only were left out: {told} ({len(stored.incomplete)} in all).")
    return Counts(added + unchanged, added, 0, tuple(left))


ADAPTER: Final = Adapter(
    name="edc-sharing",
    title="Exports of EDC's portal: shared energy of a group (CSV)",
    mark="documented",
    addresses=(),
    settings=Settings,
    parameters=NoParameters,
    parts=one_part,
    read=read,
    store=store,
)
