"""A local distribution system of N supply points, made from a seed: who, where, with what, behind which transformer.

Nobody and nothing of it exists; identifiers have right check digits. The shares of kinds are those of a mixed town:
most points are households, some shops and workshops, a few on 22 kV, photovoltaic plants, and gas.
"""

import random
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from central.network.continuation import evidence_of, versions_of
from central.network.meter_templates import registers_of, shipped_meter_templates
from central.workflow import site_file
from deploy.demo.identities import iban, ico, participant_ean
from shared.identifiers import IdentifierError, make_ean18, make_eic
from shared.metering_day import PRAGUE

SINCE: Final = date(2026, 1, 1)
AT: Final = datetime(2026, 1, 1, tzinfo=PRAGUE)
METERS_OF_A_CONCENTRATOR: Final = 240
METERS_OF_A_BUS: Final = 60
STATIONS_OF_A_FEEDER: Final = 8
OPERATOR, SUPERIOR, MARKET_OPERATOR = "LDS", "PDS", "OTE"


class Kind(StrEnum):
    """Kind of a supply point."""

    ENTRY = "entry"
    VN = "vn"
    PRODUCTION = "production"
    GAS = "gas"
    HOUSEHOLD = "household"
    BUSINESS = "business"


_SHARES: Final = {Kind.HOUSEHOLD: 70, Kind.BUSINESS: 16, Kind.VN: 4, Kind.PRODUCTION: 4, Kind.GAS: 6}
_FIRST: Final = (Kind.ENTRY, Kind.VN, Kind.GAS, Kind.PRODUCTION, Kind.BUSINESS, Kind.HOUSEHOLD)
"""Every site has these, as far as it has points."""

_STREETS: Final = (
    "Lipová",
    "Nádražní",
    "Průmyslová",
    "Školní",
    "Zahradní",
    "Kostelní",
    "Luční",
    "Dlouhá",
    "Pod Strání",
)
_CITIES: Final = (("Vlčí Důl", "517 41"), ("Horní Lhota", "517 42"), ("Žďárek", "549 01"), ("Čistá", "517 45"))
_NAMES: Final = (
    "Novák",
    "Svobodová",
    "Dvořák",
    "Černá",
    "Procházka",
    "Kučerová",
    "Veselý",
    "Horáková",
    "Němec",
    "Říha",
)
_GIVEN: Final = ("Jan", "Jana", "Petr", "Eva", "Tomáš", "Hana", "Jiří", "Lenka", "Ondřej", "Šárka")
_TRADES: Final = ("Pekárna", "Truhlárna", "Lisovna", "Strojírny", "Autoservis", "Tiskárna", "Chladírny", "Obchod")
_SUPPLIERS: Final = ("Energie Orlice, a.s.", "Světlo a teplo, s.r.o.", "Zelený proud, a.s.")
_Breakers = tuple[tuple[Literal[1, 3], int], ...]
_BREAKERS: Final[_Breakers] = ((1, 25), (3, 16), (3, 20), (3, 25), (3, 32))
_SHOP_BREAKERS: Final[_Breakers] = ((3, 25), (3, 32), (3, 50), (3, 63), (3, 80))
_KVA: Final = (250, 400, 630, 1000)
_MODELS: Final = {
    Kind.ENTRY: ("dlms-electricity-profile", "DLMS"),
    Kind.VN: ("dlms-electricity-profile", "DLMS"),
    Kind.PRODUCTION: ("dlms-electricity-profile", "DLMS"),
    Kind.GAS: ("dlms-gas", "DLMS-GAS"),
    Kind.BUSINESS: ("dlms-electricity-two-tariffs", "DLMS"),
    Kind.HOUSEHOLD: ("sdm630", "SDM630"),
}
"""Meter template and model."""


@dataclass(slots=True)
class _Making:
    """The site on its way, and where the next meter hangs."""

    site: site_file.Site
    chance: random.Random
    gas: int = 0
    stations: int = 0
    buses: dict[str, int] = field(default_factory=dict)
    """Meters on each bus of the present concentrator."""


def generate(points: int, seed: int = 1) -> site_file.Site:
    """A site with so many supply points; the same for the same arguments."""
    making = _Making(site_file.Site(name=f"Místní soustava {points}/{seed}"), random.Random(seed))  # noqa: S311 - made up, not secret
    _parties(making)
    making.site.network_elements.append(
        site_file.NetworkElement(name="R1", kind="node", state="in_service", since=SINCE, place="Rozvodna 110/22 kV")
    )
    kinds = [*_FIRST[:points]]
    kinds += making.chance.choices(list(_SHARES), list(_SHARES.values()), k=points - len(kinds))
    customer = ""
    for number, kind in enumerate(kinds):
        if number % METERS_OF_A_CONCENTRATOR == 0:
            _station(making)
        # One customer in ten has a further point of the same kind of business.
        if not customer or kind is not kinds[number - 1] or making.chance.random() > 0.1:
            customer = _customer(making, number, kind)
        _point(making, number, kind, customer)
    return making.site


