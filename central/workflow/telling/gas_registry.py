"""Which acts of the registry at gas points must be told: read by sets, as those of electricity are."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from central.market.duties.rules import rules
from central.market.messages import Subject
from central.readings.states import find_states
from central.workflow.telling import withdrawn
from central.workflow.telling.gas_acts import GasFacts, acts_of, lacking, record
from central.workflow.telling.model import Tellable, Window, digest, due
from central.workflow.telling.registry import ActDay, act_days
from central.workflow.telling.withdrawn import anew_by
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

CODE: Final = "XG1"
WHYS: Final = tuple(why for why, rule in rules().items() if rule.code == CODE)
_READ_WITHIN: Final = timedelta(days=1)
"""The reading of a suspension's begin is the first one of its gas day."""

_FACTS: Final = text("""
    -- gas points as they stand on days
    SELECT asked.point, asked.day, sp.ean AS eic, sp.name, sp.point_type, sp.state, sp.metering_type,
           sp.pressure_level AS pressure, sp.gas_group AS "group",
           sp.category = 'household' AS household, sp.load_profile_class AS tdd_class,
           coalesce(sp.planned_mwh, item.annual_mwh) AS planned_mwh, operator.ean13 AS operator,
           supplier.ean13 AS supplier, area.code AS area, customer.name AS customer, customer.ico AS customer_number,
           item.gas_category AS category,
           CASE WHEN coalesce(item.agreed_m3, beside.m3) IS NOT NULL
                THEN coalesce(item.agreed_m3, 0) + coalesce(beside.m3, 0) END AS daily_m3
      FROM unnest(CAST(:points AS bigint[]), CAST(:days AS date[])) AS asked (point, day)
      JOIN supply_point_valid sp ON sp.id = asked.point AND sp.valid @> asked.day
      JOIN party operator ON operator.id = sp.operator
      LEFT JOIN party supplier ON supplier.id = sp.supplier
      LEFT JOIN network_area area ON area.id = sp.area
      LEFT JOIN LATERAL (
          SELECT i.gas_category, i.annual_mwh, i.gas_daily_capacity_m3 AS agreed_m3, k.customer
            FROM contract_item i JOIN contract k ON k.id = i.contract
           WHERE i.supply_point = asked.point AND i.valid @> asked.day AND i.kind <> 'purchase'
           ORDER BY i.kind IN ('distribution', 'framework', 'combined') DESC, i.id DESC LIMIT 1) item ON true
      LEFT JOIN party customer ON customer.id = item.customer
      LEFT JOIN LATERAL (
          SELECT sum(m3_a_day) AS m3 FROM gas_capacity
           WHERE supply_point = asked.point AND valid @> asked.day) beside ON true
""")
_STATE_CHANNELS: Final = text("""
    -- channels that hold the states of the points' volume meters
    SELECT supply_point AS point, id FROM channel
     WHERE supply_point = ANY (:points) AND commodity = 'gas' AND kind = 'state' AND unit = 'm3'
     ORDER BY supply_point, id
""")


def find(connection: Connection, window: Window) -> list[Tellable]:
    """The acts of the window's days, one duty a gas point and day, with their records."""
    days = act_days(connection, window, Commodity.GAS)
    facts = _read_facts(connection, sorted({border for each in days for border in each.borders}))
    told: list[tuple[ActDay, list[str], GasFacts]] = []
    for each in days:
        before, now = (facts.get(border) for border in each.borders)
        acts = acts_of(before, now, exchanged=each.exchanged)
        stands = now if acts and acts != ["gas_end"] else before
        if acts and stands is not None:
            told.append((each, acts, stands))
    suspended = [(each.point, each.day) for each, acts, _ in told if "gas_suspension" in acts]
    readings = _readings(connection, suspended)
    found = [_tellable(each, acts, stands, readings.get((each.point, each.day))) for each, acts, stands in told]
    anew = anew_by(partial(_read_facts, connection), lacking, record, ("gas_registration", "gas_change"))
    return found + withdrawn.tell_anew(connection, window, CODE, found, anew)


def _read_facts(connection: Connection, asked: Sequence[tuple[int, date]]) -> dict[tuple[int, date], GasFacts]:
    """Points as they stand on days, by (point, day); those that are not there on theirs are left out."""
    rows = connection.execute(_FACTS, {"points": [point for point, _ in asked], "days": [day for _, day in asked]})
    return {(row["point"], row["day"]): _facts(row) for row in rows.mappings()}


def _readings(connection: Connection, asked: Sequence[tuple[int, date]]) -> dict[tuple[int, date], Decimal]:
    """States in m3 at the begin of gas days, by (point, day); of a point with several meters none says it."""
    if not asked:
        return {}
    channels: dict[int, list[int]] = {}
    for row in connection.execute(_STATE_CHANNELS, {"points": sorted({point for point, _ in asked})}):
        channels.setdefault(row.point, []).append(row.id)
    wanted = {
        (channels[point][0], MeteringDay(Commodity.GAS, day).start): (point, day)
        for point, day in asked
        if len(channels.get(point, [])) == 1
    }
    states = find_states(connection, sorted(wanted), within=_READ_WITHIN)
    return {wanted[key]: Decimal(state.value).scaleb(state.exponent) for key, state in states.items()}


def _tellable(each: ActDay, acts: list[str], facts: GasFacts, reading_m3: Decimal | None) -> Tellable:
    problem = lacking(facts)
    payload = None if problem else record(acts, facts, each.day, reading_m3)
    cause = {"acts": acts, "supply_point": each.point, "day": each.day.isoformat(), "told": digest(payload)}
    subject = Subject("supply_point", facts.eic, each.point)
    return Tellable(due(acts[0], subject, each.day, None, cause), facts.operator, payload, problem)


def _facts(row: RowMapping) -> GasFacts:
    return GasFacts(**{key: value for key, value in row.items() if key not in ("point", "day")})
