"""Registry facts of the points to settle, as one canonical document a point, read set-wise in a few queries.

Validity alone cannot say what was *known* when a run was made, so the run keeps the documents themselves.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, text

from central.readings.gas.terms import GasTerms, read_terms
from central.settlement.model import TariffPoint
from shared.metering_day import month_bounds, next_month
from shared.quantities import Commodity


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A settled channel of a point: direction, kind, unit x 10^exponent, and the registers that feed it."""

    id: int
    direction: str
    kind: str
    unit: str
    exponent: int
    mappings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PointFacts:
    """What is known of one point for a month; `document` is canonical, `problem` says why it cannot be settled.

    `gas` has, by channel, what its volume is turned into energy by, where that is known.
    """

    supply_point: int
    ean: str
    commodity: Commodity
    level: str | None
    contract_item: int
    tariff: TariffPoint
    agreed: Mapping[str, Decimal]
    channels: tuple[ChannelFacts, ...]
    start: datetime
    end: datetime
    document: Mapping[str, Any]
    problem: str | None = None
    digest: str = field(default="")
    gas: Mapping[int, GasTerms] = field(default_factory=dict)

    def channel(self, direction: str, kind: str) -> ChannelFacts | None:
        """The point's channel of a direction ("A+", "VT", ...) and kind ("interval", "state")."""
        for channel in self.channels:
            if channel.direction == direction and channel.kind == kind:
                return channel
        return None


def spelled(document: Any) -> str:
    """The one spelling of a document that digests are made of: JSON, sorted keys, no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(document: Any) -> str:
    """SHA-256 of the canonical spelling of a document, as "sha256:<hex>"."""
    return "sha256:" + hashlib.sha256(spelled(document).encode()).hexdigest()


POINTS = text("""
    -- consumption points not yet settled for the month, as they stand at its end, each with the item of distribution
    -- that is valid in it (the first, if several) and what is agreed for it: the reserved input, the reserved capacity
    WITH agreed AS (
        SELECT supply_point, what, count(*) AS rows, bool_and(valid @> daterange(:first, :end)) AS whole,
               (array_agg(kw ORDER BY lower(valid) DESC NULLS LAST))[1] AS kw
          FROM (SELECT supply_point, kind AS what, kw, valid FROM reserved_capacity
                UNION ALL SELECT supply_point, 'input', reserved_input_kw, valid FROM contract_item
                           WHERE reserved_input_kw IS NOT NULL) held
         WHERE valid && daterange(:first, :end)
         GROUP BY supply_point, what
    ), contract_at AS (
        SELECT DISTINCT ON (id) id, number, kind, customer, payer, valid FROM contract_valid
         WHERE held && daterange(:first, :end) ORDER BY id, lower(held) DESC NULLS LAST
    ), point AS (
        SELECT DISTINCT ON (id) *, min(voltage_level) OVER every <> max(voltage_level) OVER every AS two_levels
          FROM supply_point_valid
         WHERE valid && daterange(:first, :end) AND state IN ('connected', 'suspended')
        WINDOW every AS (PARTITION BY id)
         ORDER BY id, lower(valid) DESC NULLS LAST
    )
    SELECT sp.id, sp.ean, sp.name, sp.object, sp.street, sp.city, sp.postal_code, sp.commodity, sp.voltage_level,
           sp.metering_type, sp.category, sp.operator, operator.code AS operator_code,
           ci.id AS item, ci.prices, ci.rate, ci.breaker_phases, ci.breaker_amps, ci.annual_mwh,
           ci.gas_daily_capacity_m3, yearly.kw AS reserved_capacity_year_kw, monthly.kw AS reserved_capacity_month_kw,
           input.kw AS reserved_input_kw, sp.two_levels,
           (yearly.rows > 1 OR NOT yearly.whole OR monthly.rows > 1 OR NOT monthly.whole OR input.rows > 1
            OR NOT input.whole) AS agreed_in_part,
           lower(ci.valid) AS item_from, upper(ci.valid) AS item_to, count(ci.id) OVER (PARTITION BY sp.id) AS items,
           ci.valid @> daterange(:first, :end) AS whole_month,
           c.id AS contract, c.number AS contract_number, c.kind AS contract_kind, c.customer, c.payer,
           c.valid @> daterange(:first, :end) AS whole_contract,
           customer.code AS customer_code, payer.code AS payer_code
      FROM point sp
      JOIN party operator ON operator.id = sp.operator
      LEFT JOIN contract_item ci ON ci.supply_point = sp.id AND ci.valid && daterange(:first, :end)
           AND contract_services(ci.kind) @> 1
      LEFT JOIN contract_at c ON c.id = ci.contract
      LEFT JOIN agreed yearly ON yearly.supply_point = sp.id AND yearly.what = 'year'
      LEFT JOIN agreed monthly ON monthly.supply_point = sp.id AND monthly.what = 'month'
      LEFT JOIN agreed input ON input.supply_point = sp.id AND input.what = 'input'
      LEFT JOIN party customer ON customer.id = c.customer
      LEFT JOIN party payer ON payer.id = c.payer
     WHERE sp.point_type = 'consumption'
       AND (CAST(:points AS bigint[]) IS NULL OR sp.id = ANY (:points))
       AND NOT EXISTS (
           SELECT FROM settlement_input si
            WHERE si.contract_item = ci.id AND si.approved AND si.statement_type = 0
              AND si.valid && tstzrange(:start, :stop))
     ORDER BY sp.ean, lower(ci.valid)
