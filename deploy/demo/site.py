"""The model site: Průmyslový park Vlčí Důl, a local distribution network in March 2026, made up from one seed.

One 22 kV entry, six sub-metered 22 kV supply points, forty low-voltage supply points, a photovoltaic plant and a
boiler house on gas. The files that simulators, concentrators and central read are rendered from this model
(`deploy.demo.render`).
"""

import random
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from deploy.demo import identities

SEED: Final = 20260301
YEAR: Final = 2026
MONTH: Final = 3
FIRST: Final = date(2026, 3, 1)
NEXT: Final = date(2026, 4, 1)

CONC_SUBSTATION: Final = "VD-ROZVODNA"
"""Concentrator in the substation: two HDLC buses and one Modbus RTU bus."""
CONC_ESTATE: Final = "VD-SIDLISTE"
"""Concentrator of the housing estate: DLMS over TCP and Modbus TCP."""


class Metering(StrEnum):
    """How a supply point of the demo is metered."""

    ENTRY = "entry"
    """Entry from the superior network, load profile, nothing is invoiced."""
    PROFILE = "profile"
    """22 kV supply point, load profile A+, A-, R+, R-."""
    PRODUCTION = "production"
    """Photovoltaic plant, load profile, nothing is invoiced."""
    TWO_TARIFF = "two tariffs"
    """Low voltage, DLMS, states of two tariff registers."""
    SINGLE_TARIFF = "single tariff"
    """Low voltage, Modbus SDM630, states of one register."""
    GAS = "gas"
    """Volume converter, hourly profile."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who takes and pays."""

    name: str
    street: str
    city: str
    postcode: str
    ico: str | None


@dataclass(frozen=True, slots=True)
class Bus:
    """Where a meter hangs: concentrator, bus and its address there."""

    concentrator: str
    name: str
    address: int


@dataclass(frozen=True, slots=True)
class Point:
    """A supply point of the demo with its meter and terms."""

    id: str
    """EAN or EIC."""
    name: str
    metering: Metering
    customer: Customer
    meter: str
    bus: Bus
    load: str
    """Kind of the load curve (`firmware_sims.loads`)."""
    mean: int
    """Mean power in W; of gas, mean flow in dm3/h."""
    seed: int
    rate: str | None = None
    breaker: tuple[int, int] | None = None
    """Phases, rated current in A."""
    reserved_capacity_year_kw: int | None = None
    reserved_capacity_month_kw: int | None = None
    reserved_input_kw: int | None = None
    annual_mwh: int | None = None
    daily_capacity_m3: int | None = None
    metering_type: str = "C4"
    category: str = "MOP"


@dataclass(frozen=True, slots=True)
class Site:
    """The whole network."""

    operator: Customer
    operator_ean: str
    operator_iban: str
    superior_ean: str
    market_operator_ean: str
    points: list[Point] = field(default_factory=list)

    def of(self, *metering: Metering) -> list[Point]:
        """The points metered so."""
        return [point for point in self.points if point.metering in metering]


PARK: Final = ("Vlčí Důl", "517 41")

FIRMS: Final = [
    # name, object, load, mean kW, yearly reserved capacity, monthly, reserved input, metering type
    ("Lisovna Hájek, a.s.", "Hala A, lisovna plastů", "three_shift", 310, 360, 20, 500, "A"),
    ("Strojírny Brož, s.r.o.", "Hala B, obrobna", "shift", 140, 230, 20, 400, "A"),
    ("Chladírny Podhora, s.r.o.", "Hala C, mrazírna", "three_shift", 180, 230, 0, 350, "A"),
    ("Galerie Na Důlu, s.r.o.", "Obchodní centrum", "retail", 160, 240, 20, 400, "A"),
    ("Tiskárna Orlík, s.r.o.", "Hala D, tiskárna", "shift", 90, 170, 0, 250, "B"),
    ("Kanceláře Vlčí Důl, s.r.o.", "Administrativní budova", "office", 70, 150, 0, 200, "B"),
]

SMALL_FIRMS: Final = [
    "Pekárna U Lípy",
    "Autoservis Kolář",
    "Truhlářství Vávra",
    "Lékárna Park",
    "Kadeřnictví Jana",
    "Pneuservis Dvořák",
    "Bistro Na Rampě",
    "Tisk a reklama Zeman",
    "Zubní ordinace MUDr. Horáková",
    "Elektro Šimek",
    "Kovovýroba Beneš",
    "Sklad Rychlík",
]
SMALL_RATES: Final = [("C02d", (3, 25)), ("C01d", (3, 16)), ("C03d", (3, 63)), ("C02d", (3, 32))]
HOME_RATES: Final = [("D25d", (3, 25)), ("D45d", (3, 25)), ("D57d", (3, 20)), ("C25d", (3, 32))]

FIRST_NAMES: Final = [
    "Jana",
    "Petr",
    "Eva",
    "Tomáš",
    "Marie",
    "Jiří",
    "Lenka",
    "Pavel",
    "Hana",
    "Karel",
    "Věra",
    "Ondřej",
]
SURNAMES: Final = [
    ("Nováková", "Novák"),
    ("Svobodová", "Svoboda"),
    ("Černá", "Černý"),
    ("Procházková", "Procházka"),
    ("Kučerová", "Kučera"),
    ("Veselá", "Veselý"),
    ("Krejčí", "Krejčí"),
    ("Němcová", "Němec"),
    ("Marková", "Marek"),
    ("Říhová", "Říha"),
]
WOMEN: Final = {"Jana", "Eva", "Marie", "Lenka", "Hana", "Věra"}


