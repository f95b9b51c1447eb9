"""The site of the year: an operator, its superior distributor, two suppliers, four customers and five points."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime, time
from typing import Any

from central.invoicing.account import iban_of
from central.tariffs.load import shipped_files
from central.tariffs.seal import seal
from shared.control.keys import key_text, signing_public
from shared.metering_day import PRAGUE, MeteringDay
from tests.system.billing.year_desk import BANK, WHY, Desk

PLACE = {"street": "Tovární 1", "city": "Brno", "postal_code": "602 00"}
HOUSE, SHOP, HALL = "859182400941700019", "859182400941700026", "859182400941700033"
BAKERY, CAFE = "859182400941700040", "859182400941700057"
ACCOUNTS = {
    "NOVAK": "2000145399/0800",
    "DILNA": "2600123454/2010",
    "HUT": "27-1234560287/0100",
    "S1": "670100-2200123456/6210",
    "S2": "1000000005/0300",
}
PARTIES: tuple[dict[str, Any], ...] = (
    {"code": "LDS", "name": "Areál Energie, s.r.o.", "role": "operator", "ico": "12345679", "dic": "CZ12345679",
     "iban": iban_of(f"{BANK}/0800")},
    {"code": "DSO", "name": "Nadřazená distribuce, a.s.", "role": "superior_distributor"},
    {"code": "S1", "name": "První dodavatel, a.s.", "role": "supplier"},
    {"code": "S2", "name": "Druhý dodavatel, a.s.", "role": "supplier"},
    {"code": "NOVAK", "name": "Jan Novák", "role": "customer"},
    {"code": "DILNA", "name": "Dílna, s.r.o.", "role": "customer"},
    {"code": "HUT", "name": "Huť, a.s.", "role": "customer"},
    {"code": "PEKARNA", "name": "Pekárna, s.r.o.", "role": "customer"},
    {"code": "KAVARNA", "name": "Kavárna, s.r.o.", "role": "customer"},
)  # fmt: skip
FROM = "2026-01-01"
LOW: Mapping[str, dict[str, Any]] = {
    HOUSE: {"rate": "D02d", "breaker_phases": 3, "breaker_amps": 25},
    SHOP: {"rate": "C02d", "breaker_phases": 3, "breaker_amps": 25},
    BAKERY: {"rate": "C02d", "breaker_phases": 3, "breaker_amps": 32},
    CAFE: {"rate": "C01d", "breaker_phases": 3, "breaker_amps": 16},
}


def build(desk: Desk) -> None:
    """Everything that stands on 2 January 2026, entered through the API."""
    desk.post("prepare")
    for party in PARTIES:
        desk.post("parties", {**PLACE, **party})
    area = {"code": "A1", "name": "Areál", "commodity": "electricity", "licensee": "LDS", "superior": "DSO"}
    desk.post("network-areas", {**area, "valid_from": "2020-01-01"})
    point = {"commodity": "electricity", "operator": "LDS", "area": "A1", "object": "A", **PLACE}
    low = {**point, "voltage_level": "NN", "metering_type": "C4"}
    for ean, name, more in (
        (HOUSE, "Byt správce", {"category": "household", "planned_mwh": "6"}),
        (SHOP, "Dílna", {"planned_mwh": "10"}),
        (BAKERY, "Pekárna", {"supplier": "S1", "planned_mwh": "12"}),
        (CAFE, "Kavárna", {"supplier": "S1", "planned_mwh": "4"}),
    ):
        desk.post("supply-points", {**low, "ean": ean, "name": name, **more})
    desk.post("supply-points", {**point, "ean": HALL, "name": "Hala", "voltage_level": "VN", "metering_type": "A"})
    contracts(desk)
    services(desk)
    meters(desk)


def contracts(desk: Desk) -> None:
    base = {"valid_from": FROM, "signed_on": FROM}
    annual = {"statement_months": 12, "advance_months": 1, "advance_amount": "1"}

    def item(ean: str) -> dict[str, Any]:
        return {"supply_point": ean, "prices": "CEZ", **LOW[ean]}

    desk.post("contracts", {**base, **annual, "number": "N/1", "kind": "distribution", "customer": "NOVAK",
                            "items": [item(HOUSE)]})  # fmt: skip
    desk.post("contracts", {**base, **annual, "number": "D/1", "kind": "distribution", "customer": "DILNA",
                            "items": [item(SHOP)]})  # fmt: skip
    hall = {"supply_point": HALL, "prices": "CEZ", "reserved_capacity_year_kw": "100", "reserved_input_kw": "200"}
    desk.post("contracts", {**base, "number": "H/1", "kind": "distribution", "customer": "HUT", "items": [hall]})
    quarterly = {"statement_months": 3, "advance_months": 1, "advance_amount": "3000"}
    desk.post("contracts", {**base, **quarterly, "number": "R/S1", "kind": "framework", "customer": "S1",
                            "items": [item(BAKERY), item(CAFE)]})  # fmt: skip


def services(desk: Desk) -> None:
    """A meter is let for 35 Kč a month to the household and the hall."""
    rent = {"code": "PRONAJEM", "rate": 3701, "name_cs": "Pronájem elektroměru", "name_en": "Meter rent", "unit": "měs"}
    desk.post("own-services", {**rent, "vat_percent": "21"})
    desk.post("own-services/PRONAJEM/prices", {"price": "35.00", "source": "ceník 2026", "valid_from": FROM, **WHY})
    for number in ("N/1", "H/1"):
        (item,) = desk.get(f"contracts/{number}/items")
        attached = {"service": "PRONAJEM", "quantity": "fixed", "fixed": "1", "valid_from": FROM, **WHY}
        desk.post(f"contract-items/{item['id']}/services", attached)


def meters(desk: Desk) -> None:
    desk.post("concentrators", {"id": "K1", "name": "Ruční odečty", "place": "kancelář"})
    for ean, meter, model, template in (
        (HOUSE, "M1", "sdm630", "sdm630"),
        (SHOP, "M2", "sdm630", "sdm630"),
        (HALL, "M3", "dlms", "dlms-electricity-profile"),
        (BAKERY, "M4", "sdm630", "sdm630"),
        (CAFE, "M5", "sdm630", "sdm630"),
    ):
        spec = {"id": meter, "serial": f"S{meter}", "model": model, "commodity": "electricity", "concentrator": "K1"}
        desk.post("meters", spec)
        desk.post("measuring-points", {"name": f"P-{meter}", "commodity": "electricity"})
        mounted = {"meter": meter, "template": template, "supply_point": ean,
                   "states": [{"register": "1-0:1.8.0", "value": 1000}]}  # fmt: skip
        if ean == HALL:
            mounted["directions"] = ["A+", "JT"]
        body = {"at": "2026-01-01T00:00:00+01:00", "reason": "montáž", "mounted": mounted}
        desk.post(f"measuring-points/P-{meter}/mounting", body)
    mapping = {"format": "csv", "layout": "wide", "time": {"columns": ["Datum", "Čas"], "format": "%d.%m.%Y %H:%M"},
               "unit": "Wh", "exponent": 0}  # fmt: skip
    desk.post("import-sources", {"code": "VN", "name": "Odečty vysokého napětí", "mapping": mapping})
    bind(desk, "M3")


def bind(desk: Desk, meter: str) -> None:
    """The series of a meter in the files of high-voltage readings bears its name."""
    bindings = {"bindings": [{"key": meter, "meter": meter, "register": "1-0:1.29.0"}]}
    answer = desk.client.put("/v1/import-sources/VN/bindings", json=bindings)
    assert answer.is_success, answer.text


def hall_item() -> dict[str, Any]:
    return {"supply_point": HALL, "prices": "CEZ", "reserved_capacity_year_kw": "100", "reserved_input_kw": "200"}


def hall_wh(at: datetime) -> int:
    """What the hall takes in a quarter-hour: 5 kWh, by day (6 to 18) 15 kWh: 60 kW at most."""
    return 15_000 if 6 <= at.hour < 18 else 5_000


def hall_file(days: Sequence[MeteringDay], meter: str = "M3", since: datetime | None = None,
              until: datetime | None = None) -> bytes:  # fmt: skip
    """Quarter-hours of the hall."""
    lines = [f"Datum;Čas;{meter}"]
    for day in days:
        for index in range(day.length):
            instant = day.instant(index)
            if (since is None or since <= instant) and (until is None or instant < until):
                local = instant.astimezone(PRAGUE)
                lines.append(f"{local:%d.%m.%Y;%H:%M};{hall_wh(local)}")
    return ("\r\n".join(lines) + "\r\n").encode()


def read_state(desk: Desk, meter: str, day: date, value: int, kind: str = "own") -> dict[str, Any]:
    """A state that somebody read at the beginning of a day."""
    at = datetime.combine(day, time(), PRAGUE).isoformat()
    body = {"meter": meter, "register": "1-0:1.8.0", "kind": kind, "at": at, "value": value}
    stored: dict[str, Any] = desk.post("meter-states", body, 201)
    return stored


KEY = bytes(range(32))


def dearer_package(version: str, since: str, component: str, price: str) -> dict[str, Any]:
    """The shipped package in another version, in which a price without keys is another from a day on."""
    path = next(path for path in shipped_files() if path.stem == "cz-electricity-2026")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    tables = []
    for table in content["tables"]:
        if table["component"] != component:
            tables.append(table)
            continue
        first, end = content["valid"]
        tables += [{**table, "valid": [first, since]}, {**deepcopy(table), "valid": [since, end], "rows": [[price]]}]
    return seal({**content, "version": version, "tables": tables}, KEY)


def publish(desk: Desk, package: Mapping[str, Any]) -> None:
    """Install a package by a publisher that is trusted here."""
    trust = {"public_key": key_text(signing_public(KEY)), "name": "ERÚ", "reason": "ověřen"}
    desk.post("packages/keys", trust)
    assert desk.post("packages", {"content": package})["installed"] is True
