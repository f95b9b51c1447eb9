"""Routes of the registry: parties, supply points, contracts; named as in a site file, by code, EAN, number."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.reconcile import Outcome
from central.platform.web import Db, Now
from central.registry import contracts, parties

router = APIRouter(prefix="/v1", tags=["registry"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PartyIn(_Body):
    """A party; `superior` is the code of the superior distributor."""

    code: str
    name: str
    role: Literal["operator", "customer", "supplier", "superior_distributor", "market_operator"]
    street: str
    city: str
    postal_code: str
    country: str = "CZ"
    ico: str | None = None
    dic: str | None = None
    ean13: str | None = None
    eic: str | None = None
    iban: str | None = None
    licence: str | None = None
    registration: str | None = None
    vat_payer: bool = True
    email: str | None = None
    superior: str | None = None


class PartyOut(BaseModel):
    """A party as stored; `superior` is an id."""

    id: int
    code: str
    name: str
    role: str
    ico: str | None
    dic: str | None
    street: str
    city: str
    postal_code: str
    country: str
    ean13: str | None
    eic: str | None
    iban: str | None
    licence: str | None
    registration: str | None
    vat_payer: bool
    email: str | None
    superior: int | None


class SupplyPointIn(_Body):
    """A supply point; `operator` and `supplier` are codes of parties."""

    ean: str
    name: str
    object: str
    street: str
    city: str
    postal_code: str
    commodity: Literal["electricity", "gas"]
    operator: str
    supplier: str | None = None
    point_type: Literal["consumption", "production", "entry"] = "consumption"
    voltage_level: Literal["VVN", "VN", "NN"] | None = None
    metering_type: Literal["A", "B", "C1", "C2", "C3", "C4"] | None = None
    category: Literal["household", "business"] = "business"
    load_profile_class: str | None = None


class SupplyPointOut(BaseModel):
    """A supply point as stored; `operator` and `supplier` are ids."""

    id: int
    ean: str
    name: str
    object: str
    street: str
    city: str
    postal_code: str
    commodity: str
    point_type: str
    voltage_level: str | None
    metering_type: str | None
    category: str
    load_profile_class: str | None
    operator: int
    supplier: int | None


class ItemIn(_Body):
    """An item of a contract; without validity it has the contract's."""

    supply_point: str
    prices: str
    rate: str | None = None
    breaker_phases: Literal[1, 3] | None = None
    breaker_amps: int | None = None
    reserved_capacity_year_kw: Decimal | None = None
    reserved_capacity_month_kw: Decimal | None = None
    reserved_input_kw: Decimal | None = None
    annual_mwh: Decimal | None = None
    gas_daily_capacity_m3: Decimal | None = None
    valid_from: date | None = None
    valid_to: date | None = None


class ContractIn(_Body):
    """A contract with its items; `valid_to` is exclusive, null is open."""

    number: str
    kind: Literal["connection", "distribution", "framework", "combined", "supply", "purchase"]
    customer: str
    payer: str | None = None
    valid_from: date
    valid_to: date | None = None
    items: list[ItemIn]


class ContractOut(BaseModel):
    """A contract's header."""

    id: int
    number: str
    kind: str
    customer: int
    customer_name: str
    payer: int
    payer_name: str
    valid_from: date | None
    valid_to: date | None


class ItemOut(BaseModel):
    """An item of a contract as stored."""

    id: int
    contract: int
    supply_point: int
    ean: str
    prices: str
    rate: str | None
    breaker_phases: int | None
    breaker_amps: int | None
    reserved_capacity_year_kw: Decimal | None
    reserved_capacity_month_kw: Decimal | None
    reserved_input_kw: Decimal | None
    annual_mwh: Decimal | None
    gas_daily_capacity_m3: Decimal | None
    valid_from: date | None
    valid_to: date | None


