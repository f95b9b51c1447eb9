"""Facts that pricing reads, each with a change of it that must be found, and what the model site lacks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

POINTS = {
    "high": "sp.voltage_level = 'VN' AND sp.point_type = 'consumption'",
    "low": "i.rate = 'C25d'",
    "single": "i.rate = 'D02d'",
    "gas": "sp.commodity = 'gas'",
    "framed": "i.rate = 'D02d' AND sp.ean > (SELECT min(o.ean) FROM supply_point o"
    " JOIN contract_item t ON t.supply_point = o.id AND t.rate = 'D02d')",
}
"""One point each, the first by EAN."""
BEFORE = """
INSERT INTO own_service (code, rate, name_cs, name_en, unit, vat_percent)
VALUES ('NAJEM', 3001, 'Nájem', 'Rent', 'měs', 21), ('PLOCHA', 3002, 'Úklid', 'Cleaning', 'měs', 21);
INSERT INTO own_service_price (service, price, source, valid) SELECT id, 100, 'ceník', '[2026-01-01,)' FROM own_service;
INSERT INTO contract_service (contract_item, service, quantity, fixed, valid)
SELECT {high}, id, 'fixed', 2, '[2026-01-01,)' FROM own_service WHERE code = 'NAJEM';
INSERT INTO contract_service (contract_item, service, quantity, valid)
SELECT {low}, id, 'area', '[2026-01-01,)' FROM own_service WHERE code = 'PLOCHA';
INSERT INTO site_object (code, name, kind, area_m2) VALUES ('BYT', 'Byt', 'flat', 50);
UPDATE supply_point SET site_object = (SELECT id FROM site_object WHERE code = 'BYT') WHERE id = {low_point};
INSERT INTO own_price_list (code, name, commodity) VALUES ('NN', 'Ceník NN', 'electricity');
INSERT INTO own_price (price_list, component, rate, price, source, valid)
SELECT id, component, '', price, 'ceník', '[2026-01-01,)'
  FROM own_price_list, (VALUES ('fixed', 90), ('vt', 3100), ('nt', 2400)) AS prices (component, price);
INSERT INTO item_price_list (contract_item, price_list, valid)
SELECT {low}, id, '[2026-01-01,)' FROM own_price_list;
INSERT INTO gas_area (id, name, source) VALUES ('OBLAST', 'Oblast', 'test');
INSERT INTO gas_conversion (channel, area, kind, valid, coefficient, source)
SELECT id, 'OBLAST', 'fixed', '[2026-01-01,)', 1.02, 'test' FROM channel
 WHERE supply_point = {gas_point} AND direction = 'V' AND kind = 'interval';
INSERT INTO calorific_value (area, period, first, version, value, kind, source, reason, made_at, made_by)
SELECT 'OBLAST', 'day', day, 1, 11.1, 'entered', 'test', 'test', '2026-04-01', 'test'
  FROM generate_series(DATE '2026-03-01', DATE '2026-03-31', '1 day') AS day;
INSERT INTO own_service (code, rate, name_cs, name_en, unit, vat_percent)
VALUES ('KANAL', 3003, 'Podle kanálu', 'By channel', 'kWh', 21),
       ('VZOREC', 3004, 'Podle vzorce', 'By formula', 'kWh', 21),
       ('UZEL', 3005, 'Podle uzlu', 'By node', 'kWh', 21);
INSERT INTO own_service_price (service, price, source, valid)
SELECT id, 2, 'ceník', '[2026-01-01,)' FROM own_service WHERE rate >= 3003;
INSERT INTO collection (code, name, purpose) VALUES ('K', 'K', 'settlement');
INSERT INTO collection_node (collection, node, parent, channel, valid)
SELECT k.id, given.node, given.parent, c.id, '[2026-01-01,)'
  FROM collection k
 CROSS JOIN (VALUES ('hala', NULL, 2), ('dvůr', 'hala', 3)) AS given (node, parent, place)
  JOIN ({others}) c USING (place);
