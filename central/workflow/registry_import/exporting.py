"""What is stored as records of the fields that a file may have: what an export writes and an import takes back."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from central.workflow.registry_import.applying import number_of
from central.workflow.registry_import.mapping import Content, RegistryMapping
from central.workflow.registry_import.writing import write_records

_PARTIES: Final = """
    SELECT p.code AS "party.code", p.name AS "party.name", p.roles AS "party.roles", p.street AS "party.street",
           p.city AS "party.city", p.postal_code AS "party.postal_code", p.country AS "party.country",
           p.ico AS "party.ico", p.dic AS "party.dic", p.ean13 AS "party.ean13", p.eic AS "party.eic",
           p.iban AS "party.iban", p.licence AS "party.licence", p.registration AS "party.registration",
           p.vat_payer AS "party.vat_payer", p.email AS "party.email", p.phone AS "party.phone",
           s.code AS "party.superior"
    FROM party p LEFT JOIN party s ON s.id = p.superior
    ORDER BY (p.superior IS NOT NULL), p.code
"""

_POINTS: Final = """
    -- a row per item that is in force on the day or later; a point without any has a row of its own
    SELECT p.ean AS "supply_point.ean", p.name AS "supply_point.name", p.object AS "supply_point.object",
           p.street AS "supply_point.street", p.city AS "supply_point.city",
           p.postal_code AS "supply_point.postal_code", p.commodity AS "supply_point.commodity",
           o.code AS "supply_point.operator", s.code AS "supply_point.supplier",
           p.point_type AS "supply_point.point_type", p.voltage_level AS "supply_point.voltage_level",
           p.metering_type AS "supply_point.metering_type", p.category AS "supply_point.category",
           p.load_profile_class AS "supply_point.load_profile_class", n.code AS "supply_point.area",
           b.code AS "supply_point.site_object", p.temperature_zone AS "supply_point.temperature_zone",
           p.planned_mwh AS "supply_point.planned_mwh", p.pressure_level AS "supply_point.pressure_level",
           p.gas_group AS "supply_point.gas_group",
           c.number AS "contract.number", c.kind AS "contract.kind", k.code AS "contract.customer",
           y.code AS "contract.payer", a.number AS "contract.account", lower(c.valid) AS "contract.valid_from",
           upper(c.valid) AS "contract.valid_to", c.due_days AS "contract.due_days",
           c.payment AS "contract.payment",
           i.prices AS "item.prices", i.rate AS "item.rate", i.breaker_phases AS "item.breaker_phases",
           i.breaker_amps AS "item.breaker_amps", i.breaker_characteristic AS "item.breaker_characteristic",
           i.reserved_input_kw AS "item.reserved_input_kw", i.reserved_output_kw AS "item.reserved_output_kw",
           i.annual_mwh AS "item.annual_mwh", i.gas_daily_capacity_m3 AS "item.gas_daily_capacity_m3",
           i.gas_category AS "item.gas_category", i.unmetered_w AS "item.unmetered_w",
           nullif(i.unmetered_flat, false) AS "item.unmetered_flat", lower(i.valid) AS "item.valid_from",
           upper(i.valid) AS "item.valid_to",
           ry.kw AS "item.reserved_capacity_year_kw", rm.kw AS "item.reserved_capacity_month_kw",
           gm.m3_a_day AS "item.gas_capacity_month_m3", gs.m3_a_day AS "item.gas_capacity_sliding_m3"
    FROM supply_point p
    JOIN party o ON o.id = p.operator
    LEFT JOIN party s ON s.id = p.supplier
    LEFT JOIN network_area n ON n.id = p.area
    LEFT JOIN site_object b ON b.id = p.site_object
    LEFT JOIN contract_item i ON i.supply_point = p.id AND (upper(i.valid) IS NULL OR upper(i.valid) > :day)
    LEFT JOIN contract c ON c.id = i.contract
    LEFT JOIN party k ON k.id = c.customer
    LEFT JOIN party y ON y.id = c.payer
    LEFT JOIN contract_account a ON a.id = c.account
    LEFT JOIN reserved_capacity ry ON ry.supply_point = p.id AND ry.kind = 'year' AND ry.valid = i.valid
    LEFT JOIN reserved_capacity rm ON rm.supply_point = p.id AND rm.kind = 'month' AND rm.valid = i.valid
    LEFT JOIN gas_capacity gm ON gm.supply_point = p.id AND gm.kind = 'month' AND gm.valid = i.valid
    LEFT JOIN gas_capacity gs ON gs.supply_point = p.id AND gs.kind = 'sliding' AND gs.valid = i.valid
    ORDER BY p.ean, c.number, lower(i.valid)
"""

_METERS: Final = """
    -- meters that hang somewhere, with where they answer now and what they feed
    SELECT m.id AS "meter.id", m.serial AS "meter.serial", m.model AS "meter.model",
           m.commodity AS "meter.commodity", m.place AS "meter.place", lower(h.valid) AS "meter.since",
           a.template AS "meter.template", a.address, a.listens,
           f.multiplier AS "meter.multiplier",
           p.name AS "measuring_point.name", p.place AS "measuring_point.place", d.name AS "board.name",
           k.id AS "concentrator.id", k.name AS "concentrator.name", k.place AS "concentrator.place",
           b.name AS "bus.name", b.protocol AS "bus.protocol", b.link ->> 'host' AS "bus.host",
           (b.link ->> 'port')::integer AS "bus.port", f.ean AS "supply_point.ean"
    FROM mounting h
    JOIN meter m ON m.id = h.meter
    JOIN measuring_point p ON p.id = h.measuring_point
    JOIN attachment a ON a.meter = m.id AND (upper(a.valid) IS NULL OR upper(a.valid) > :at)
    JOIN bus b ON b.id = a.bus
    JOIN concentrator k ON k.id = b.concentrator
    LEFT JOIN board d ON d.id = p.board
    LEFT JOIN LATERAL (
        SELECT min(g.multiplier) AS multiplier, min(s.ean) AS ean
        FROM evidence_channel e JOIN channel_mapping g ON g.evidence_channel = e.id
        JOIN channel c ON c.id = g.channel LEFT JOIN supply_point s ON s.id = c.supply_point
        WHERE e.device = m.id AND c.point = p.name
    ) f ON true
    WHERE upper(h.valid) IS NULL OR upper(h.valid) > :at
    ORDER BY k.id, b.name, m.id
"""

_QUERIES: Final[Mapping[Content, str]] = {"parties": _PARTIES, "supply_points": _POINTS, "meters": _METERS}


def records_of(connection: Connection, content: Content, now: datetime, day: date) -> Iterator[dict[str, Any]]:
    """The stored parties, supply points with items, or meters, by field; read in pieces."""
    query = text(_QUERIES[content]).execution_options(yield_per=2_000)
    moment: dict[Content, dict[str, Any]] = {"parties": {}, "supply_points": {"day": day}, "meters": {"at": now}}
    for row in connection.execute(query, moment[content]).mappings():
        record = dict(row)
        if content == "meters":
            record["meter.address"] = number_of(record.pop("address"))
            _, _, channel = record.pop("listens").partition(" channel ")
            record["meter.channel"] = int(channel or 0)
        yield record


def export_file(connection: Connection, mapping: RegistryMapping, now: datetime, day: date) -> bytes:
    """What is stored, as a file that the mapping imports again without any change."""
    return write_records(records_of(connection, mapping.content, now, day), mapping)
