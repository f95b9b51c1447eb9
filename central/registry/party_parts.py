"""What belongs to a party beside itself: addresses, bank accounts, contacts, contract accounts."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import NotFound, Refused
from central.registry.party_tables import contract_account, party_account, party_address, party_contact
from central.registry.validity import ends, starts, validity

PARTS: Mapping[str, tuple[Table, str]] = {
    "addresses": (party_address, "address"),
    "accounts": (party_account, "bank account"),
    "contacts": (party_contact, "contact"),
    "contract-accounts": (contract_account, "contract account"),
}
"""Each kind of part by its word in the address of its routes: its table and its name in sentences."""


def find_parts(connection: Connection, part: str, party: int, *, lock: bool = False) -> Sequence[RowMapping]:
    """The parts of one kind, by id, with their validity as two dates."""
    table, _ = PARTS[part]
    columns = [column for column in table.c if column.name not in ("valid", "party")]
    query = (
        select(*columns, starts(table.c.valid).label("valid_from"), ends(table.c.valid).label("valid_to"))
        .where(table.c.party == party)
        .order_by(table.c.id)
    )
    return connection.execute(query.with_for_update() if lock else query).mappings().all()


def require_part(connection: Connection, part: str, party: int, identifier: int) -> RowMapping:
    """One part, locked, or NotFound."""
    for row in find_parts(connection, part, party, lock=True):
        if row["id"] == identifier:
            return row
    raise NotFound("part_not_found", f"The party {party} has no {PARTS[part][1]} {identifier}.")


def add_part(
    connection: Connection, part: str, party: int, facts: Mapping[str, Any], start: date, end: date | None
) -> int:
    """Store a part; overlap with another of its kind is refused by the database."""
    table, what = PARTS[part]
    valid = validity(f"{what} of party {party}", start, end)
    _require_free(connection, part, party, facts, valid)
    made = connection.execute(insert(table).values(**facts, party=party, valid=valid).returning(table.c.id))
    return int(made.scalar_one())


ALONE: Mapping[str, str] = {"addresses": "kind", "accounts": "purpose"}
"""Of these a party has one at a time of each kind or purpose."""


def _require_free(connection: Connection, part: str, party: int, facts: Mapping[str, Any], valid: Range[date]) -> None:
    table, what = PARTS[part]
    if part not in ALONE:
        return
    name = ALONE[part]
    query = select(table.c.id, starts(table.c.valid).label("start"), ends(table.c.valid).label("end")).where(
        table.c.party == party, table.c[name] == facts[name], table.c.valid.overlaps(valid)
    )
    for row in connection.execute(query.order_by(table.c.id)):
        raise Refused(
            "overlap",
            f"The {facts[name]} {what} of party {party} from {valid.lower} to {valid.upper or 'open'} overlaps the "
            f"{what} {row.id}, valid {row.start} to {row.end or 'open'}; close that one first.",
        )


def close_part(connection: Connection, part: str, party: int, row: RowMapping, on: date) -> None:
    """End a part on a day (exclusive) within its validity."""
    table, what = PARTS[part]
    start, end = row["valid_from"], row["valid_to"]
    if (start is not None and on <= start) or (end is not None and on > end):
        raise Refused(
            "validity",
            f"The {what} {row['id']} of party {party} is valid {start} to {end or 'open'}: it cannot be closed on "
            f"{on}; choose a day between.",
        )
    connection.execute(update(table).where(table.c.id == row["id"]).values(valid=Range(start, on, bounds="[)")))
