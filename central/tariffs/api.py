"""Routes of the tariffs: installed legislative packages and the prices in them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import select

from central.platform.errors import NotFound
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.tariffs.install import require_installed, set_active
from central.tariffs.keys import distrust, find_keys, trust
from central.tariffs.seal import PRODUCT_KEYS
from central.tariffs.tables import package as package_table

router = APIRouter(prefix="/v1/packages", tags=["tariffs"])

Reader = Annotated[Person, Depends(require("read"))]
Admin = Annotated[Person, Depends(require("admin"))]
Words = Annotated[str, Field(min_length=1, max_length=500, pattern="^[^\\x00]+$")]


@router.get("", summary="Installed legislative packages")
def list_packages(connection: Db, person: Reader) -> list[dict[str, Any]]:
    """Without their content."""
    columns = [column for column in package_table.c if column.name not in ("content", "valid")]
    rows = connection.execute(
        select(*columns, package_table.c.valid).order_by(package_table.c.name, package_table.c.id)
    )
    return [
        {
            **{column.name: row._mapping[column.name] for column in columns},
            "from": row.valid.lower,
            "to": row.valid.upper,
        }
        for row in rows
    ]


class KeyOut(BaseModel):
    """A key that packages may be signed with; `origin` says whether it came with the product or from the operator."""

    id: str
    public_key: str
    origin: Literal["product", "operator"]
    name: str
    trusted: bool
    reason: str | None
    changed_at: datetime | None
    changed_by: str | None


class TrustIn(BaseModel, extra="forbid"):
    """The public key of a publisher (base64 of 32 octets, Ed25519), who that is, and why it is trusted."""

    public_key: Annotated[str, Field(max_length=200)]
    name: Words
    reason: Words


class ReasonIn(BaseModel, extra="forbid"):
    """Why."""

    reason: Words


@router.get("/keys", summary="Keys of packages")
def list_keys(connection: Db, person: Reader) -> list[KeyOut]:
    """The product's keys and those that the operator decided about."""
    decided = {row.id: row for row in find_keys(connection)}
    keys = [
        KeyOut(
            id=identifier,
            public_key=public,
            origin="product",
            name="product",
            trusted=True,
            reason=None,
            changed_at=None,
            changed_by=None,
        )
        for identifier, public in PRODUCT_KEYS.items()
        if identifier not in decided
    ]
    keys += [
        KeyOut(**row._mapping, origin="product" if row.id in PRODUCT_KEYS else "operator") for row in decided.values()
    ]
    return sorted(keys, key=lambda key: key.id)


@router.post("/keys", status_code=201, summary="Trust a key")
def trust_key(body: TrustIn, connection: Db, clock: Now, person: Admin) -> dict[str, str]:
    """Packages that its owner signed may be installed and picked up from now on."""
    return {"id": trust(connection, body.public_key, body.name, body.reason, person, clock.now())}


@router.post("/keys/{identifier}/distrust", summary="Trust a key no more")
def distrust_key(identifier: str, body: ReasonIn, connection: Db, clock: Now, person: Admin) -> dict[str, str]:
    """Nothing is installed or settled by packages signed with it from now on."""
    distrust(connection, identifier, body.reason, person, clock.now())
    return {"id": identifier}


@router.post("/{name}/{version}/activate", summary="Settle by a package")
def activate(name: str, version: str, body: ReasonIn, connection: Db, clock: Now, person: Admin) -> dict[str, str]:
    """From now on; also the way to settle by one that does not bind, with the reason why."""
    set_active(connection, name, version, True, body.reason, person, clock.now())
    return {"name": name, "version": version}


@router.post("/{name}/{version}/deactivate", summary="Settle by a package no more")
def deactivate(name: str, version: str, body: ReasonIn, connection: Db, clock: Now, person: Admin) -> dict[str, str]:
    """What was settled by it stays as it is."""
    set_active(connection, name, version, False, body.reason, person, clock.now())
    return {"name": name, "version": version}


@router.get("/{name}/{version}", summary="A package whole")
def get_package(name: str, version: str, connection: Db, person: Reader) -> dict[str, Any]:
    """The content as its checksum was made of it."""
    return dict(require_installed(connection, name, version).content)


@router.get("/{name}/{version}/price", summary="One price")
def get_price(
    name: str,
    version: str,
    component: str,
    day: date,
    connection: Db,
    person: Reader,
    operator: str | None = None,
    level: str | None = None,
    rate: str | None = None,
    band: str | None = None,
) -> dict[str, Any]:
    """The value of a component on a day, with its price decision and mark."""
    package = require_installed(connection, name, version)
    price = package.find_price(component, day, operator=operator, level=level, rate=rate, band=band)
    if price is None:
        raise NotFound("price_not_found", f"Package {name} {version} has no {component} for these keys on {day}.")
    return {
        "component": price.component,
        "value": str(price.value),
        "unit": price.unit,
        "source": price.source,
        "mark": price.mark,
        "example": price.example,
    }
