"""Which supply points a run takes: all of them, or by point, contract, network area or collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.platform.errors import NotFound

_POINTS = text("""
    -- points of consumption that were supplied in the period, and entries with a purchase contract, by EAN
    SELECT v.id
      FROM supply_point_valid v
      LEFT JOIN network_area a ON a.id = v.area
     WHERE (v.point_type = 'consumption' OR v.point_type = 'entry' AND EXISTS (
            SELECT FROM contract_item i
             WHERE i.supply_point = v.id AND i.kind = 'purchase' AND i.valid && daterange(:first, :end)))
       AND v.state IN ('connected', 'suspended')
       AND v.valid && daterange(:first, :end)
       AND (CAST(:points AS bigint[]) IS NULL OR v.id = ANY (CAST(:points AS bigint[])))
       AND (CAST(:area AS text) IS NULL OR a.code = :area)
       AND (CAST(:contracts AS bigint[]) IS NULL OR EXISTS (
            SELECT FROM contract_item i WHERE i.supply_point = v.id AND i.valid && daterange(:first, :end)
               AND i.contract = ANY (CAST(:contracts AS bigint[]))))
       AND (CAST(:collection AS text) IS NULL OR EXISTS (
            SELECT FROM collection k
              JOIN collection_node n ON n.collection = k.id AND n.valid && daterange(:first, :end)
              JOIN channel c ON c.id = n.channel OR n.meter IS NOT NULL AND EXISTS (
                   SELECT FROM channel_mapping m JOIN evidence_channel e ON e.id = m.evidence_channel
                    WHERE m.channel = c.id AND e.device = n.meter)
             WHERE k.code = :collection AND c.supply_point = v.id))
     GROUP BY v.id, v.ean
     ORDER BY v.ean
""")
_KNOWN = {
    "area": text("SELECT FROM network_area WHERE code = :code"),
    "collection": text("SELECT FROM collection WHERE code = :code"),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run is limited to; conditions add up, an empty scope is every consumption point, and every
    entry of the network that has a purchase contract.

    `area` and `collection` are codes. Production is never settled here.
    """

    points: Sequence[int] | None = None
    contracts: Sequence[int] | None = None
    area: str | None = None
    collection: str | None = None

    def document(self) -> dict[str, Any]:
        """As the run keeps it: only what limits."""
        given = {
            "points": None if self.points is None else sorted(self.points),
            "contracts": None if self.contracts is None else sorted(self.contracts),
            "area": self.area,
            "collection": self.collection,
        }
        return {name: value for name, value in given.items() if value is not None}


def points_in(connection: Connection, scope: Scope, first: date, end: date) -> list[int]:
    """The supply points of a scope that were supplied in [first, end), by EAN; NotFound for an unknown area or
    collection."""
    for what, code in (("area", scope.area), ("collection", scope.collection)):
        if code is not None and connection.execute(_KNOWN[what], {"code": code}).first() is None:
            raise NotFound(f"{what}_not_found", f"There is no {what} {code}; a run cannot be limited to it.")
    asked = {
        "points": None if scope.points is None else int_array(scope.points),
        "contracts": None if scope.contracts is None else int_array(scope.contracts),
        "area": scope.area,
        "collection": scope.collection,
        "first": first,
        "end": end,
    }
    return list(connection.execute(_POINTS, asked).scalars())