def _parties(making: _Making) -> None:
    seat: dict[str, Any] = {"street": "Průmyslová 1", "city": "Vlčí Důl", "postal_code": "517 41"}
    making.site.parties += [
        site_file.Party(code=SUPERIOR, name="Nadřazená distribuce, a.s.", role="superior_distributor", **seat),
        site_file.Party(
            code=OPERATOR, name="Místní soustava, s.r.o.", role="operator", superior=SUPERIOR, ico=ico(1),
            ean13=participant_ean(1), iban=iban(1), **seat,
        ),
        site_file.Party(code=MARKET_OPERATOR, name="Operátor trhu (smyšlený)", role="market_operator", **seat),
    ]  # fmt: skip
    for number, name in enumerate(_SUPPLIERS, 1):
        making.site.parties.append(
            site_file.Party(
                code=f"DOD{number}", name=name, roles=["balance_responsible", "supplier"], ico=ico(100 + number),
                ean13=participant_ean(100 + number), iban=iban(100 + number), **seat,
            )
        )  # fmt: skip
        making.site.contracts.append(
            site_file.Contract(
                number=f"RS-{number}", kind="framework", customer=f"DOD{number}", valid_from=SINCE, items=[]
            )
        )


def _station(making: _Making) -> None:
    """A transformer station with its concentrator and lines."""
    making.stations += 1
    number, site = making.stations, making.site
    feeder = f"V{(number - 1) // STATIONS_OF_A_FEEDER + 1:03d}"
    if (number - 1) % STATIONS_OF_A_FEEDER == 0:
        site.network_elements.append(
            site_file.NetworkElement(
                name=feeder, kind="feeder", state="in_service", since=SINCE, fed_from="R1", place="Vývod 22 kV"
            )
        )
    name = f"TS{number:04d}"
    site.network_elements.append(
        site_file.NetworkElement(
            name=name, kind="transformer", state="in_service", since=SINCE, fed_from=feeder,
            place=f"Trafostanice {number}", rated_kva=making.chance.choice(_KVA),
        )
    )  # fmt: skip
    site.concentrators.append(
        site_file.Concentrator(id=f"K{number:04d}", name=f"Koncentrátor {number}", place=f"Trafostanice {number}")
    )
    site.boards.append(site_file.Board(name=f"{name}-RE", kind="cabinet", place=f"Trafostanice {number}"))
    making.buses = {}


def _customer(making: _Making, number: int, kind: Kind) -> str:
    chance, code = making.chance, f"Z{number + 1:07d}"
    city, postal_code = chance.choice(_CITIES)
    surname = chance.choice(_NAMES)
    private = kind is Kind.HOUSEHOLD
    name = (
        f"{chance.choice(_GIVEN)} {surname}" if private else f"{chance.choice(_TRADES)} {surname} {number + 1}, s.r.o."
    )
    making.site.parties.append(
        site_file.Party(
            code=code,
            name=name,
            role="customer",
            street=f"{chance.choice(_STREETS)} {chance.randint(1, 900)}",
            city=city,
            postal_code=postal_code,
            ico=None if private else ico(1_000_000 + number),
            iban=iban(1_000_000 + number),
            vat_payer=not private,
        )
    )
    return code


def _point(making: _Making, number: int, kind: Kind, customer: str) -> None:
    site, chance = making.site, making.chance
    gas = kind is Kind.GAS
    ean = _eic(making) if gas else str(make_ean18(f"859182400{90_000_000 + number}"))
    city, postal_code = chance.choice(_CITIES)
    supplier = f"DOD{chance.randint(1, len(_SUPPLIERS))}"
    high = kind in (Kind.ENTRY, Kind.VN, Kind.PRODUCTION)
    site.supply_points.append(
        site_file.SupplyPoint(
            ean=ean,
            name=f"Odběrné místo {number + 1}",
            object=f"Objekt {number // 12 + 1}",
            street=f"{chance.choice(_STREETS)} {chance.randint(1, 900)}",
            city=city,
            postal_code=postal_code,
            commodity="gas" if gas else "electricity",
            operator=OPERATOR,
            supplier=None if kind is Kind.ENTRY else supplier,
            point_type="entry" if kind is Kind.ENTRY else "production" if kind is Kind.PRODUCTION else "consumption",
            voltage_level=None if gas else "VN" if high else "NN",
            metering_type="A" if high or gas else "C2" if kind is Kind.BUSINESS else "C4",
            category="household" if kind is Kind.HOUSEHOLD else "business",
        )
    )
    if kind is not Kind.ENTRY:
        item = _item(making, ean, kind)
        if chance.random() < 0.3:
            frameworks = {contract.number: contract for contract in site.contracts[: len(_SUPPLIERS)]}
            frameworks[f"RS-{supplier.removeprefix('DOD')}"].items.append(item)
        elif site.contracts[-1].customer == customer:
            site.contracts[-1].items.append(item)
        else:
            site.contracts.append(
                site_file.Contract(
                    number=f"S{SINCE.year}-{number + 1:07d}", kind="distribution", customer=customer,
                    valid_from=SINCE, items=[item],
                )
            )  # fmt: skip
    _meter(making, number, kind, ean)


