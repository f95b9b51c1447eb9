"""Renders the model site into the files that its parts read: concentrators' configurations and central's site file."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from central.workflow import site_file
from deploy.demo.site import CONC_ESTATE, CONC_SUBSTATION, FIRST, Customer, Metering, Point, Site
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

VALID_FROM: Final = date(2025, 1, 1)
PROFILE_REGISTERS: Final[dict[site_file.Direction, str]] = {
    "A+": "1-0:1.29.0",
    "A-": "1-0:2.29.0",
    "R+": "1-0:3.29.0",
    "R-": "1-0:4.29.0",
}
GAS_REGISTER: Final = "7-0:13.29.0"
PROFILE_OBIS: Final = {Commodity.ELECTRICITY: "1-0:99.1.0", Commodity.GAS: "7-0:99.99.3"}
TARIFF_REGISTERS: Final[dict[site_file.Direction, str]] = {"VT": "1-0:1.8.1", "NT": "1-0:1.8.2"}
STATE_REGISTERS: Final = {"A+": "1-0:1.8.0", "JT": "1-0:1.8.0", "V": "7-0:13.8.0"}
SDM630_EXPONENT: Final = 1
"""An SDM630 shows 0.01 kWh, so its states are in 10 Wh."""
GAS_EXPONENT: Final = -3

PROFILE_METERING: Final = (Metering.ENTRY, Metering.PROFILE, Metering.PRODUCTION)


def commodity_of(point: Point) -> Commodity:
    """What flows through the point."""
    return Commodity.GAS if point.metering is Metering.GAS else Commodity.ELECTRICITY


def evidence_of(point: Point) -> Iterator[tuple[site_file.Direction, str, str, int, site_file.Kind]]:
    """What the point's meter delivers: direction, register on the wire, unit, exponent, kind."""
    if point.metering in PROFILE_METERING:
        for direction, register in PROFILE_REGISTERS.items():
            yield direction, register, "varh" if direction.startswith("R") else "Wh", 0, "interval"
        yield "A+", STATE_REGISTERS["A+"], "Wh", 0, "state"
    elif point.metering is Metering.TWO_TARIFF:
        for direction, register in TARIFF_REGISTERS.items():
            yield direction, register, "Wh", 0, "state"
    elif point.metering is Metering.SINGLE_TARIFF:
        yield "JT", STATE_REGISTERS["JT"], "Wh", SDM630_EXPONENT, "state"
    else:
        yield "V", GAS_REGISTER, "m3", GAS_EXPONENT, "interval"
        yield "V", STATE_REGISTERS["V"], "m3", GAS_EXPONENT, "state"


def edge_config(
    site: Site,
    concentrator: str,
    links: dict[str, dict[str, Any]],
    mqtt: dict[str, Any],
    outbox: Path,
    first: date = FIRST,
) -> dict[str, Any]:
    """Configuration of one concentrator (schema: `edge.config`); `links` gives each bus its line."""
    protocols = {
        "hdlc-1": "hdlc",
        "hdlc-2": "hdlc",
        "rtu-1": "modbus-rtu",
        "dlms-tcp": "dlms-wrapper",
        "modbus-tcp": "modbus-tcp",
    }
    buses: dict[str, dict[str, Any]] = {}
    for point in site.points:
        if point.bus.concentrator == concentrator:
            name = point.bus.name
            bus = buses.setdefault(
                name, {"name": name, "link": links[name], "protocol": protocols[name], "devices": []}
            )
            bus["devices"].append(_device(point, first))
    return {
        "number": 1,
        "edge": concentrator,
        "mqtt": mqtt,
        "outbox": {"path": str(outbox)},
        "buses": list(buses.values()),
    }


def _device(point: Point, first: date) -> dict[str, Any]:
    commodity = commodity_of(point)
    modbus = point.metering is Metering.SINGLE_TARIFF
    since = MeteringDay(commodity, first).start
    intervals = [
        (register, unit, exponent) for _, register, unit, exponent, kind in evidence_of(point) if kind == "interval"
    ]
    states = [(register, unit, exponent) for _, register, unit, exponent, kind in evidence_of(point) if kind == "state"]
    if modbus:
        address: dict[str, int] = {"unit": point.bus.address}
    elif point.bus.name.startswith("hdlc"):
        address = {"client": 16, "server": 1, "physical": point.bus.address}
    else:
        address = {"client": 16, "server": point.bus.address}
    device: dict[str, Any] = {
        "id": point.meter,
        "model": "sdm630" if modbus else "dlms",
        "address": address,
        "states": {
            "at": "quarter-hour" if modbus else "month",
            "commodity": str(commodity),
            "registers": [
                {
                    "unit": unit,
                    "exponent": exponent,
                    "register": register,
                    ("item" if modbus else "obis"): "import" if modbus else register,
                }
                for register, unit, exponent in states
            ],
        },
    }
    if intervals:
        device["profile"] = {
            "obis": PROFILE_OBIS[commodity],
            "step_s": 3600 if commodity is Commodity.GAS else 900,
            "commodity": str(commodity),
            "since": since.isoformat(),
            "registers": [
                {"obis": register, "unit": unit, "exponent": exponent, "register": register}
                for register, unit, exponent in intervals
            ],
        }
    return device


