"""Read what the registry holds of many points over a period, set-wise: a few queries whatever their number."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, text

from central.platform.arrays import int_array
from central.readings.gas.terms import read_terms
from central.readings.sharing.allocated import NOT_SHARED, read_shared
from central.settlement.books import BookInForce
from central.settlement.cuts import Held, merged
from central.settlement.facts import (
    ChannelFacts,
    ContractItem,
    ContractTerms,
    Named,
    PointFacts,
    PointRecord,
    PointVersion,
)
from central.settlement.own import NOTHING
from central.settlement.own_registry import read_own
from central.settlement.spans import facts_of, whole_months_of
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

VERSIONS = text("""
    -- what holds of the points within the period, with the parties' codes
    SELECT v.id, v.ean, v.commodity, lower(v.valid) AS since, upper(v.valid) AS until, v.name, v.object, v.street,
           v.postal_code, v.city, v.voltage_level, v.metering_type, v.category, v.load_profile_class, v.state,
           v.operator, o.code AS operator_code, v.supplier, s.code AS supplier_code
      FROM supply_point_valid v
      JOIN party o ON o.id = v.operator
      LEFT JOIN party s ON s.id = v.supplier
     WHERE v.id = ANY (CAST(:points AS bigint[])) AND v.valid && daterange(:first, :end)
     ORDER BY v.ean, lower(v.valid) NULLS FIRST
""")

ITEMS = text("""
    -- items of the points within the period: for network services, for supply, and others that agree a reserved input
    -- or output
    SELECT i.supply_point, lower(i.valid) AS since, upper(i.valid) AS until, contract_services(i.kind) @> 1 AS network,
           i.id, i.contract, c.number, i.kind, i.prices, i.rate, i.breaker_phases, i.breaker_amps, i.annual_mwh,
           i.gas_daily_capacity_m3, i.gas_category, i.reserved_input_kw, i.reserved_output_kw,
           i.unmetered_w, i.unmetered_flat,
           CASE i.kind WHEN 'purchase' THEN coalesce(i.operator, a.superior) END AS seller
      FROM contract_item i
      JOIN contract c ON c.id = i.contract
      JOIN supply_point sp ON sp.id = i.supply_point
      LEFT JOIN network_area a ON a.id = sp.area
     WHERE i.supply_point = ANY (CAST(:points AS bigint[])) AND i.valid && daterange(:first, :end)
     ORDER BY i.supply_point, lower(i.valid) NULLS FIRST, i.id
""")

TERMS = text("""
    -- the parties of the contracts within the period
    SELECT c.id, lower(c.valid * c.held) AS since, upper(c.valid * c.held) AS until, c.customer,
           customer.code AS customer_code, c.payer, payer.code AS payer_code
      FROM contract_valid c
      JOIN party customer ON customer.id = c.customer
      JOIN party payer ON payer.id = c.payer
     WHERE c.id = ANY (CAST(:contracts AS bigint[])) AND c.valid * c.held && daterange(:first, :end)
     ORDER BY c.id, lower(c.held) NULLS FIRST
""")

CAPACITIES = text("""
    SELECT supply_point, kind, kw, lower(valid) AS since, upper(valid) AS until
      FROM reserved_capacity
     WHERE supply_point = ANY (CAST(:points AS bigint[])) AND valid && daterange(:first, :end)
     ORDER BY supply_point, kind, lower(valid) NULLS FIRST
""")

GAS_CAPACITIES = text("""
    -- daily capacity beside the yearly one of the items, in thousand m3
    SELECT supply_point, kind, m3_a_day / 1000 AS thousand_m3, lower(valid) AS since, upper(valid) AS until
      FROM gas_capacity
     WHERE supply_point = ANY (CAST(:points AS bigint[])) AND valid && daterange(:first, :end)
     ORDER BY supply_point, kind, lower(valid)
""")

SETTLED = text("""
    -- what approved runs hold already, without what runs of a period hold that is judged anew; a gas day begins at
    -- 06:00 of the same date
    SELECT i.contract_item, i.statement_type, (lower(i.valid) AT TIME ZONE 'Europe/Prague')::date AS since,
           (upper(i.valid) AT TIME ZONE 'Europe/Prague')::date AS until
      FROM settlement_input i
     WHERE i.contract_item = ANY (CAST(:items AS bigint[])) AND i.approved AND i.statement_type = ANY (:held)
       AND i.valid && tstzrange(:start, :stop)
       AND NOT (CAST(:judged AS boolean) AND EXISTS (
            SELECT FROM settlement_input own JOIN settlement_run r ON r.id = own.run
             WHERE own.contract_item = i.contract_item AND own.approved AND own.statement_type = :kind
               AND own.valid && i.valid AND r.period = daterange(:first, :end)))
     ORDER BY i.contract_item, lower(i.valid)