""")

CHANNELS = text("""
    -- channels of the points with every register that feeds them within the month
    SELECT ch.id, ch.supply_point, ch.direction, ch.kind, ch.unit, ch.exponent,
           ec.id AS evidence_channel, ec.device, ec.register, ec.concentrator, m.serial, m.model,
           cm.multiplier, cm.sign, lower(cm.valid) AS mapped_from, upper(cm.valid) AS mapped_to
      FROM channel ch
      LEFT JOIN channel_mapping cm ON cm.channel = ch.id AND cm.valid && tstzrange(:start, :stop, '[]')
      LEFT JOIN evidence_channel ec ON ec.id = cm.evidence_channel
      LEFT JOIN meter m ON m.id = ec.device
     WHERE ch.supply_point = ANY (:points)
     ORDER BY ch.supply_point, ch.id, lower(cm.valid)
""")


def read_facts(connection: Connection, month: date, points: list[int] | None = None) -> list[PointFacts]:
    """The facts of all consumption points that no approved run has settled for `month` (its first day), by EAN.

    `points` limits them to these supply points. Entry points and production are never settled here.
    """
    end = next_month(month.year, month.month)
    starts = [month_bounds(commodity, month.year, month.month) for commodity in Commodity]
    parameters = {
        "first": month,
        "end": end,
        "start": min(bounds[0] for bounds in starts),
        "stop": max(bounds[1] for bounds in starts),
        "points": points,
    }
    rows = connection.execute(POINTS, parameters).all()
    by_point: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(CHANNELS, {**parameters, "points": sorted({row.id for row in rows})}):
        by_point[row.supply_point].append(row)
    gas = read_terms(connection, _gas_channels(by_point), month, end)
    seen: set[int] = set()
    facts: list[PointFacts] = []
    for row in rows:
        if row.id not in seen:
            seen.add(row.id)
            channels = _channels(by_point[row.id])
            known = {channel.id: gas[channel.id] for channel in channels if channel.id in gas}
            facts.append(_facts(row, channels, month, known))
    return facts


def _gas_channels(by_point: Mapping[int, list[Row[Any]]]) -> list[int]:
    return sorted({row.id for rows in by_point.values() for row in rows if row.direction == "V"})


def _facts(row: Row[Any], channels: tuple[ChannelFacts, ...], month: date, gas: Mapping[int, GasTerms]) -> PointFacts:
    commodity = Commodity(row.commodity)
    start, end = month_bounds(commodity, month.year, month.month)
    document = {
        "period": [month.isoformat(), next_month(month.year, month.month).isoformat()],
        **_document(row, channels),
    }
    if gas:
        document["gas"] = [{"channel": channel, **terms.document()} for channel, terms in sorted(gas.items())]
    agreed = {
        "reserved_capacity_year_kw": row.reserved_capacity_year_kw,
        "reserved_capacity_month_kw": row.reserved_capacity_month_kw,
        "reserved_input_kw": row.reserved_input_kw,
        "daily_capacity_thousand_m3": None if row.gas_daily_capacity_m3 is None else row.gas_daily_capacity_m3 / 1000,
    }
    return PointFacts(
        supply_point=row.id,
        ean=row.ean,
        commodity=commodity,
        level=row.voltage_level,
        contract_item=row.item or 0,
        tariff=TariffPoint(
            operator=row.prices or "",
            level=row.voltage_level,
            rate=row.rate,
            breaker_phases=row.breaker_phases,
            breaker_amperes=None if row.breaker_amps is None else Decimal(row.breaker_amps),
            annual_mwh=row.annual_mwh,
        ),
        agreed={name: value for name, value in agreed.items() if value is not None},
        channels=channels,
        start=start,
        end=end,
        document=document,
        problem=_problem(row, month),
        digest=digest_of(document),
        gas=gas,
    )


def _problem(row: Row[Any], month: date) -> str | None:
    if row.item is None:
        return f"Odběrné místo {row.ean} nemá v měsíci {month:%m/%Y} platnou položku smlouvy."
    if row.items > 1 or not row.whole_month:
        return (
            f"Položka smlouvy {row.contract_number} místa {row.ean} neplatí po celý měsíc {month:%m/%Y}; "
            "dělení měsíce tato verze neumí."
        )
    if row.two_levels:
        return f"Napěťová hladina místa {row.ean} se v měsíci {month:%m/%Y} mění; dělení měsíce tato verze neumí."
    if row.agreed_in_part:
        return (
            f"Rezervovaný příkon nebo kapacita místa {row.ean} neplatí po celý měsíc {month:%m/%Y}; "
            "dělení měsíce tato verze neumí."
        )
    if not row.whole_contract:
        return f"Smlouva {row.contract_number} místa {row.ean} neplatí po celý měsíc {month:%m/%Y}."
    return None


def _document(row: Row[Any], channels: tuple[ChannelFacts, ...]) -> dict[str, Any]:
    def number(value: Decimal | None) -> str | None:
        return None if value is None else str(value)

    return {
        "supply_point": {
            "id": row.id,
            "ean": row.ean,
            "name": row.name,
            "object": row.object,
            "address": [row.street, row.postal_code, row.city],
            "commodity": row.commodity,
            "level": row.voltage_level,
            "metering_type": row.metering_type,
            "category": row.category,
            "operator": {"id": row.operator, "code": row.operator_code},
        },
        "contract": {
            "id": row.contract,
            "number": row.contract_number,
            "kind": row.contract_kind,
            "customer": {"id": row.customer, "code": row.customer_code},
            "payer": {"id": row.payer, "code": row.payer_code},
        },
        "item": {
            "id": row.item,
            "prices": row.prices,
            "rate": row.rate,
            "breaker_phases": row.breaker_phases,
            "breaker_amps": row.breaker_amps,
            "reserved_capacity_year_kw": number(row.reserved_capacity_year_kw),
            "reserved_capacity_month_kw": number(row.reserved_capacity_month_kw),
            "reserved_input_kw": number(row.reserved_input_kw),
            "annual_mwh": number(row.annual_mwh),
            "gas_daily_capacity_m3": number(row.gas_daily_capacity_m3),
            "valid": [_day(row.item_from), _day(row.item_to)],
        },
        "channels": [
            {
                "id": channel.id,
                "direction": channel.direction,
                "kind": channel.kind,
                "unit": channel.unit,
                "exponent": channel.exponent,
                "mappings": [dict(mapping) for mapping in channel.mappings],
            }
            for channel in channels
        ],
    }


def _channels(rows: list[Row[Any]]) -> tuple[ChannelFacts, ...]:
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


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
