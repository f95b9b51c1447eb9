"""Which supply points a run takes: all of them, or by point, contract, network area or collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.platform.errors import BadInput, NotFound

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
       AND (CAST(:collection AS text) IS NULL OR v.id IN (
            WITH RECURSIVE below AS (
                SELECT n.collection, n.node, n.channel, n.meter
                  FROM collection k
                  JOIN collection_node n ON n.collection = k.id AND n.valid && daterange(:first, :end)
                 WHERE k.code = :collection AND (CAST(:node AS text) IS NULL OR n.node = :node)
                 UNION
                SELECT n.collection, n.node, n.channel, n.meter
                  FROM below
                  JOIN collection_node n ON n.collection = below.collection AND n.parent = below.node
                                        AND n.valid && daterange(:first, :end))
            SELECT c.supply_point FROM below JOIN channel c ON c.id = below.channel
             UNION
            SELECT c.supply_point
              FROM below
              JOIN evidence_channel e ON e.device = below.meter
              JOIN channel_mapping m ON m.evidence_channel = e.id
                                    AND m.valid && tstzrange(CAST(:first AS date), CAST(:end AS date))
              JOIN channel c ON c.id = m.channel))
     GROUP BY v.id, v.ean
     ORDER BY v.ean
""")
_KNOWN = {
    "area": text("SELECT FROM network_area WHERE code = :area"),
    "collection": text("SELECT FROM collection WHERE code = :collection"),
    "node": text("""
        SELECT FROM collection k JOIN collection_node n ON n.collection = k.id
         WHERE k.code = :collection AND n.node = :node
    """),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run is limited to; conditions add up, an empty scope is every consumption point, and every
    entry of the network that has a purchase contract.

    `area` and `collection` are codes, `node` is a place in the collection's tree: what hangs below it is taken.
    Production is never settled here.
    """

    points: Sequence[int] | None = None
    contracts: Sequence[int] | None = None
    area: str | None = None
    collection: str | None = None
    node: str | None = None

    def takes(self, contract: int) -> bool:
        """Whether what is under the contract is settled; a point may have several one after the other."""
        return self.contracts is None or contract in self.contracts

    def document(self) -> dict[str, Any]:
        """As the run keeps it: only what limits."""
        given = {
            "points": None if self.points is None else sorted(self.points),
            "contracts": None if self.contracts is None else sorted(self.contracts),
            "area": self.area,
            "collection": self.collection,
            "node": self.node,
        }
        return {name: value for name, value in given.items() if value is not None}


def points_in(connection: Connection, scope: Scope, first: date, end: date) -> list[int]:
    """The supply points of a scope that were supplied in [first, end), by EAN.

    BadInput for a node without its collection, NotFound for an unknown area, collection or node.
    """
    if scope.node is not None and scope.collection is None:
        raise BadInput("node", f"The node {scope.node} is one of a collection; give the collection's code too.")
    asked = {
        "points": None if scope.points is None else int_array(scope.points),
        "contracts": None if scope.contracts is None else int_array(scope.contracts),
        "area": scope.area,
        "collection": scope.collection,
        "node": scope.node,
        "first": first,
        "end": end,
    }
    for what, statement in _KNOWN.items():
        if asked[what] is not None and connection.execute(statement, asked).first() is None:
            raise NotFound(f"{what}_not_found", f"There is no {what} {asked[what]}; a run cannot be limited to it.")
    return list(connection.execute(_POINTS, asked).scalars())