""")

HELD_BY = {0: [0, 6], 2: [0, 2, 6], 6: [0, 6]}
"""By type, those whose approved days it does not settle again: a day is billed for good once, preliminarily before."""
_PRELIMINARY = 2
"""What another payer is billed preliminarily stands beside what is billed for good; within the period it is settled."""
SUPPLY = "supply"
"""Kind of contract for supply alone; under a combined one supply comes with the network services."""

_CHANNELS = """
    -- channels with every register that feeds them within the period
    SELECT ch.id, ch.supply_point, ch.direction, ch.kind, ch.unit, ch.exponent,
           ec.id AS evidence_channel, ec.device, ec.register, ec.concentrator, m.serial, m.model,
           cm.multiplier, cm.sign, lower(cm.valid) AS mapped_from, upper(cm.valid) AS mapped_to
      FROM channel ch
      LEFT JOIN channel_mapping cm ON cm.channel = ch.id AND cm.valid && tstzrange(:start, :stop, '[]')
      LEFT JOIN evidence_channel ec ON ec.id = cm.evidence_channel
      LEFT JOIN meter m ON m.id = ec.device
     WHERE ch.{by} = ANY (CAST(:{by}s AS bigint[]))
     ORDER BY ch.supply_point, ch.id, lower(cm.valid)