INSERT INTO contract_service (
       contract_item, service, quantity, channel, formula, collection, node, share, percent, valid)
SELECT {low}, o.id, given.quantity, CASE given.quantity WHEN 'channel' THEN c.id END,
       CASE given.quantity WHEN 'formula' THEN '"' || c.point || '" A+' END,
       CASE given.quantity WHEN 'node' THEN (SELECT id FROM collection) END,
       CASE given.quantity WHEN 'node' THEN 'hala' END, CASE given.quantity WHEN 'node' THEN 'percent' END,
       CASE given.quantity WHEN 'node' THEN 50 END, '[2026-01-01,)'
  FROM (VALUES ('KANAL', 'channel'), ('VZOREC', 'formula'), ('UZEL', 'node')) AS given (code, quantity)
  JOIN own_service o USING (code)
 CROSS JOIN ({others}) c WHERE c.place = 2;
UPDATE collection_node SET sign = -1 WHERE node = 'dvůr';
UPDATE contract_item SET reserved_output_kw = 0.1 WHERE id = {single};
UPDATE channel SET supply_point = {single_point}, exponent = 2 WHERE supply_point = {high_point} AND direction = 'A-';
INSERT INTO party (code, name, street, city, postal_code, roles)
SELECT code, code, 'x', 'x', '602 00', ARRAY['supplier'] FROM (VALUES ('S1'), ('S2')) AS given (code);
INSERT INTO contract (number, kind, customer, payer, valid)
SELECT 'R/' || code, 'framework', id, id, '[2026-01-01,)'::daterange FROM party WHERE code IN ('S1', 'S2');
UPDATE contract_item SET kind = 'framework', contract = (SELECT id FROM contract WHERE number = 'R/S1')
 WHERE id = {framed};
UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S1') WHERE id = {framed_point};
INSERT INTO contract (number, kind, customer, payer, valid)
SELECT 'N/1', 'purchase', operator, operator, '[2026-01-01,)' FROM supply_point WHERE point_type = 'entry' LIMIT 1;
INSERT INTO contract_item (contract, supply_point, prices, reserved_input_kw, operator, valid, kind)
SELECT c.id, e.id, 'CEZ', 4000, (SELECT id FROM party WHERE code = 'S2'), '[2026-01-01,)', 'purchase'
  FROM contract c, (SELECT id FROM supply_point WHERE point_type = 'entry' ORDER BY ean LIMIT 1) e WHERE number = 'N/1';
INSERT INTO reserved_capacity (supply_point, kind, kw, valid)
SELECT supply_point, 'year', 300, '[2026-01-01,)' FROM contract_item WHERE kind = 'purchase';
INSERT INTO sharing_group (code, name, kind, made_at, made_by) VALUES ('SK', 'SK', 'house', '2026-03-01', 'test');
INSERT INTO sharing_allocation (
       "group", supply_point, role, day, source, version, units, total, origin, made_at, made_by)
SELECT 'SK', {low_point}, 'consumer', '2026-03-10', source, 1, array_fill(10, ARRAY[96]), 960, 'test', '2026-04-01',
       'test'
  FROM (VALUES ('edc'), ('computed')) AS given (source)
"""
OTHERS = """
    SELECT c.id, c.point, row_number() OVER (ORDER BY sp.ean) AS place
      FROM channel c JOIN supply_point sp ON sp.id = c.supply_point
     WHERE c.direction = 'A+' AND c.kind = 'interval' AND sp.voltage_level = 'VN' AND sp.point_type = 'consumption'
