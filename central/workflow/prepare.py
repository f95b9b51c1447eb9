"""What a new database needs before the first month: the law that ships with the product, and the standard checks."""

import sys
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from central.checks.install import install_standard_checks
from central.platform.identity import Person
from central.settlement.gas import ALL_FORMULAS
from central.tariffs.install import install_files
from central.tariffs.load import load_file, shipped_files
from central.tariffs.package import Package
from central.tariffs.tables import package


def prepare(connection: Connection, person: Person | str, at: datetime) -> list[str]:
    """Install shipped packages of scopes that have none yet or an earlier release of the same package, and standard
    checks that are missing; idempotent.

    A scope for which the operator has installed a package of their own is left alone. Returns the packages newly
    installed.
    """
    rows = connection.execute(select(package.c.scope, package.c.name, package.c.version).where(package.c.active))
    present = {row.scope: (row.name, row.version) for row in rows}
    wanted = [path for path in shipped_files() if _is_wanted(load_file(path, ALL_FORMULAS), present)]
    install_standard_checks(connection)
    return install_files(connection, wanted, ALL_FORMULAS, person, at).installed


def _is_wanted(shipped: Package, present: Mapping[str, tuple[str, str]]) -> bool:
    """Whether nothing is installed in the scope, or the same package as it was released before."""
    name, version = present.get(shipped.file.scope, (shipped.name, ""))
    return name == shipped.name and (not version or release_of(version) < release_of(shipped.version))


def release_of(version: str) -> tuple[int, ...]:
    """2026.2 as (2026, 2), to compare; what the product did not name so counts as later than any release."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else (sys.maxsize,)
