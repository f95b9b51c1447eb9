"""What the database's TimescaleDB can do: the Apache edition, or the Community edition with its columnstore.

The Community edition is switched on in the server's configuration (`timescaledb.license = 'timescale'`); where it is,
old chunks are put into the columnstore by its own job. Dropping stays ours in both: a retention policy of the
extension does not ask which chunks a bill stands on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from central.platform import audit
from central.platform.identity import Person

SEGMENTS: Mapping[str, tuple[str, str]] = {
    "block": ("evidence_channel", "start"),
    "register_reading": ("evidence_channel", "at"),
    "day_profile": ("channel", "day, version"),
}
"""Hypertables with the columns that the columnstore segments and orders by."""
AFTER_DAYS = 62
"""Age at which a chunk goes to the columnstore: late data and corrections have mostly come by then."""
OLDEST = (2, 20)
"""The version since which the columnstore takes late rows at a price that can be paid."""


@dataclass(frozen=True, slots=True)
class Edition:
    """License and version of TimescaleDB, whether it has a columnstore, and which tables use it."""

    license: str
    version: tuple[int, ...]
    functions: bool
    columnstore: frozenset[str]

    @property
    def community(self) -> bool:
        """Whether the columnstore may and can be used."""
        return self.license == "timescale" and self.functions and self.version[:2] >= OLDEST


def read_edition(connection: Connection) -> Edition:
    """Ask the database itself; without TimescaleDB the license is empty."""
    row = connection.execute(
        text("""
            SELECT coalesce(current_setting('timescaledb.license', true), '') AS license,
                   (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS version,
                   to_regproc('add_columnstore_policy') IS NOT NULL AS functions
        """)
    ).one()
    using = connection.execute(
        text("""
            SELECT hypertable_name FROM timescaledb_information.hypertables
            WHERE hypertable_schema = current_schema() AND compression_enabled
        """)
    ).scalars()
    return Edition(row.license, _version(row.version or ""), bool(row.functions), frozenset(using))


def _version(written: str) -> tuple[int, ...]:
    parts = written.split("-")[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def statements(edition: Edition) -> list[tuple[str, list[str]]]:
    """By table, what switches the columnstore on where it is not yet; nothing without the Community edition."""
    if not edition.community:
        return []
    return [
        (
            table,
            [
                f"ALTER TABLE {table} SET (timescaledb.enable_columnstore = true,"
                f" timescaledb.segmentby = '{segment}', timescaledb.orderby = '{order}')",
                f"CALL add_columnstore_policy('{table}', after => INTERVAL '{AFTER_DAYS} days', if_not_exists => true)",
            ],
        )
        for table, (segment, order) in SEGMENTS.items()
        if table not in edition.columnstore
    ]


def switch_on(connection: Connection, person: Person | str, at: datetime) -> list[str]:
    """Switch the columnstore and its policies on where the edition has them; returns the tables, [] for none."""
    switched = []
    for table, wanted in statements(read_edition(connection)):
        for statement in wanted:
            connection.execute(text(statement))
        audit.record(connection, person, "housekeeping.columnstore", f"table/{table}", {"statements": wanted}, at)
        switched.append(table)
    return switched
