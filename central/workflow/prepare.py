"""What a new database needs before the first month: the law that ships with the product, and the standard checks."""

from datetime import datetime

from sqlalchemy import Connection, select

from central.checks.install import install_standard_checks
from central.platform.identity import Person
from central.settlement.gas import ALL_FORMULAS
from central.tariffs.install import install_files
from central.tariffs.load import load_file, shipped_files
from central.tariffs.tables import package


def prepare(connection: Connection, person: Person | str, at: datetime) -> list[str]:
    """Install shipped packages of scopes that have none yet, and standard checks that are missing; idempotent.

    A scope for which the operator has installed a package is left alone. Returns the packages newly installed.
    """
    taken = set(connection.execute(select(package.c.scope).distinct()).scalars())
    missing = [path for path in shipped_files() if load_file(path, ALL_FORMULAS).file.scope not in taken]
    install_standard_checks(connection)
    return install_files(connection, missing, ALL_FORMULAS, person, at).installed
