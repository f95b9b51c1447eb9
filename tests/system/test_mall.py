"""A mall through the interface: an entry, three shops, common use, water, a point exempt from reserved capacity.

Quarter-hours are constant, so every expected number is worked by hand in the comments; March 2026 has 2,972 of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import IntegrityError

from central.api.app import create_app
from central.network.channels import create_channels
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import Person
from central.platform.settings import Settings, TokenSetting
from central.readings.tables import day_profile
from central.tariffs.install import Consent, install
from central.workflow.prepare import prepare
from shared.metering_day import month_days
from shared.quantities import Commodity
from shared.testing import ManualClock
from tests.system.registry_rig import PLACE, WHY, Api
from tests.unit.central.settlement.packages import changed, table

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
RIGHTS = frozenset({"read", "operate", "settle", "invoice", "admin"})
ENTRY, SHOP_1, SHOP_2, SHOP_3 = (f"85918240094170{number}" for number in ("0101", "0118", "0125", "0132"))
SHOPS = {SHOP_1: (25_000, "500"), SHOP_2: (10_000, "300"), SHOP_3: (5_000, "200")}
"""Wh of a quarter-hour and floor area of each shop; the entry takes 45,000 Wh."""
SINCE = {"valid_from": "2026-01-01"}


@pytest.fixture
async def mall(database_url: str) -> AsyncIterator[Api]:
    """The registry of the mall, entered through the interface, with profiles of March."""
    token = TokenSetting(token=SecretStr("token-of-anna-0123"), name="Anna", rights=RIGHTS)
    app = create_app(Settings(database_url=database_url, tokens=(token,)))
    app.dependency_overrides[get_clock] = lambda: ManualClock(NOW)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer token-of-anna-0123"}
    engine = make_engine(database_url)
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        api = Api(opened)
        await enter(api)
        measure(engine)
        yield api
    engine.dispose()
    app.state.engine.dispose()


async def enter(api: Api) -> None:
    for code, roles in (
        ("LDS", ["operator"]),
        ("DSO", ["superior_distributor"]),
        ("C1", ["customer"]),
        ("C2", ["customer"]),
    ):
        await api.post("/v1/parties", {"code": code, "name": f"Firma {code}", "roles": roles, **PLACE})
    area = {"code": "A1", "name": "Areál", "commodity": "electricity", "licensee": "LDS", "superior": "DSO"}
    await api.post("/v1/network-areas", {**area, "valid_from": "2020-01-01"})
    common = {"commodity": "electricity", "operator": "LDS", "area": "A1", "voltage_level": "VN", **PLACE}
    for ean, (_, square) in SHOPS.items():
        await api.post("/v1/objects", {"code": f"O{ean}", "name": "Obchod", "kind": "other", "area_m2": square})
        shop = {"ean": ean, "name": "Obchod", "object": "A", "metering_type": "C1", "site_object": f"O{ean}"}
        await api.post("/v1/supply-points", {**common, **shop})
        item = {"supply_point": ean, "prices": "CEZ", "reserved_input_kw": "400", "reserved_capacity_year_kw": "80"}
        kind = "combined" if ean == SHOP_2 else "distribution"
        contract = {"number": f"S/{ean}", "kind": kind, "customer": "C1", "valid_from": "2026-01-01"}
        await api.post("/v1/contracts", {**contract, "items": [item]})
    entry = {"ean": ENTRY, "name": "Vstup", "object": "A", "metering_type": "A", "point_type": "entry"}
    await api.post("/v1/supply-points", {**common, **entry})
    item = {"supply_point": ENTRY, "prices": "CEZ", "reserved_input_kw": "400", "reserved_capacity_year_kw": "170"}
    contract = {"number": "N/1", "kind": "purchase", "customer": "LDS", "valid_from": "2026-01-01"}
    await api.post("/v1/contracts", {**contract, "items": [item]})


def measure(engine: Engine) -> None:
    """Channels, profiles of March, the collection of the mall, and the packages of the product."""
    with transaction(engine) as db:
        anna = Person("Anna", RIGHTS)
        prepare(db, anna, NOW)
        install(db, changed(_mall_rules), anna, NOW, Consent(unsigned="zkouška"))
        points = {"Vstup": ENTRY, "Obchod 1": SHOP_1, "Obchod 2": SHOP_2, "Obchod 3": SHOP_3}
        active = {"direction": "A+", "commodity": "electricity", "unit": "Wh", "exponent": 0, "kind": "interval"}
        specs = [{**active, "point": name, "supply_point": ean, "step_s": 900} for name, ean in points.items()]
        water = {
            "point": "Voda",
            "direction": "V",
            "commodity": "gas",
            "unit": "m3",
            "exponent": -3,
            "kind": "interval",
        }
        create_channels(db, [*specs, {**water, "supply_point": None, "step_s": 3600}])
        numbers: dict[str, int] = {row.point: row.id for row in db.execute(text("SELECT point, id FROM channel"))}
        values = {"Vstup": 45_000, "Voda": 10} | {name: SHOPS[ean][0] for name, ean in points.items() if ean in SHOPS}
        for name, number in numbers.items():
            commodity = Commodity.GAS if name == "Voda" else Commodity.ELECTRICITY
            db.execute(
                insert(day_profile),
                [
                    {
                        "channel": number, "day": day.date, "version": 1, "values": [values[name]] * day.length,
                        "step_ms": int(day.step.total_seconds() * 1000), "made_at": NOW, "made_by": "test",
                        "missing": 0, "batches": [1], "digest": b"1",
                    }
                    for day in month_days(commodity, 2026, 3)
                ],
            )  # fmt: skip
        db.execute(text("INSERT INTO collection (code, name, purpose) VALUES ('mall', 'Areál', 'settlement')"))
        for name in points:
            db.execute(
                text("""
                    INSERT INTO collection_node (collection, node, parent, channel, valid)
                    SELECT c.id, :node, :parent, :channel, daterange('2026-01-01', NULL) FROM collection c
                """),
                {"node": name, "parent": None if name == "Vstup" else "Vstup", "channel": numbers[name]},
            )


def _mall_rules(content: dict[str, Any]) -> None:
    """The law with what the mall needs: the exemption, the entry without exempt points, the tax on electricity."""
    content["version"] = "2026.999"
    for rule in content["rules"]:
        if rule["component"] in ("reserved_capacity_year", "reserved_capacity_month", "excess_reserved_capacity"):
            rule["parameters"]["not_if"] = "capacity_exempt"
        if rule["component"] == "excess_reserved_capacity":
            rule["parameters"]["measured_at_entry"] = "max_quarter_hour_without_exempt_kw"
    if not any(each["component"] == "electricity_tax" for each in content["tables"]):
        content["tables"].append(table("electricity_tax", "CZK/MWh", [], ["28.30"]))


async def items_of(api: Api) -> dict[str, int]:
    return {row["ean"]: row["id"] for row in await api.get("/v1/contract-items")}


async def create_service(api: Api, code: str, rate: int, unit: str, price: str) -> None:
    service = {"code": code, "rate": rate, "name_cs": code, "name_en": code, "unit": unit, "vat_percent": "21"}
    await api.post("/v1/own-services", service)
    await api.post(f"/v1/own-services/{code}/prices", {"price": price, "source": "ceník 1", **SINCE, **WHY})


async def attach(api: Api, item: int, part: str, body: dict[str, Any], status: int = 201) -> Any:
    """Attach something to an item; that its profiles are touched was seen."""
    return await api.post(f"/v1/contract-items/{item}/{part}?confirmed=true", body, status)


async def settle(api: Api) -> int:
    run: int = (await api.post("/v1/settlement/runs", {"month": "2026-03"}))["id"]
    assert (await api.get(f"/v1/settlement/runs/{run}"))["omissions"] == []
    return run


async def bases(api: Api, run: int, ean: str) -> dict[int, dict[str, Any]]:
    return {row["rate"]: row for row in await api.get(f"/v1/bases?run={run}&ean={ean}")}


async def test_a_month_of_a_mall(mall: Api, database_url: str) -> None:
    items = await items_of(mall)
    await create_service(mall, "spolecna", 3001, "MWh", "4000")
    await create_service(mall, "voda", 3002, "m3", "100")
    for ean in SHOPS:
        share = {"service": "spolecna", "quantity": "node", "collection": "mall", "node": "Vstup", "share": "area"}
        await attach(mall, items[ean], "services", {**share, **SINCE, **WHY})
    meter = {"service": "voda", "quantity": "formula", "formula": '"Voda" V x 0.5', **SINCE, **WHY}
    await attach(mall, items[SHOP_1], "services", meter)
    loss = {"kind": "loss", "percent": "4", "source": "protokol 7", **SINCE, **WHY}
    await mall.post(f"/v1/supply-points/{SHOP_2}/conditions?confirmed=true", loss)
    exempt = {"kind": "capacity_exempt", "source": "licence 12", **SINCE, **WHY}
    await mall.post(f"/v1/supply-points/{SHOP_1}/conditions?confirmed=true", exempt)
    supply = {"number": "D/1", "kind": "supply", "customer": "C2", "valid_from": "2026-03-11"}
    await mall.post("/v1/contracts", {**supply, "items": [{"supply_point": SHOP_3, "prices": "CEZ"}]})
    await mall.post("/v1/own-price-lists", {"code": "VN26", "name": "Ceník", "commodity": "electricity"})
    for component, price in (("fixed", "150"), ("energy", "3000")):
        listed = {"component": component, "price": price, "source": "ceník 1", **SINCE, **WHY}
        await mall.post("/v1/own-price-lists/VN26/prices", listed)
    await attach(mall, items[SHOP_2], "price-lists", {"price_list": "VN26", **SINCE, **WHY})
    apart = next(row["id"] for row in await mall.get("/v1/contract-items") if row["kind"] == "supply")
    await attach(mall, apart, "price-lists", {"price_list": "VN26", "valid_from": "2026-03-11", **WHY})
    run = await settle(mall)

    first, second, third, entry = [await bases(mall, run, ean) for ean in (SHOP_1, SHOP_2, SHOP_3, ENTRY)]
    # 5,000 Wh x 2,972 = 14.86 MWh are left of the entry: by 500, 300 and 200 m2
    shares = [(each[3001]["quantity"], each[3001]["amount"]) for each in (first, second, third)]
    assert shares == [("7.43", "29720.00"), ("4.458", "17832.00"), ("2.972", "11888.00")]
    # 743 hours of 0.010 m3, a half of them
    assert (first[3002]["quantity"], first[3002]["amount"]) == ("3.715", "371.50")
    # exempt: neither reserved capacity (80 kW) nor its over-run (100 kW taken)
    assert not {5, 6, 17} & set(first) and {6, 7} <= set(third)
    # 29.72 MWh x 1.04 = 30.9088; 40 kW x 1.04 stay under 80 kW
    assert (second[7]["quantity"], 17 in second) == ("30.909", False)
    assert "1,04" in (await mall.get(f"/v1/bases/{second[7]['id']}"))["why"]["text"]
    # sold: one month, 30.909 MWh x 3,000 and the tax of 28.30
    assert [second[rate]["amount"] for rate in (1, 2, 2021)] == ["150.00", "92727.00", "874.72"]
    # under a supply contract of its own from 11 March: 21/31 of a month; 2,012 x 5,000 Wh
    assert [(third[rate]["quantity"], third[rate]["amount"]) for rate in (1, 2, 2021)] == [
        ("0.677419", "101.61"), ("10.06", "30180.00"), ("10.06", "284.70")
    ]  # fmt: skip
    assert {third[rate]["contract_item"] for rate in (1, 2, 2021)} == {apart} != {third[7]["contract_item"]}
    # the entry: 0.170 MW x 252,565; 133.74 MWh x 106.22; of its 180 kW the exempt shop's 100 are not evaluated
    assert (entry[6]["amount"], entry[7]["amount"], 17 in entry) == ("42936.05", "14205.86", False)

    await mall.post(f"/v1/settlement/runs/{run}/approve", {}, 200)
    engine = make_engine(database_url)
    with transaction(engine) as db:
        kinds = db.execute(
            text("""
                SELECT DISTINCT sp.point_type, b.service, seller.code FROM billing_basis b
                  JOIN supply_point sp ON sp.id = b.supply_point JOIN party seller ON seller.id = b.seller ORDER BY 1, 2
            """)
        )
        assert [tuple(row) for row in kinds] == [
            ("consumption", "distribution", "LDS"), ("consumption", "other", "LDS"), ("consumption", "supply", "LDS"),
            ("entry", "purchase", "DSO"),
        ]  # fmt: skip
    with pytest.raises(IntegrityError, match="never_invoiced"), transaction(engine) as db:
        db.execute(text("UPDATE billing_basis SET state = 'invoiced' WHERE service = 'purchase'"))
    engine.dispose()

    asked = {"first": "2026-03-01", "end": "2026-04-01", "collection": "mall", "node": "Vstup"}
    expected = {"run": run, "entry": ENTRY, "by": {"reserved_capacity_year": "capacity"}, "otherwise": "energy"}
    listing = await mall.post("/v1/settlement/splits", {**asked, "expected": expected}, 200)
    total = sum(Decimal(row["amount"]) for row in entry.values())
    assert Decimal(listing["total"]) == total == sum(Decimal(each["amount"]) for each in listing["points"])
    capacity = next(each for each in listing["amounts"] if each["by"] == "capacity")
    # 42,936.05 by 80, 80 and 80 kW
    assert [each["amount"] for each in capacity["parts"]] == ["14312.02", "14312.02", "14312.01"]


async def test_what_does_not_fit_is_refused_with_a_sentence(mall: Api) -> None:
    items = await items_of(mall)
    await create_service(mall, "teplo", 3003, "GJ", "600")
    services = f"/v1/contract-items/{items[SHOP_1]}/services?confirmed=true"
    base = {"service": "teplo", **SINCE, **WHY}
    for given, said in (
        ({"quantity": "fixed"}, "said by fixed"),
        ({"quantity": "area"}, "in m2"),
        ({"quantity": "formula", "formula": '"Voda" V'}, "m3 is turned into"),
        ({"quantity": "formula", "formula": '"Nic" A+'}, "no interval channel"),
        ({"quantity": "node", "collection": "mall", "node": "Obchod 1", "share": "whole"}, "nothing below"),
        ({"quantity": "node", "collection": "mall", "node": "x", "share": "whole"}, "not in the collection"),
    ):
        assert said in (await mall.post(services, {**base, **given}, 422))["message"]
    await mall.post(services, {**base, "service": "nic", "quantity": "fixed", "fixed": "1"}, 404)
    lists = f"/v1/contract-items/{items[SHOP_1]}/price-lists?confirmed=true"
    await mall.post("/v1/own-price-lists", {"code": "NN26", "name": "Ceník NN", "commodity": "electricity"})
    assert "combined" in (await mall.post(lists, {"price_list": "NN26", **SINCE, **WHY}, 409))["message"]
    prices = "/v1/own-price-lists/NN26/prices"
    price = {"component": "vt", "price": "3000", "source": "ceník", **SINCE, **WHY}
    assert len((await mall.post(prices, price))["prices"]) == 1
    await mall.post("/v1/own-price-lists", {"code": "NN26", "name": "Ceník NN", "commodity": "gas"}, 409)


async def test_attached_things_follow_each_other_and_end(mall: Api) -> None:
    items = await items_of(mall)
    item, other = items[SHOP_1], items[SHOP_3]
    sales = f"/v1/contract-items/{item}/sales"
    await create_service(mall, "odecet", 3004, "ks", "80")
    reading = {"service": "odecet", "quantity": "fixed", "fixed": "1", **SINCE, **WHY}
    preview = await mall.post(f"/v1/contract-items/{item}/services?preview=true", reading)
    assert preview["preview"] and (await mall.get(sales))["services"] == []
    await attach(mall, item, "services", reading)
    later = {**reading, "fixed": "2", "valid_from": "2026-03-11"}
    shown = await attach(mall, item, "services", later)
    assert [(row["valid_from"], row["valid_to"]) for row in shown["services"]] == [
        ("2026-01-01", "2026-03-11"), ("2026-03-11", None)
    ]  # fmt: skip
    main = (await mall.get("/v1/channels?point=Vstup"))[0]["id"]
    channel = {"direction": "A+", "channel": main, "valid_from": "2026-03-11", **WHY}
    await attach(mall, other, "settled-from", {**channel, "direction": "A-"}, 422)
    await attach(mall, other, "settled-from", channel)
    run = await settle(mall)
    # 10 days of 96 x 5,000 Wh = 4.8 MWh; 21 days (one of 23 hours) of 45,000 Wh: 2,012 x 45,000 = 90.54 MWh
    assert (await bases(mall, run, SHOP_3))[7]["quantity"] == "95.340"
    rows = [row for row in await mall.get(f"/v1/bases?run={run}&ean={SHOP_1}") if row["rate"] == 3004]
    # 10/31 of one and 21/31 of two: 0.323 and 1.677 - 0.323 of the sum 1.677
    assert [(row["quantity"], row["amount"]) for row in rows] == [("0.323", "25.84"), ("1.354", "108.32")]
    last = shown["services"][-1]["id"]
    close = f"/v1/contract-items/{item}/services/{last}/close"
    await mall.post(close, {"on": "2026-04-01", **WHY}, 428)
    etag = await mall.etag(sales)
    refused = await mall.post(close, {"on": "2026-03-20", **WHY}, 409, etag)
    assert "billing basis" in refused["message"]
    ended = await mall.post(f"{close}?confirmed=true", {"on": "2026-04-01", **WHY}, 200, etag)
    assert ended["services"][-1]["valid_to"] == "2026-04-01"
    await mall.post(f"{close}?confirmed=true", {"on": "2026-05-01", **WHY}, 409, await mall.etag(sales))