"""
CHANNELS = text(_CHANNELS.format(by="supply_point"))
NAMED_CHANNELS = text(_CHANNELS.format(by="id"))

_CAPACITY = {"year": "reserved_capacity_year_kw", "month": "reserved_capacity_month_kw"}
_GAS_CAPACITY = {"month": "daily_capacity_month_thousand_m3", "sliding": "daily_capacity_sliding_thousand_m3"}


def read_facts(
    connection: Connection,
    points: Sequence[int],
    first: date,
    end: date,
    books: Sequence[BookInForce],
    statement_type: int = 0,
    *,
    judged: bool = False,
) -> list[PointFacts]:
    """The facts of these points for [first, end), by EAN; those that approved runs of the type hold are left away.

    `judged`: what runs of just this period hold is taken, to be compared; what others hold is not.
    """
    records = read_records(connection, points, first, end, statement_type, judged=judged)
    return [facts for record in records if (facts := facts_of(record, first, end, books)) is not None]


def read_records(
    connection: Connection,
    points: Sequence[int],
    first: date,
    end: date,
    statement_type: int = 0,
    *,
    judged: bool = False,
) -> list[PointRecord]:
    """All that the registry holds of these points over [first, end), by EAN; of whole months what decides a price."""
    low, high = whole_months_of(first, end)
    start = MeteringDay(Commodity.ELECTRICITY, first).start
    stop = MeteringDay(Commodity.GAS, end).start
    asked = {"points": int_array(points), "first": low, "end": high, "start": start, "stop": stop}
    versions = _grouped(connection.execute(VERSIONS, asked).all(), "id")
    items = _grouped(connection.execute(ITEMS, asked).all(), "supply_point")
    network = [row for rows in items.values() for row in rows if row.network]
    supplied = [row for rows in items.values() for row in rows if row.kind == SUPPLY]
    contracts = {"contracts": int_array(sorted({row.contract for row in (*network, *supplied)}))}
    terms = _terms(connection.execute(TERMS, {**asked, **contracts}).all())
    capacities = _grouped(connection.execute(CAPACITIES, asked).all(), "supply_point")
    gas_capacities = _grouped(connection.execute(GAS_CAPACITIES, asked).all(), "supply_point")
    held = HELD_BY.get(statement_type, [statement_type])
    taken = {
        "items": int_array(sorted(row.id for row in (*network, *supplied))),
        "held": sorted({*held, _PRELIMINARY}) if 0 in held else held,
        "judged": judged,
        "kind": statement_type,
        "start": MeteringDay(Commodity.ELECTRICITY, low).start,
        "stop": MeteringDay(Commodity.GAS, high).start,
        "first": first,
        "end": end,
    }
    settled = _grouped(connection.execute(SETTLED, taken).all(), "contract_item")
    channels = _grouped(connection.execute(CHANNELS, {**asked, "supply_points": asked["points"]}).all(), "supply_point")
    own = read_own(connection, points, first, end)
    if (low, high) != (first, end):
        around = read_own(connection, points, low, high)
        own = {point: replace(own.get(point, NOTHING), conditions=facts.conditions) for point, facts in around.items()}
    others = read_channels(connection, sorted({each for facts in own.values() for each in facts.others()}), start, stop)
    volumes = sorted({row.id for rows in channels.values() for row in rows if row.direction == "V"})
    volumes += [channel.id for channel in others.values() if channel.direction == "V"]
    gas = read_terms(connection, volumes, first, end)
    shared = read_shared(connection, points, low, high)
    records = []
    for point, rows in versions.items():
        network_items = [row for row in items.get(point, ()) if row.network]
        supply_items = [row for row in items.get(point, ()) if row.kind == SUPPLY]
        found = _channels(channels.get(point, ()))
        sold = own.get(point, NOTHING)
        replaced = {channel: others[channel] for channel in sold.others()}
        records.append(
            PointRecord(
                id=point,
                ean=rows[0].ean,
                commodity=Commodity(rows[0].commodity),
                versions=[Held(row.since, row.until, _version(row)) for row in rows],
                items=[Held(row.since, row.until, _item(row)) for row in network_items],
                terms={row.contract: terms.get(row.contract, []) for row in (*network_items, *supply_items)},
                agreed=_agreed(items.get(point, ()), capacities.get(point, ()), gas_capacities.get(point, ())),
                channels=found,
                settled={
                    row.id: days
                    for row in (*network_items, *supply_items)
                    if (days := list(_held(settled.get(row.id, ()), held, first, end)))
                },
                gas={channel.id: gas[channel.id] for channel in (*found, *replaced.values()) if channel.id in gas},
                own=sold,
                supplies=[Held(row.since, row.until, _item(row)) for row in supply_items],
                others=replaced,
                statement_type=statement_type,
                shared=shared.get(point, NOT_SHARED),
            )
        )
    return records


def read_channels(
    connection: Connection, channels: Sequence[int], start: datetime, stop: datetime
) -> dict[int, ChannelFacts]:
    """Channels by id, whosever they are, with the registers that feed them between two instants."""
    if not channels:
        return {}
    rows = connection.execute(NAMED_CHANNELS, {"ids": int_array(channels), "start": start, "stop": stop}).all()
    return {channel.id: channel for channel in _channels(rows)}


def _grouped(rows: Sequence[Row[Any]], key: str) -> dict[int, list[Row[Any]]]:
    groups: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return groups


def _held(rows: Iterable[Row[Any]], held: Sequence[int], first: date, end: date) -> Iterator[Held[str]]:
    """The days that approved runs hold: of other types than these only what lies outside of [first, end)."""
    for row in rows:
        if row.statement_type in held:
            yield Held(row.since, row.until, "approved")
            continue
        if row.since < first:
            yield Held(row.since, min(row.until, first), "approved")
        if row.until > end:
            yield Held(max(row.since, end), row.until, "approved")


def _version(row: Row[Any]) -> PointVersion:
    return PointVersion(
        name=row.name,
        object=row.object,
        address=(row.street, row.postal_code, row.city),
        level=row.voltage_level,
        metering_type=row.metering_type,
        category=row.category,
        load_profile_class=row.load_profile_class,
        operator=Named(row.operator, row.operator_code),
        supplier=None if row.supplier is None else Named(row.supplier, row.supplier_code),
        state=row.state,
    )


def _item(row: Row[Any]) -> ContractItem:
    return ContractItem(
        id=row.id,
        contract=row.contract,
        contract_number=row.number,
        contract_kind=row.kind,
        since=row.since,
        until=row.until,
        prices=row.prices,
        rate=row.rate,
        breaker_phases=row.breaker_phases,
        breaker_amps=row.breaker_amps,
        annual_mwh=row.annual_mwh,
        gas_daily_capacity_m3=row.gas_daily_capacity_m3,
        gas_category=row.gas_category,
        seller=row.seller,
        unmetered_w=row.unmetered_w,
        unmetered_flat=row.unmetered_flat,
    )


def _terms(rows: Sequence[Row[Any]]) -> Mapping[int, Sequence[Held[ContractTerms]]]:
    """By contract, who takes and pays since when; a change of other terms (due days, advances) is none here."""
    held: dict[int, list[Held[ContractTerms]]] = defaultdict(list)
    for row in rows:
        parties = ContractTerms(Named(row.customer, row.customer_code), Named(row.payer, row.payer_code))
        held[row.id].append(Held(row.since, row.until, parties))
    return {contract: merged(each, lambda parties: parties) for contract, each in held.items()}


def _agreed(
    items: Sequence[Row[Any]], capacities: Sequence[Row[Any]], gas_capacities: Sequence[Row[Any]]
) -> dict[str, list[Held[Decimal]]]:
    agreed: dict[str, list[Held[Decimal]]] = defaultdict(list)
    for row in capacities:
        agreed[_CAPACITY[row.kind]].append(Held(row.since, row.until, row.kw))
    for row in gas_capacities:
        agreed[_GAS_CAPACITY[row.kind]].append(Held(row.since, row.until, row.thousand_m3))
    for row in items:
        for name in ("reserved_input_kw", "reserved_output_kw"):
            if getattr(row, name) is not None:
                agreed[name].append(Held(row.since, row.until, getattr(row, name)))
    return dict(agreed)


def _channels(rows: Sequence[Row[Any]]) -> tuple[ChannelFacts, ...]:
    mappings: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    heads: dict[int, Row[Any]] = {}
    for row in rows:
        heads.setdefault(row.id, row)
        if row.evidence_channel is not None:
            mappings[row.id].append(
                {
                    "evidence_channel": row.evidence_channel,
                    "concentrator": row.concentrator,
                    "meter": row.device,
                    "serial": row.serial,
                    "model": row.model,
                    "register": row.register,
                    "multiplier": row.multiplier,
                    "sign": row.sign,
                    "valid": [_instant(row.mapped_from), _instant(row.mapped_to)],
                }
            )
    return tuple(
        ChannelFacts(head.id, head.direction, head.kind, head.unit, head.exponent, tuple(mappings[head.id]))
        for head in heads.values()
    )


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