def _firm(name: str, number: int, street: str) -> Customer:
    return Customer(name, street, PARK[0], PARK[1], identities.ico(2_841_000 + number))


def _small_firm(number: int) -> Customer:
    return _firm(SMALL_FIRMS[number], 60 + number, f"Náves {1 + 2 * number}")


def _person(draw: random.Random, number: int) -> Customer:
    first = draw.choice(FIRST_NAMES)
    surname = draw.choice(SURNAMES)[0 if first in WOMEN else 1]
    return Customer(f"{first} {surname}", f"Sídliště {100 + number}", PARK[0], PARK[1], None)


def build_site(seed: int = SEED) -> Site:
    """The model site; the same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - made-up loads, not secrets
    operator = Customer("Energie Vlčí Důl, s.r.o.", "Průmyslová 1", PARK[0], PARK[1], identities.ico(2_840_900))
    points: list[Point] = []

    def point(
        metering: Metering, name: str, customer: Customer, bus: Bus, load: str, mean: int, **terms: object
    ) -> None:
        number = len(points) + 1
        gas = metering is Metering.GAS
        points.append(
            Point(
                id=identities.gas_eic(number) if gas else identities.supply_point_ean(number),
                name=name,
                metering=metering,
                customer=customer,
                meter=f"{'PK' if gas else 'EM'}-{48_210_000 + number * 37}",
                bus=bus,
                load=load,
                mean=mean,
                seed=draw.randrange(1, 2**31),
                **terms,  # type: ignore[arg-type]  # the terms are Point's own keyword fields
            )
        )

    point(
        Metering.ENTRY,
        "Vstup z nadřazené soustavy 22 kV",
        operator,
        Bus(CONC_SUBSTATION, "hdlc-1", 16),
        "entry",
        0,
        metering_type="A",
        category="VO",
        reserved_capacity_year_kw=1450,
        reserved_input_kw=2000,
    )
    for n, (name, place, load, kw, year, month, reserved, metering_type) in enumerate(FIRMS):
        bus = Bus(CONC_SUBSTATION, "hdlc-1" if n < 4 else "hdlc-2", 17 + n)
        point(
            Metering.PROFILE,
            place,
            _firm(name, n, f"Průmyslová {10 + 2 * n}"),
            bus,
            load,
            kw * 1000,
            metering_type=metering_type,
            category="VO",
            reserved_capacity_year_kw=year,
            reserved_capacity_month_kw=month,
            reserved_input_kw=reserved,
        )
    point(
        Metering.PRODUCTION,
        "FVE na střeše haly A, 250 kWp",
        operator,
        Bus(CONC_SUBSTATION, "hdlc-2", 40),
        "pv",
        28_000,
        metering_type="B",
        category="VYR",
    )
    point(
        Metering.GAS,
        "Kotelna sídliště",
        _firm("Bytové družstvo Vlčí Důl", 40, "Sídliště 1"),
        Bus(CONC_SUBSTATION, "hdlc-2", 41),
        "heating",
        5_400,
        metering_type="B",
        category="SO",
        annual_mwh=400,
        daily_capacity_m3=260,
    )
    for n in range(20):
        rate, breaker = HOME_RATES[n % len(HOME_RATES)]
        firm = rate.startswith("C")
        customer = _small_firm(n // 4) if firm else _person(draw, n)
        point(
            Metering.TWO_TARIFF,
            f"Provozovna {customer.name}" if firm else f"Byt č. {101 + n}",
            customer,
            Bus(CONC_ESTATE, "dlms-tcp", 1 + n),
            "retail" if firm else "household",
            draw.randrange(700, 2200) if firm else draw.randrange(280, 900),
            rate=rate,
            breaker=breaker,
            category="MOP" if firm else "MOO",
        )
    for n in range(20):
        rate, breaker = (
            SMALL_RATES[n % len(SMALL_RATES)] if n < 10 else (("D02d", (3, 25)) if n % 3 else ("D01d", (1, 25)))
        )
        firm = rate.startswith("C")
        customer = _small_firm((n + 2) % 12) if firm else _person(draw, 20 + n)
        bus = Bus(CONC_SUBSTATION, "rtu-1", 1 + n) if n < 10 else Bus(CONC_ESTATE, "modbus-tcp", 1 + n - 10)
        point(
            Metering.SINGLE_TARIFF,
            f"Provozovna {customer.name}" if firm else f"Byt č. {201 + n}",
            customer,
            bus,
            "shift" if firm else "household",
            draw.randrange(600, 4200) if firm else draw.randrange(220, 600),
            rate=rate,
            breaker=breaker,
            category="MOP" if firm else "MOO",
        )
    return Site(
        operator=operator,
        operator_ean=identities.participant_ean(41_700),
        operator_iban=identities.iban(2_600_123_457),
        superior_ean="8591824071502",
        market_operator_ean="8591824000007",
        points=points,
    )
