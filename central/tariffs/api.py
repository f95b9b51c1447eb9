"""Routes of the tariffs: installed legislative packages and the prices in them."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import select

from central.platform.errors import NotFound
from central.platform.identity import Person, require
from central.platform.web import Db
from central.tariffs.install import require_installed
from central.tariffs.tables import package as package_table

router = APIRouter(prefix="/v1/packages", tags=["tariffs"])

Reader = Annotated[Person, Depends(require("read"))]


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