"""
"""Channels of energy above low voltage by the EAN of their points; the first is of the point that facts change of."""


@dataclass(frozen=True)
class Fact:
    """A fact: whose point it is of, how it changes, and components that must be among what is found."""

    whose: str
    change: str
    touches: frozenset[str]


def fact(whose: str, change: str, *touches: str) -> Fact:
    return Fact(whose, change, frozenset(touches))


ITEM = "UPDATE contract_item SET {} WHERE id = :item"
CONDITION = (
    "INSERT INTO point_condition (supply_point, kind, percent, choice, source, valid)"
    " VALUES (:point, '{}', {}, NULL, 'posudek', '[2026-03-01,)')"
)
CAPACITY = "UPDATE reserved_capacity SET kw = kw + 7 WHERE supply_point = :point AND kind = '{}'"
PROFILE = """
    INSERT INTO day_profile (
           channel, day, version, step_ms, "values", quality, missing, batches, digest, made_at, made_by)
    SELECT channel, day, version + 1, step_ms, "values"[1:10] || ("values"[11] + 90000) || "values"[12:], quality,
           missing, batches, decode(md5("values"::text), 'hex'), made_at, 'test'
      FROM day_profile
     WHERE day = '2026-03-10' AND channel = (
           SELECT id FROM channel WHERE supply_point = :point AND direction = '{}' AND kind = 'interval')
     ORDER BY version DESC LIMIT 1
"""
PROFILE_OF_OTHER = f"""
    INSERT INTO day_profile (
           channel, day, version, step_ms, "values", quality, missing, batches, digest, made_at, made_by)
    SELECT channel, day, version + 1, step_ms, "values"[1:10] || ("values"[11] + 90000) || "values"[12:], quality,
           missing, batches, decode(md5("values"::text), 'hex'), made_at, 'test'
      FROM day_profile
     WHERE day = '2026-03-10' AND channel = (SELECT id FROM ({OTHERS}) o WHERE place = {{}})
     ORDER BY version DESC LIMIT 1
"""
STATE = """
    INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
    SELECT at, (SELECT max(id) + 1 FROM batch), value + 90000, evidence_channel, 0, 0
      FROM register_reading
     WHERE at >= '2026-03-31' AND evidence_channel IN (
           SELECT m.evidence_channel FROM channel_mapping m JOIN channel c ON c.id = m.channel
            WHERE c.supply_point = :point AND c.direction = '{}')
"""
ALLOCATION = """
    INSERT INTO sharing_allocation (
           "group", supply_point, role, day, source, version, units, total, origin, made_at, made_by)
    VALUES ('SK', :point, 'consumer', '2026-03-{}', '{}', {}, array_fill(50, ARRAY[96]), 4800, 'test', now(), 'test')
"""
MAPPING = """
    UPDATE channel_mapping SET multiplier = multiplier * 2
     WHERE channel IN (SELECT id FROM channel WHERE supply_point = :point AND direction = 'VT')