@router.get("/parties", summary="Parties by name")
def find_parties(connection: Db, _: Reader, role: str | None = None) -> list[PartyOut]:
    """Licence holders, customers, payers, suppliers, distributors, market operators."""
    return [PartyOut(**row) for row in parties.find_parties(connection, role=role)]


@router.get("/parties/{identifier}", summary="One party")
def get_party(connection: Db, _: Reader, identifier: int) -> PartyOut:
    """By its id."""
    return PartyOut(**parties.require_party(connection, identifier))


@router.post("/parties", status_code=201, summary="Create a party")
def create_party(connection: Db, person: Operator, clock: Now, body: PartyIn) -> PartyOut:
    """Refused when the code is in use."""
    _created(parties.create_parties(connection, [body.model_dump()]), f"The party {body.code}")
    row = next(row for row in parties.find_parties(connection) if row["code"] == body.code)
    audit.record(connection, person, "party.create", f"party/{row['id']}", body.model_dump(), clock.now())
    return PartyOut(**row)


@router.get("/supply-points", summary="Supply points by EAN")
def find_supply_points(
    connection: Db,
    _: Reader,
    commodity: str | None = None,
    voltage_level: str | None = None,
    metering_type: str | None = None,
    point_type: str | None = None,
) -> list[SupplyPointOut]:
    """Odběrná a předávací místa, filtered."""
    found = parties.find_supply_points(
        connection,
        commodity=commodity,
        voltage_level=voltage_level,
        metering_type=metering_type,
        point_type=point_type,
    )
    return [SupplyPointOut(**row) for row in found]


@router.get("/supply-points/{ean}", summary="One supply point")
def get_supply_point(connection: Db, _: Reader, ean: str) -> SupplyPointOut:
    """By its EAN 18 or EIC."""
    return SupplyPointOut(**parties.require_supply_point(connection, ean))


@router.post("/supply-points", status_code=201, summary="Create a supply point")
def create_supply_point(connection: Db, person: Operator, clock: Now, body: SupplyPointIn) -> SupplyPointOut:
    """Check digits are verified; refused when the EAN is in use."""
    _created(parties.create_supply_points(connection, [body.model_dump()]), f"The supply point {body.ean}")
    audit.record(connection, person, "supply_point.create", f"supply_point/{body.ean}", body.model_dump(), clock.now())
    return SupplyPointOut(**parties.require_supply_point(connection, body.ean))


@router.get("/contracts", summary="Contracts by number")
def find_contracts(
    connection: Db, _: Reader, valid_on: Annotated[date | None, Query(description="valid on this day")] = None
) -> list[ContractOut]:
    """Headers with customer and payer."""
    return [ContractOut(**row) for row in contracts.find_contracts(connection, valid_on=valid_on)]


@router.get("/contracts/{number:path}/items", summary="Items of one contract")
def find_items(connection: Db, _: Reader, number: str, valid_on: date | None = None) -> list[ItemOut]:
    """Supply points with their price list, rate, breaker and capacities."""
    contract = contracts.require_contract(connection, number)
    return [ItemOut(**row) for row in contracts.find_items(connection, contract_id=contract["id"], valid_on=valid_on)]


@router.post("/contracts", status_code=201, summary="Create a contract with its items")
def create_contract(connection: Db, person: Operator, clock: Now, body: ContractIn) -> list[ItemOut]:
    """Refused when the number is in use or an item's validity overlaps another of the same supply point."""
    outcome = contracts.create_contracts(connection, [body.model_dump()])
    if outcome.unchanged:
        raise Refused("exists", f"The contract {body.number} or one of its items is stored already.")
    details: dict[str, Any] = body.model_dump(mode="json")
    audit.record(connection, person, "contract.create", f"contract/{body.number}", details, clock.now())
    contract = contracts.require_contract(connection, body.number)
    return [ItemOut(**row) for row in contracts.find_items(connection, contract_id=contract["id"])]


def _created(outcome: Outcome, what: str) -> None:
    if not outcome.inserted:
        raise Refused("exists", f"{what} is stored already; change it by its own act.")
