"""Read what holds of points and their items beside the regulated, set-wise: a few queries whatever their number."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, text

from central.platform.arrays import int_array
from central.settlement.cuts import Held
from central.settlement.own import NOTHING, Attached, Condition, OwnFacts, OwnPrice, PriceList, Service

CONDITIONS = text("""
    SELECT supply_point, kind, percent, choice, source, lower(valid) AS since, upper(valid) AS until
      FROM point_condition
     WHERE supply_point = ANY (CAST(:points AS bigint[])) AND valid && daterange(:first, :end)
     ORDER BY supply_point, kind, lower(valid)
""")

SERVICES = text("""
    -- services attached to items of the points, with the floor area of the point's object
    SELECT i.supply_point, s.contract_item, lower(s.valid * i.valid) AS since, upper(s.valid * i.valid) AS until, s.id,
           s.service, s.quantity, s.fixed, s.channel, s.formula, s.collection, s.node, s.share, s.percent,
           o.code, o.rate, o.name_cs, o.name_en, o.unit, o.vat_percent, object.area_m2
      FROM contract_service s
      JOIN contract_item i ON i.id = s.contract_item
      JOIN own_service o ON o.id = s.service
      JOIN supply_point sp ON sp.id = i.supply_point
      LEFT JOIN site_object object ON object.id = sp.site_object
     WHERE i.supply_point = ANY (CAST(:points AS bigint[])) AND s.valid * i.valid && daterange(:first, :end)
     ORDER BY s.contract_item, o.code, lower(s.valid)
""")

SERVICE_PRICES = text("""
    SELECT service, price, source, lower(valid) AS since, upper(valid) AS until
      FROM own_service_price
     WHERE service = ANY (CAST(:services AS bigint[])) AND valid && daterange(:first, :end)
     ORDER BY service, lower(valid)
""")

LISTS = text("""
    SELECT i.supply_point, l.contract_item, lower(l.valid * i.valid) AS since, upper(l.valid * i.valid) AS until,
           l.price_list, p.code, p.name
      FROM item_price_list l
      JOIN contract_item i ON i.id = l.contract_item
      JOIN own_price_list p ON p.id = l.price_list
     WHERE i.supply_point = ANY (CAST(:points AS bigint[])) AND l.valid * i.valid && daterange(:first, :end)
     ORDER BY l.contract_item, lower(l.valid)
""")

LIST_PRICES = text("""
    SELECT price_list, component, rate, price, source, lower(valid) AS since, upper(valid) AS until
      FROM own_price
     WHERE price_list = ANY (CAST(:lists AS bigint[])) AND valid && daterange(:first, :end)
     ORDER BY price_list, component, rate, lower(valid)
""")

CHANNELS = text("""
    SELECT i.supply_point, f.contract_item, f.direction, f.channel, lower(f.valid) AS since, upper(f.valid) AS until
      FROM settled_from f
      JOIN contract_item i ON i.id = f.contract_item
     WHERE i.supply_point = ANY (CAST(:points AS bigint[])) AND f.valid && daterange(:first, :end)
     ORDER BY f.contract_item, f.direction, lower(f.valid)
""")


def read_own(connection: Connection, points: Sequence[int], first: date, end: date) -> dict[int, OwnFacts]:
    """By point what held in [first, end); points without anything of the kind are left out."""
    asked = {"points": int_array(points), "first": first, "end": end}
    conditions: dict[int, dict[str, list[Held[Condition]]]] = defaultdict(lambda: defaultdict(list))
    for row in connection.execute(CONDITIONS, asked):
        fact = Condition(row.percent, row.choice, row.source)
        conditions[row.supply_point][row.kind].append(Held(row.since, row.until, fact))
    services = _services(connection, asked)
    lists = _lists(connection, asked)
    channels: dict[int, dict[int, dict[str, list[Held[int]]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in connection.execute(CHANNELS, asked):
        channels[row.supply_point][row.contract_item][row.direction].append(Held(row.since, row.until, row.channel))
    return {
        point: OwnFacts(
            conditions.get(point, NOTHING.conditions),
            services.get(point, NOTHING.services),
            lists.get(point, NOTHING.lists),
            channels.get(point, NOTHING.channels),
        )
        for point in {*conditions, *services, *lists, *channels}
    }


def _services(connection: Connection, asked: Mapping[str, Any]) -> dict[int, dict[int, list[Held[Attached]]]]:
    rows = connection.execute(SERVICES, asked).all()
    prices: dict[int, list[Held[OwnPrice]]] = defaultdict(list)
    if rows:
        wanted = {**asked, "services": int_array(sorted({row.service for row in rows}))}
        for price in connection.execute(SERVICE_PRICES, wanted):
            prices[price.service].append(_price(price))
    found: dict[int, dict[int, list[Held[Attached]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        service = Service(
            row.code, row.rate, row.name_cs, row.name_en, row.unit, row.vat_percent, prices.get(row.service, [])
        )
        attached = Attached(
            row.id, service, row.quantity, row.fixed, row.area_m2 if row.quantity == "area" else None, row.channel,
            row.formula, row.collection, row.node, row.share, row.percent,
        )  # fmt: skip
        found[row.supply_point][row.contract_item].append(Held(row.since, row.until, attached))
    return found


def _lists(connection: Connection, asked: Mapping[str, Any]) -> dict[int, dict[int, list[Held[PriceList]]]]:
    rows = connection.execute(LISTS, asked).all()
    prices: dict[int, dict[tuple[str, str], list[Held[OwnPrice]]]] = defaultdict(lambda: defaultdict(list))
    if rows:
        wanted = {**asked, "lists": int_array(sorted({row.price_list for row in rows}))}
        for price in connection.execute(LIST_PRICES, wanted):
            prices[price.price_list][price.component, price.rate].append(_price(price))
    found: dict[int, dict[int, list[Held[PriceList]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        listed = PriceList(row.code, row.name, prices.get(row.price_list, {}))
        found[row.supply_point][row.contract_item].append(Held(row.since, row.until, listed))
    return found


def _price(row: Row[Any]) -> Held[OwnPrice]:
    return Held(row.since, row.until, OwnPrice(row.price, row.source))
