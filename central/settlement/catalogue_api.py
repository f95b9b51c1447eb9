"""Routes of the operator's own services and own price lists (Ceník NN), with prices since when until when."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping, Table

from central.platform import audit
from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.etag import show
from central.platform.hooks import Change
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry.acts import Ask, record
from central.registry.validity import validity
from central.registry.web import Body, Day, Operator, Reader, Why
from central.settlement import catalogue
from central.settlement.service_tables import own_price_list, own_service

router = APIRouter()

Code = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[\w.-]+$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Price = Annotated[Decimal, Field(max_digits=18, decimal_places=6)]
Unit = Literal["ks", "měs", "den", "hod", "m2", "kWh", "MWh", "GJ", "MVArh", "m3"]
Source = Annotated[str, Field(min_length=1, max_length=500, description="what the price stands on")]


class ServiceIn(Body):
    """A service of the operator; `rate` is its rate code, from the range of own services."""

    code: Code
    rate: Annotated[int, Field(ge=3000, le=3999)]
    name_cs: Name
    name_en: Name
    unit: Unit
    vat_percent: Annotated[Decimal, Field(ge=0, lt=100, max_digits=5, decimal_places=2)]


class PriceIn(Body):
    """A price without VAT from a day on, until the next one or `valid_to` (exclusive)."""

    price: Price
    source: Source
    valid_from: Day
    valid_to: Day | None = None
    why: Why


class ListedPriceIn(PriceIn):
    """A price of a component of a list; `rate` is a distribution rate that it is for (without: any)."""

    component: Literal["fixed", "vt", "nt", "energy"]
    rate: Annotated[str, Field(max_length=20, pattern=r"^[\w.-]*$")] = ""


class PriceListIn(Body):
    """An own price list of supply."""

    code: Code
    name: Name
    commodity: Literal["electricity", "gas"]


class PriceOut(BaseModel):
    """A price as stored."""

    id: int
    price: Decimal
    source: str
    valid_from: date
    valid_to: date | None


class ListedPriceOut(PriceOut):
    """A price of a component of a list."""

    component: str
    rate: str


class ServiceOut(BaseModel):
    """A service with its prices; market operator's item type: none."""

    id: int
    code: str
    rate: int
    name_cs: str
    name_en: str
    unit: str
    vat_percent: Decimal
    prices: list[PriceOut]


class PriceListOut(BaseModel):
    """An own price list with its prices."""

    id: int
    code: str
    name: str
    commodity: str
    prices: list[ListedPriceOut]


@router.get("/own-services", summary="The catalogue of own services")
def find_services(connection: Db, _: Reader) -> list[ServiceOut]:
    """By code, each with its prices."""
    return [_service(connection, row) for row in catalogue.find_services(connection)]


@router.post("/own-services", status_code=201, summary="Add an own service to the catalogue")
def create_service(connection: Db, person: Operator, clock: Now, response: Response, body: ServiceIn) -> ServiceOut:
    """Its code and rate code are taken for good."""
    catalogue.create_service(connection, body.model_dump())
    details = body.model_dump(mode="json")
    subject = f"own_service/{body.code}"
    audit.record(connection, person, "own_service.create", subject, details, clock.now(), after=details)
    return _shown_service(connection, response, body.code)


@router.get("/own-services/{code}", summary="One own service")
def get_service(connection: Db, _: Reader, response: Response, code: str) -> ServiceOut:
    """With its prices."""
    return _shown_service(connection, response, code)


@router.post("/own-services/{code}/prices", status_code=201, summary="Price an own service from a day on")
def set_service_price(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    code: str,
    body: PriceIn,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ServiceOut | Preview:
    """The price before it ends there. With `preview=true` only says what would be touched."""
    row = catalogue.require_service(connection, code, lock=True)
    validity(f"price of {code}", body.valid_from, body.valid_to)
    change = _change(connection, own_service, row, body)
    before = {"prices": plain([dict(each) for each in catalogue.prices_of_service(connection, row["id"])])}
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    catalogue.set_service_price(connection, row["id"], body.price, body.source, body.valid_from, body.valid_to)
    after = {"prices": plain([dict(each) for each in catalogue.prices_of_service(connection, row["id"])])}
    record(connection, change, Ask(person, clock, None, body.why), before, after, [sentence(each) for each in touched])
    return _shown_service(connection, response, code)


@router.get("/own-price-lists", summary="Own price lists of supply")
def find_price_lists(connection: Db, _: Reader) -> list[PriceListOut]:
    """By code, each with its prices."""
    return [_price_list(connection, row) for row in catalogue.find_price_lists(connection)]


@router.post("/own-price-lists", status_code=201, summary="Create an own price list")
def create_price_list(
    connection: Db, person: Operator, clock: Now, response: Response, body: PriceListIn
) -> PriceListOut:
    """Empty; prices are added from a day on."""
    catalogue.create_price_list(connection, body.model_dump())
    details = body.model_dump(mode="json")
    subject = f"own_price_list/{body.code}"
    audit.record(connection, person, "own_price_list.create", subject, details, clock.now(), after=details)
    return _shown_list(connection, response, body.code)


@router.get("/own-price-lists/{code}", summary="One own price list")
def get_price_list(connection: Db, _: Reader, response: Response, code: str) -> PriceListOut:
    """With its prices."""
    return _shown_list(connection, response, code)


@router.post("/own-price-lists/{code}/prices", status_code=201, summary="Price a component of a list from a day on")
def set_list_price(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    code: str,
    body: ListedPriceIn,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> PriceListOut | Preview:
    """The price of the component and rate before it ends there."""
    row = catalogue.require_price_list(connection, code, lock=True)
    validity(f"price of {code}", body.valid_from, body.valid_to)
    change = _change(connection, own_price_list, row, body)
    before = {"prices": plain([dict(each) for each in catalogue.prices_of_list(connection, row["id"])])}
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    catalogue.set_list_price(
        connection, row, body.component, body.rate, body.price, body.source, body.valid_from, body.valid_to
    )
    after = {"prices": plain([dict(each) for each in catalogue.prices_of_list(connection, row["id"])])}
    record(connection, change, Ask(person, clock, None, body.why), before, after, [sentence(each) for each in touched])
    return _shown_list(connection, response, code)


def _change(connection: Db, table: Table, row: RowMapping, body: PriceIn) -> Change:
    points = catalogue.points_by(connection, table, row["id"])
    fields = frozenset({"price"})
    return Change(table.name, row["id"], row["code"], "price", body.valid_from, body.valid_to, fields, points)


def _service(connection: Db, row: RowMapping) -> ServiceOut:
    prices: list[Any] = [PriceOut(**each) for each in catalogue.prices_of_service(connection, row["id"])]
    return ServiceOut(**row, prices=prices)


def _price_list(connection: Db, row: RowMapping) -> PriceListOut:
    prices = [ListedPriceOut(**each) for each in catalogue.prices_of_list(connection, row["id"])]
    return PriceListOut(**row, prices=prices)


def _shown_service(connection: Db, response: Response, code: str) -> ServiceOut:
    shown = _service(connection, catalogue.require_service(connection, code))
    show(response, shown.model_dump())
    return shown


def _shown_list(connection: Db, response: Response, code: str) -> PriceListOut:
    shown = _price_list(connection, catalogue.require_price_list(connection, code))
    show(response, shown.model_dump())
    return shown
