"""What a new database needs before the first month: the law that ships with the product, stock items, checks."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from central.checks.install import install_standard_checks
from central.platform.identity import Person
from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.stock_items import install_stock_items
from central.tariffs.install import install_files
from central.tariffs.load import load_file, shipped_files
from central.tariffs.package import Package
from central.tariffs.tables import package


@dataclass(frozen=True, slots=True)
class Present:
    """An installed package, as far as it decides whether one that ships is wanted."""

    name: str
    version: str
    scope: str
    valid: tuple[date, date]
    active: bool


def prepare(connection: Connection, person: Person | str, at: datetime) -> list[str]:
    """Install shipped packages that are missing or there in an earlier release only, and standard checks and stock
    items that are missing; idempotent.

    A time for which the operator has installed a package of their own in the scope is left alone. Returns the packages
    newly installed.
    """
    columns = (package.c.name, package.c.version, package.c.scope, package.c.valid, package.c.active)
    present = [
        Present(row.name, row.version, row.scope, (row.valid.lower, row.valid.upper), row.active)
        for row in connection.execute(select(*columns))
    ]
    wanted = [path for path in shipped_files() if is_wanted(load_file(path, FORMULA_SHAPES), present)]
    install_standard_checks(connection)
    install_stock_items(connection)
    return install_files(connection, wanted, FORMULA_SHAPES, person, at).installed


def is_wanted(shipped: Package, present: Sequence[Present]) -> bool:
    """Whether the database has neither this release of the package nor a later one, nor another in its time."""
    for each in present:
        if each.name == shipped.name and release_of(each.version) >= release_of(shipped.version):
            return False
        others = each.active and each.name != shipped.name and each.scope == shipped.file.scope
        if others and each.valid[0] < shipped.valid[1] and shipped.valid[0] < each.valid[1]:
            return False
    return True


def release_of(version: str) -> tuple[int, ...]:
    """2026.2 as (2026, 2), to compare; what the product did not name so counts as later than any release."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else (sys.maxsize,)
