"""Which acts of the registry must be told: read by sets, two states of every point on which something begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from central.market.duties.rules import rules
from central.market.messages import Subject
from central.workflow.telling import bulk, withdrawn
from central.workflow.telling.acts import PointFacts, acts_of, lacking, record
from central.workflow.telling.model import Tellable, Window, digest, due
from central.workflow.telling.withdrawn import anew_by
from shared.quantities import Commodity

CODE: Final = "111"
WHYS: Final = (*(why for why, rule in rules().items() if rule.code == CODE), bulk.WHY)

_DAYS: Final = text("""
    -- days on which something of a commodity's point begins or ends, and whether a meter took another's place
    WITH begun AS (
        SELECT id AS point, lower(valid) AS day, false AS exchanged FROM supply_point_valid
        UNION ALL
        SELECT supply_point, unnest(ARRAY[lower(valid), upper(valid)]), false FROM contract_item
        UNION ALL
        SELECT supply_point, unnest(ARRAY[lower(valid), upper(valid)]), false FROM reserved_capacity
        UNION ALL
        SELECT supply_point, unnest(ARRAY[lower(valid), upper(valid)]), false FROM gas_capacity
        UNION ALL
        SELECT c.supply_point, (lower(m.valid) AT TIME ZONE 'Europe/Prague')::date, true
          FROM channel_mapping m JOIN channel c ON c.id = m.channel JOIN evidence_channel e ON e.id = m.evidence_channel
         WHERE EXISTS (SELECT FROM channel_mapping o JOIN evidence_channel oe ON oe.id = o.evidence_channel
                        WHERE o.channel = m.channel AND o.valid << m.valid AND oe.device <> e.device))
    SELECT b.point, b.day, bool_or(b.exchanged) AS exchanged
      FROM begun b JOIN supply_point sp ON sp.id = b.point
     WHERE sp.commodity = :commodity AND sp.point_type <> 'entry' AND b.day BETWEEN :first AND :today
     GROUP BY b.point, b.day ORDER BY b.day, b.point
""")
_FACTS: Final = text("""
    -- points as they stand on days
    SELECT asked.point, asked.day, sp.ean, sp.name, sp.point_type, sp.state, sp.voltage_level AS level,
           sp.metering_type, sp.category = 'household' AS household, sp.load_profile_class AS tdd_class,
           sp.temperature_zone, sp.planned_mwh, operator.ean13 AS operator, supplier.ean13 AS supplier,
           area.code AS area, customer.name AS customer, customer.ico AS customer_number, item.rate,
           item.breaker_phases, item.breaker_amps, item.reserved_input_kw AS input_kw, reserved.year_kw,
           reserved.month_kw
      FROM unnest(CAST(:points AS bigint[]), CAST(:days AS date[])) AS asked (point, day)
      JOIN supply_point_valid sp ON sp.id = asked.point AND sp.valid @> asked.day
      JOIN party operator ON operator.id = sp.operator
      LEFT JOIN party supplier ON supplier.id = sp.supplier
      LEFT JOIN network_area area ON area.id = sp.area
      LEFT JOIN LATERAL (
          SELECT i.rate, i.breaker_phases, i.breaker_amps, i.reserved_input_kw, k.customer
            FROM contract_item i JOIN contract k ON k.id = i.contract
           WHERE i.supply_point = asked.point AND i.valid @> asked.day AND i.kind <> 'purchase'
           ORDER BY i.kind IN ('distribution', 'framework', 'combined') DESC, i.id DESC LIMIT 1) item ON true
      LEFT JOIN party customer ON customer.id = item.customer
      LEFT JOIN LATERAL (
          SELECT sum(kw) FILTER (WHERE kind = 'year') AS year_kw, sum(kw) FILTER (WHERE kind = 'month') AS month_kw
            FROM reserved_capacity WHERE supply_point = asked.point AND valid @> asked.day) reserved ON true
""")


@dataclass(frozen=True, slots=True)
class ActDay:
    """A day on which something of a point begins or ends; `exchanged`: a meter took another's place."""

    point: int
    day: date
    exchanged: bool

    @property
    def borders(self) -> tuple[tuple[int, date], tuple[int, date]]:
        """The point on the day before, and on the day itself."""
        return (self.point, self.day - timedelta(days=1)), (self.point, self.day)


def find(connection: Connection, window: Window, bulk_from: int | None = None) -> list[Tellable]:
    """The acts of the window's days, one duty a point and day, with their records.

    Registrations of a network are told together where there are `bulk_from` of them on a day (None: never).
    """
    days = act_days(connection, window, Commodity.ELECTRICITY)
    facts = read_facts(connection, sorted({border for each in days for border in each.borders}))
    found = []
    for each in days:
        before, now = (facts.get(border) for border in each.borders)
        acts = acts_of(before, now, exchanged=each.exchanged)
        told = now if acts and acts != ["end"] else before
        if acts and told is not None:
            found.append(_tellable(each, acts, told))
    anew = anew_by(partial(read_facts, connection), lacking, record, ("registration", "change"))
    right = withdrawn.tell_anew(connection, window, CODE, found, anew)
    # a registration of many takes no cancellation: what is put right is told point by point
    return bulk.gather(connection, found, window, bulk_from) + right


def act_days(connection: Connection, window: Window, commodity: Commodity) -> list[ActDay]:
    """The days of the window on which something of a point of the commodity begins or ends, by day and point."""
    asked = {"first": window.first, "today": window.today, "commodity": commodity.value}
    return [ActDay(*row) for row in connection.execute(_DAYS, asked)]


def read_facts(connection: Connection, asked: Sequence[tuple[int, date]]) -> dict[tuple[int, date], PointFacts]:
    """Points as they stand on days, by (point, day); those that are not there on theirs are left out."""
    rows = connection.execute(_FACTS, {"points": [point for point, _ in asked], "days": [day for _, day in asked]})
    return {(row["point"], row["day"]): _facts(row) for row in rows.mappings()}


def _tellable(each: ActDay, acts: list[str], facts: PointFacts) -> Tellable:
    problem = lacking(facts)
    payload = None if problem else record(acts, facts, each.day)
    cause = {"acts": acts, "supply_point": each.point, "day": each.day.isoformat(), "told": digest(payload)}
    subject = Subject("supply_point", facts.ean, each.point)
    return Tellable(due(acts[0], subject, each.day, None, cause), facts.operator, payload, problem)


def _facts(row: RowMapping) -> PointFacts:
    return PointFacts(**{key: value for key, value in row.items() if key not in ("point", "day")})