def _item(making: _Making, ean: str, kind: Kind) -> site_file.ContractItem:
    chance = making.chance
    if kind is Kind.GAS:
        return site_file.ContractItem(supply_point=ean, prices="GASNET", annual_mwh=Decimal(chance.randint(5, 600)))
    if kind in (Kind.VN, Kind.PRODUCTION):
        limit = chance.randint(5, 60) * 10
        return site_file.ContractItem(
            supply_point=ean, prices="CEZ", reserved_input_kw=Decimal(limit),
            reserved_capacity_year_kw=Decimal(limit * 7 // 10), reserved_capacity_month_kw=Decimal(limit // 10),
        )  # fmt: skip
    phases, amps = chance.choice(_BREAKERS if kind is Kind.HOUSEHOLD else _SHOP_BREAKERS)
    rate = chance.choice(("D01d", "D02d") if kind is Kind.HOUSEHOLD else ("C25d", "C26d"))
    return site_file.ContractItem(
        supply_point=ean, prices="CEZ", rate=rate, breaker_phases=phases, breaker_amps=amps
    )  # fmt: skip


def _meter(making: _Making, number: int, kind: Kind, ean: str) -> None:
    site = making.site
    template, model = _MODELS[kind]
    concentrator, station = f"K{making.stations:04d}", f"TS{making.stations:04d}"
    feeder = f"V{(making.stations - 1) // STATIONS_OF_A_FEEDER + 1:03d}"
    meter, place = f"M{number + 1:07d}", f"MM{number + 1:07d}"
    gas = kind is Kind.GAS
    commodity: site_file.Commodity = "gas" if gas else "electricity"
    site.meters.append(
        site_file.Meter(
            id=meter, serial=f"{10_000_000 + number}", model=model, commodity=commodity, concentrator=concentrator,
            place=f"Odběrné místo {number + 1}",
        )
    )  # fmt: skip
    site.measuring_points.append(
        site_file.MeasuringPoint(
            name=place, commodity=commodity, board=f"{station}-RE", place=f"Objekt {number // 12 + 1}"
        )
    )
    site.mountings.append(site_file.Mounting(meter=meter, measuring_point=place, since=AT))
    if not gas:
        high = kind in (Kind.ENTRY, Kind.VN)
        behind = "R1" if kind is Kind.ENTRY else feeder if high else station
        site.point_supplies.append(site_file.PointSupply(measuring_point=place, element=behind, since=AT))
    bus, address = _line(making, "modbus-tcp" if kind is Kind.HOUSEHOLD else "dlms-wrapper", concentrator)
    spelled = {"unit": address} if kind is Kind.HOUSEHOLD else {"server": address}
    site.attachments.append(
        site_file.Attachment(
            meter=meter, concentrator=concentrator, bus=bus, address=spelled, template=template, since=AT
        )
    )
    _registers(making, kind, meter, place, ean, template)


def _line(making: _Making, protocol: site_file.Protocol, concentrator: str) -> tuple[str, int]:
    """The bus with a free address, and the address."""
    name = next(
        (bus for bus, meters in making.buses.items() if bus.startswith(protocol) and meters < METERS_OF_A_BUS), None
    )
    if name is None:
        name = f"{protocol}-{sum(bus.startswith(protocol) for bus in making.buses) + 1}"
        making.buses[name] = 0
        link = {"kind": "tcp", "host": f"10.{making.stations // 250}.{making.stations % 250}.{len(making.buses)}"}
        port = 502 if protocol == "modbus-tcp" else 4059
        making.site.buses.append(
            site_file.Bus(concentrator=concentrator, name=name, protocol=protocol, link={**link, "port": port})
        )
    making.buses[name] += 1
    return name, making.buses[name]


def _registers(making: _Making, kind: Kind, meter: str, place: str, ean: str, template: str) -> None:
    site = making.site
    shape = shipped_meter_templates()[template]
    registers = registers_of(template, shape)
    constant = 200 if kind is Kind.ENTRY else 40 if kind is Kind.VN else 1
    site.evidence_channels += [site_file.EvidenceChannel(**evidence_of(meter, each)) for each in registers]
    site.register_versions += [
        site_file.RegisterVersion(**each) for each in versions_of(meter, registers, constant, AT)
    ]
    for each in registers:
        if each.facts.feeds is None:
            continue
        site.channels.append(
            site_file.Channel(
                point=place, direction=each.facts.feeds, commodity=shape.commodity, unit=each.unit, supply_point=ean,
                exponent=each.exponent, kind=each.kind, step_s=each.step_ms // 1000 or None,
            )
        )  # fmt: skip
        site.mappings.append(
            site_file.Mapping(
                meter=meter, register=each.register, point=place, direction=each.facts.feeds, since=AT, kind=each.kind,
                multiplier=constant * each.facts.multiplier,
            )
        )  # fmt: skip


def _eic(making: _Making) -> str:
    """The next EIC whose check character is none that is not allowed."""
    while True:
        making.gas += 1
        try:
            return str(make_eic(f"27ZG5{making.gas:010d}"))
        except IdentifierError:
            continue
