"""Install packages into the database and find the ones in force."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from central.network.maintenance.verification import install_periods
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from central.readings.estimation.orders import install_orders
from central.readings.load_profile_rates import install_rate_classes
from central.tariffs.load import load_content, load_file, shipped_files
from central.tariffs.package import Package
from central.tariffs.tables import package as package_table
from shared.quantities import Commodity

_INSTALLING = 5_005_001
"""Advisory lock: one installation at a time, so that two sessions cannot both find a package missing."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did: names with versions newly installed, and those that were there already."""

    installed: list[str]
    present: list[str]


def install_shipped(connection: Connection, formulas: Collection[str], person: Person | str, at: datetime) -> Installed:
    """Install every package that comes with the product; those already installed stay as they are."""
    return install_files(connection, shipped_files(), formulas, person, at)


def install_files(
    connection: Connection, paths: Iterable[Path], formulas: Collection[str], person: Person | str, at: datetime
) -> Installed:
    """Install packages from files, idempotently.

    `formulas` are the names known to the code. A newer version takes the place of the active one of its name; what was
    settled by the older one keeps it. Raises PackageInvalidError for a damaged file, Refused where the same name and
    version is installed with another checksum, or where another package of the scope is in force at the same time.
    """
    connection.execute(select(func.pg_advisory_xact_lock(_INSTALLING)))
    result = Installed([], [])
    for path in paths:
        package = load_file(path, formulas)
        label = f"{package.name} {package.version}"
        known = connection.execute(
            select(package_table.c.checksum).where(
                package_table.c.name == package.name, package_table.c.version == package.version
            )
        ).scalar()
        if known == package.checksum:
            result.present.append(label)
            continue
        if known is not None:
            raise Refused(
                "package_differs",
                f"Package {label} is installed with checksum {known}, the file {path.name} has {package.checksum}; "
                "a changed package needs a new version.",
            )
        _insert(connection, package, person, at)
        _install_orders(connection, package, at)
        _install_verification(connection, package)
        _install_rate_classes(connection, package)
        audit.record(connection, person, "package.install", f"package/{package.name}", _named(package), at)
        result.installed.append(label)
    return result


def packages_in_force(connection: Connection, first: date, end: date) -> list[Package]:
    """The active packages that are valid over the whole of [first, end), validated again as they are read."""
    rows = connection.execute(
        select(package_table.c.name, package_table.c.content)
        .where(package_table.c.active, package_table.c.valid.contains(Range(first, end)))
        .order_by(package_table.c.scope)
    )
    return [load_content(row.content, row.name) for row in rows]


def _insert(connection: Connection, package: Package, person: Person | str, at: datetime) -> None:
    valid = Range(*package.valid)
    connection.execute(
        update(package_table).where(package_table.c.name == package.name, package_table.c.active).values(active=False)
    )
    other = connection.execute(
        select(package_table.c.name).where(
            package_table.c.scope == package.file.scope, package_table.c.active, package_table.c.valid.overlaps(valid)
        )
    ).scalar()
    if other is not None:
        raise Refused(
            "package_overlaps",
            f"Package {package.name} {package.version} is valid from {package.valid[0]} to {package.valid[1]}, "
            f"but {other} of the same scope {package.file.scope} is in force in that time.",
        )
    connection.execute(
        insert(package_table).values(
            name=package.name,
            version=package.version,
            scope=package.file.scope,
            commodity=package.commodity,
            valid=valid,
            example=package.example,
            checksum=package.checksum,
            signature=package.file.signature,
            content=package.content,
            active=True,
            installed_at=at,
            installed_by=person.name if isinstance(person, Person) else person,
        )
    )


def _install_orders(connection: Connection, package: Package, at: datetime) -> None:
    """Hand the order of estimation down to the readings, with the titles of its sources."""
    orders = [
        msgspec.structs.replace(order, source=package.source_title(order.source))
        for order in package.file.estimation_orders
    ]
    install_orders(connection, package.name, package.version, package.valid, orders, at)


def _install_verification(connection: Connection, package: Package) -> None:
    """Hand the periods of verification down to the maintenance of meters, with the titles of their sources."""
    rows = [
        {**msgspec.structs.asdict(period), "source": package.source_title(period.source)}
        for period in package.file.verification_periods
    ]
    install_periods(connection, rows, package.name, package.valid[0])


def _install_rate_classes(connection: Connection, package: Package) -> None:
    """Hand the load-profile classes of the rates down to the readings, with the titles of their sources."""
    install_rate_classes(connection, package.name, Commodity(package.commodity), package.rate_classes())


def _named(package: Package) -> dict[str, str]:
    return {"version": package.version, "checksum": package.checksum}