"""

FACTS: Mapping[str, Fact] = {
    "profile of energy": fact("high", PROFILE.format("A+"), "use_of_networks", "system_services"),
    "profile of reactive power": fact("high", PROFILE.format("R-"), "unsolicited_reactive"),
    "profile of gas": fact("gas", PROFILE.format("V"), "gas_energy"),
    "state of the high tariff": fact("low", STATE.format("VT"), "energy_vt", "supply_vt", "electricity_tax"),
    "state of the low tariff": fact("low", STATE.format("NT"), "energy_nt", "supply_nt"),
    "state of a single tariff": fact("single", STATE.format("JT"), "energy_jt"),
    "multiplier of a register": fact("low", MAPPING, "energy_vt"),
    "price list": fact("high", ITEM.format("prices = 'EGD'"), "use_of_networks", "reserved_capacity_year"),
    "rate": fact("low", ITEM.format("rate = 'C26d'"), "breaker"),
    "breaker current": fact("low", ITEM.format("breaker_amps = breaker_amps + 40"), "breaker"),
    "breaker phases": fact("low", ITEM.format("breaker_phases = 1, breaker_amps = 25"), "breaker"),
    "reserved input": fact("high", ITEM.format("reserved_input_kw = 20"), "excess_reserved_input"),
    "planned consumption of gas": fact("gas", ITEM.format("annual_mwh = 1"), "gas_energy"),
    "yearly capacity": fact("high", CAPACITY.format("year"), "reserved_capacity_year"),
    "payer": fact(
        "high",
        "UPDATE contract SET payer = (SELECT min(p.id) FROM party p WHERE p.id <> payer AND 'customer' = ANY (p.roles))"
        " WHERE id = (SELECT contract FROM contract_item WHERE id = :item)",
        "use_of_networks",
    ),
    "customer": fact(
        "high",
        "UPDATE contract SET customer = (SELECT min(p.id) FROM party p WHERE p.id <> customer"
        " AND 'customer' = ANY (p.roles)) WHERE id = (SELECT contract FROM contract_item WHERE id = :item)",
        "use_of_networks",
    ),
    "no contract item": fact(
        "high", ITEM.format("valid = '[2025-01-01,2026-03-01)'"), "use_of_networks", "service:NAJEM"
    ),
    "unmetered power": fact(
        "single", ITEM.format("rate = 'C60d', unmetered_w = 100, breaker_phases = NULL, breaker_amps = NULL")
    ),
    "monthly capacity": fact("high", CAPACITY.format("month"), "reserved_capacity_month"),
    "calorific value": fact(
        "gas",
        "INSERT INTO calorific_value (area, period, first, version, value, kind, source, reason, made_at, made_by)"
        " SELECT area, period, first, version + 1, value + 1, kind, source, reason, made_at, made_by"
        "   FROM calorific_value v WHERE version = (SELECT max(version) FROM calorific_value n WHERE n.area = v.area"
        "                                              AND n.period = v.period AND n.first = v.first)",
        "gas_energy",
    ),
    "conversion of gas": fact(
        "gas",
        "UPDATE gas_conversion SET kind = 'fixed', coefficient = 1.5, temperature_k = NULL, gauge_kpa = NULL,"
        " compressibility = NULL, altitude_m = NULL, barometric_kpa = NULL"
        " WHERE channel IN (SELECT id FROM channel WHERE supply_point = :point)",
        "gas_energy",
    ),
    "daily capacity of gas": fact(
        "gas", ITEM.format("gas_daily_capacity_m3 = coalesce(gas_daily_capacity_m3, 0) + 100"), "gas_capacity_year"
    ),
    "monthly capacity of gas": fact(
        "gas",
        "INSERT INTO gas_capacity (supply_point, kind, m3_a_day, valid)"
        " VALUES (:point, 'month', 500, '[2026-03-01,2026-04-01)')",
    ),
    "exemption from capacity": fact("high", CONDITION.format("capacity_exempt", "NULL"), "reserved_capacity_year"),
    "single-component price": fact("high", CONDITION.format("single_component", "NULL"), "reserved_capacity_year"),
    "losses of a transformer": fact("high", CONDITION.format("loss", "4"), "use_of_networks", "system_services"),
    "exemption from tax": fact("low", CONDITION.format("tax_exempt", "NULL"), "electricity_tax"),
    "price of a service": fact("high", "UPDATE own_service_price SET price = 120", "service:NAJEM"),
    "VAT of a service": fact("high", "UPDATE own_service SET vat_percent = 12", "service:NAJEM"),
    "quantity of a service": fact(
        "high", "UPDATE contract_service SET fixed = 3 WHERE contract_item = :item", "service:NAJEM"
    ),
    "end of a service": fact("high", "DELETE FROM contract_service WHERE contract_item = :item", "service:NAJEM"),
    "area of an object": fact("low", "UPDATE site_object SET area_m2 = 51 WHERE area_m2 = 50", "service:PLOCHA"),
    "price of energy": fact("low", "UPDATE own_price SET price = price + 10 WHERE component = 'vt'", "supply_vt"),
    "end of a price list": fact("low", "DELETE FROM item_price_list", "supply_vt", "supply_fixed", "electricity_tax"),
    "another channel": fact(
        "high",
        "INSERT INTO settled_from (contract_item, direction, channel, valid) SELECT :item, 'A+', c.id, '[2026-03-01,)'"
        "  FROM channel c JOIN supply_point sp ON sp.id = c.supply_point"
        " WHERE c.direction = 'A+' AND c.kind = 'interval' AND sp.voltage_level = 'VN'"
        "   AND sp.point_type = 'consumption' AND sp.id <> :point ORDER BY c.id LIMIT 1",
        "use_of_networks",
    ),
    "operator": fact(
        "high",
        "UPDATE supply_point SET operator = (SELECT min(id) FROM party p WHERE p.id <> operator) WHERE id = :point",
        "use_of_networks",
    ),
    "level": fact("high", "UPDATE supply_point SET voltage_level = 'VVN' WHERE id = :point", "use_of_networks"),
    "reserved output": fact("single", ITEM.format("reserved_output_kw = 0.2"), "excess_reserved_output"),
    "profile of output": fact("single", PROFILE.format("A-"), "excess_reserved_output"),
    "supplier under a framework contract": fact(
        "framed",
        "WITH moved AS (UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S2') WHERE id = :point)"
        " UPDATE contract_item SET contract = (SELECT id FROM contract WHERE number = 'R/S2') WHERE id = :item",
        "breaker",
        "energy_jt",
    ),
    "sliding capacity of gas": fact(
        "gas",
        "INSERT INTO gas_capacity (supply_point, kind, m3_a_day, valid)"
        " VALUES (:point, 'sliding', 50, '[2026-03-11,2026-03-21)')",
        "gas_capacity_sliding",
    ),
    "profile that services count by": fact(
        "low", PROFILE_OF_OTHER.format(2), "service:KANAL", "service:VZOREC", "service:UZEL"
    ),
    "channel of a service": fact(
        "low",
        f"UPDATE contract_service SET channel = (SELECT id FROM ({OTHERS}) o WHERE place = 3)"
        " WHERE contract_item = :item AND quantity = 'channel'",
        "service:KANAL",
    ),
    "formula of a service": fact(
        "low",
        "UPDATE contract_service SET formula = formula || ' * 2' WHERE contract_item = :item AND quantity = 'formula'",
        "service:VZOREC",
    ),
    "profile below a node": fact("low", PROFILE_OF_OTHER.format(3), "service:UZEL"),
    "node of a collection": fact(
        "low", "UPDATE collection_node SET valid = '[2026-01-01,2026-03-11)' WHERE node = 'dvůr'", "service:UZEL"
    ),
    "share of a node": fact(
        "low",
        "UPDATE contract_service SET percent = 40 WHERE contract_item = :item AND quantity = 'node'",
        "service:UZEL",
    ),
    "newer allocation of shared energy": fact("low", ALLOCATION.format(10, "edc", 2), "system_services"),
    "allocation of another day": fact("low", ALLOCATION.format(11, "computed", 1), "system_services"),
    "disconnection": fact("high", "UPDATE supply_point SET state = 'ended' WHERE id = :point", "use_of_networks"),
}

ENTRY_FACTS: Mapping[str, Fact] = {
    "profile of an entry": fact("entry", PROFILE.format("A+"), "use_of_networks", "system_services"),
    "price list of an entry": fact("entry", ITEM.format("prices = 'EGD'"), "use_of_networks"),
    "capacity of an entry": fact("entry", CAPACITY.format("year"), "reserved_capacity_year"),
    "who should bill an entry": fact(
        "entry", ITEM.format("operator = (SELECT id FROM party WHERE code = 'S1')"), "use_of_networks"
    ),
}
"""Of a purchase contract, whose bases are compared and never invoiced: an update of the bases finds what changed."""