def central_site(site: Site) -> site_file.Site:
    """What central's registry and network know of the site."""
    since = MeteringDay(Commodity.ELECTRICITY, VALID_FROM).start
    customers = {point.customer: _code(point.customer) for point in site.points}
    parties = [
        _party(
            site.operator,
            _code(site.operator),
            "operator",
            ean13=site.operator_ean,
            iban=site.operator_iban,
            superior="CEZD",
        ),
        site_file.Party(
            code="CEZD",
            name="ČEZ Distribuce, a. s.",
            role="superior_distributor",
            street="Teplická 874/8",
            city="Děčín",
            postal_code="405 02",
            ico="24729035",
            ean13=site.superior_ean,
        ),
        site_file.Party(
            code="OTE",
            name="OTE, a.s. (pískoviště)",
            role="market_operator",
            street="Sokolovská 192/79",
            city="Praha 8",
            postal_code="186 00",
            ean13=site.market_operator_ean,
        ),
        *(_party(customer, code, "customer") for customer, code in customers.items() if customer != site.operator),
    ]
    return site_file.Site(
        name="Průmyslový park Vlčí Důl",
        parties=parties,
        supply_points=[_supply_point(site, point) for point in site.points],
        contracts=[
            _contract(point, n, customers[point.customer]) for n, point in enumerate(site.points, 1) if _prices(point)
        ],
        concentrators=[
            site_file.Concentrator(id=CONC_SUBSTATION, name="Koncentrátor v rozvodně", place="Rozvodna 22 kV"),
            site_file.Concentrator(id=CONC_ESTATE, name="Koncentrátor na sídlišti", place="Trafostanice TS2"),
        ],
        meters=[
            site_file.Meter(
                id=point.meter,
                serial=point.meter[3:],
                model="SDM630" if point.metering is Metering.SINGLE_TARIFF else "DLMS",
                commodity=commodity_of(point).value,
                concentrator=point.bus.concentrator,
                place=point.name,
            )
            for point in site.points
        ],
        evidence_channels=[
            site_file.EvidenceChannel(
                meter=point.meter, register=register, unit=unit, exponent=exponent, kind=kind, **_limits(point, kind)
            )
            for point in site.points
            for _, register, unit, exponent, kind in evidence_of(point)
        ],
        channels=[
            site_file.Channel(
                point=point.id,
                direction=direction,
                commodity=commodity_of(point).value,
                unit=unit,
                exponent=exponent,
                kind=kind,
                supply_point=point.id,
            )
            for point in site.points
            for direction, _, unit, exponent, kind in evidence_of(point)
        ],
        mappings=[
            site_file.Mapping(
                meter=point.meter, register=register, point=point.id, direction=direction, kind=kind, since=since
            )
            for point in site.points
            for direction, register, _, _, kind in evidence_of(point)
        ],
    )


def _limits(point: Point, kind: str) -> dict[str, int]:
    """The most that the meter can have measured in one interval: what is more is refused as out of range."""
    if kind == "state":
        return {"min_value": 0}
    if point.metering is Metering.GAS:
        return {"min_value": 0, "max_value": 100_000}
    kw = (point.reserved_input_kw or 400) * 2
    return {"min_value": 0, "max_value": kw * 250}


def _code(customer: Customer) -> str:
    return customer.ico or f"{customer.name} {customer.street}"


def _party(customer: Customer, code: str, role: Any, **more: Any) -> site_file.Party:
    return site_file.Party(
        code=code,
        name=customer.name,
        role=role,
        street=customer.street,
        city=customer.city,
        postal_code=customer.postcode,
        ico=customer.ico,
        dic=f"CZ{customer.ico}" if customer.ico else None,
        vat_payer=customer.ico is not None,
        **more,
    )


def _supply_point(site: Site, point: Point) -> site_file.SupplyPoint:
    gas = point.metering is Metering.GAS
    high = point.metering in PROFILE_METERING
    kinds: dict[Metering, Any] = {Metering.ENTRY: "entry", Metering.PRODUCTION: "production"}
    metering: Any = point.metering_type
    return site_file.SupplyPoint(
        ean=point.id,
        name=point.name,
        object=point.name,
        street=point.customer.street,
        city=point.customer.city,
        postal_code=point.customer.postcode,
        commodity=commodity_of(point).value,
        operator=_code(site.operator),
        point_type=kinds.get(point.metering, "consumption"),
        voltage_level=None if gas else "VN" if high else "NN",
        metering_type=metering,
        category="household" if point.category == "MOO" else "business",
    )


def _prices(point: Point) -> str | None:
    """Whose prices the point pays; None where the operator invoices nothing."""
    if point.metering in (Metering.ENTRY, Metering.PRODUCTION):
        return None
    return "GASNET" if point.metering is Metering.GAS else "CEZ"


def _contract(point: Point, number: int, customer: str) -> site_file.Contract:
    phases: Any = point.breaker[0] if point.breaker else None
    item = site_file.ContractItem(
        supply_point=point.id,
        prices=_prices(point) or "",
        rate=point.rate,
        breaker_phases=phases,
        breaker_amps=point.breaker[1] if point.breaker else None,
        reserved_capacity_year_kw=_decimal(point.reserved_capacity_year_kw),
        reserved_capacity_month_kw=_decimal(point.reserved_capacity_month_kw),
        reserved_input_kw=_decimal(point.reserved_input_kw),
        annual_mwh=_decimal(point.annual_mwh),
        gas_daily_capacity_m3=_decimal(point.daily_capacity_m3),
    )
    return site_file.Contract(
        number=f"SoD-{number:04d}", kind="distribution", customer=customer, valid_from=VALID_FROM, items=[item]
    )


def _decimal(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
