"""At which points supplier or customer change on a day: the states before it are read for that (CHS)."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from sqlalchemy import Connection, text

_CHANGES: Final = text("""
    -- points at which supplier or customer change on these days
    WITH asked AS (SELECT * FROM unnest(CAST(:points AS bigint[]), CAST(:days AS date[])) AS each (point, day))
    SELECT asked.point, asked.day
      FROM asked
      JOIN supply_point_valid before ON before.id = asked.point AND before.valid @> asked.day - 1
      JOIN supply_point_valid after ON after.id = asked.point AND after.valid @> asked.day
     WHERE before.supplier IS DISTINCT FROM after.supplier
     UNION
    SELECT asked.point, asked.day
      FROM asked
      JOIN contract_item left_off ON left_off.supply_point = asked.point AND left_off.valid @> asked.day - 1
      JOIN contract_valid before ON before.id = left_off.contract AND before.held @> asked.day - 1
      JOIN contract_item begun ON begun.supply_point = asked.point AND begun.valid @> asked.day
                              AND contract_services(begun.kind) && contract_services(left_off.kind)
      JOIN contract_valid after ON after.id = begun.contract AND after.held @> asked.day
     WHERE before.customer <> after.customer
""")


def changes_of(connection: Connection, asked: Iterable[tuple[int, date]]) -> set[tuple[int, date]]:
    """Those of the points and days on which supplier or customer are others than the day before."""
    pairs = sorted(set(asked))
    values = {"points": [point for point, _ in pairs], "days": [day for _, day in pairs]}
    return {(row.point, row.day) for row in connection.execute(_CHANGES, values)}
