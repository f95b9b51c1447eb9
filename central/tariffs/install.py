"""Install packages into the database and find the ones in force."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from central.network.maintenance.verification import install_periods
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.readings.estimation.orders import install_orders
from central.readings.load_profile_rates import install_rate_classes
from central.tariffs.keys import trusted_keys
from central.tariffs.load import PackageInvalidError, load_content, load_file
from central.tariffs.package import Package
from central.tariffs.problems import Formulas
from central.tariffs.seal import require_signer
from central.tariffs.tables import package as package_table
from shared.quantities import Commodity

_INSTALLING = 5_005_001
"""Advisory lock: one installation at a time, so that two sessions cannot both find a package missing."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did: names with versions newly installed, and those that were there already."""

    installed: list[str]
    present: list[str]


@dataclass(frozen=True, slots=True)
class Consent:
    """What the operator allows explicitly, each with the reason that is kept: a package without signature, settling
    by one that does not bind."""

    unsigned: str | None = None
    informative: str | None = None


NO_CONSENT = Consent()


def install_files(
    connection: Connection, paths: Iterable[Path], formulas: Formulas, person: Person | str, at: datetime
) -> Installed:
    """Install signed packages from files, idempotently; see `install`."""
    result = Installed([], [])
    for path in paths:
        package = load_file(path, formulas)
        new = install(connection, package, person, at)
        (result.installed if new else result.present).append(f"{package.name} {package.version}")
    return result


def install(
    connection: Connection, package: Package, person: Person | str, at: datetime, consent: Consent = NO_CONSENT
) -> bool:
    """Install one package; False where the same one is there already.

    A newer version takes the place of the active one of its name; what was settled by the older one keeps it. A
    package that does not bind is stored and not active, unless `consent` says otherwise. Raises PackageInvalidError
    for a bad signature, Refused for a package without one, where the same name and version is installed with another
    checksum, or where another package of the scope is in force at the same time.
    """
    connection.execute(select(func.pg_advisory_xact_lock(_INSTALLING)))
    label = f"{package.name} {package.version}"
    known = connection.execute(
        select(package_table.c.checksum).where(
            package_table.c.name == package.name, package_table.c.version == package.version
        )
    ).scalar()
    if known == package.checksum:
        return False
    if known is not None:
        raise Refused(
            "package_differs",
            f"Package {label} is installed with checksum {known}, this one has {package.checksum}; "
            "a changed package needs a new version.",
        )
    signer = require_signer(package, trusted_keys(connection))
    if signer is None and consent.unsigned is None:
        raise Refused(
            "package_unsigned",
            f"Package {label} is not signed; have it signed by a key that is trusted here, or allow it explicitly "
            "with a reason.",
        )
    active = package.binding or consent.informative is not None
    _insert(connection, package, person, at, consent, active=active)
    if active:
        _hand_down(connection, package, at)
    details = {**_named(package), "signer": signer, "unsigned": consent.unsigned if signer is None else None}
    audit.record(connection, person, "package.install", f"package/{package.name}", details, at)
    return True


def packages_in_force(connection: Connection, first: date, end: date) -> list[Package]:
    """The active packages that are valid on some day of [first, end), checked again as they are read.

    Raises Refused where a stored package is damaged, its signature is bad or of a key that is trusted no more, or two
    of one scope are in force at one time: nothing may be settled then.
    """
    rows = connection.execute(
        select(package_table)
        .where(package_table.c.active, package_table.c.valid.overlaps(Range(first, end)))
        .order_by(package_table.c.scope, func.lower(package_table.c.valid))
    ).all()
    keys = trusted_keys(connection)
    packages = [_intact(row, keys) for row in rows]
    for one, other in itertools.pairwise(packages):
        if one.file.scope == other.file.scope and other.valid[0] < one.valid[1]:
            raise Refused(
                "package_overlaps",
                f"Packages {one.name} {one.version} and {other.name} {other.version} of the scope {one.file.scope} "
                f"are both in force from {other.valid[0]}; deactivate one of them and settle again.",
            )
    return packages


def find_active(connection: Connection, scope: str, first: date, end: date) -> list[Package]:
    """The active packages of a scope that are valid on a day of [first, end), checked as they are read."""
    rows = connection.execute(
        select(package_table)
        .where(
            package_table.c.active,
            package_table.c.scope == scope,
            package_table.c.valid.overlaps(Range(first, end)),
        )
        .order_by(func.lower(package_table.c.valid))
    ).all()
    keys = trusted_keys(connection)
    return [_intact(row, keys) for row in rows]


def require_installed(connection: Connection, name: str, version: str) -> Package:
    """An installed package, checked as it is read; NotFound where there is none."""
    row = connection.execute(
        select(package_table).where(package_table.c.name == name, package_table.c.version == version)
    ).one_or_none()
    if row is None:
        raise NotFound("package_not_found", f"Package {name} {version} is not installed; see GET /v1/packages.")
    return _intact(row, trusted_keys(connection))


def _intact(row: Row[Any], keys: Mapping[str, str]) -> Package:
    """The package of a stored row, if it is what was installed."""
    label = f"{row.name} {row.version}"
    try:
        package = load_content(row.content, label)
        signer = require_signer(package, keys)
    except PackageInvalidError as error:
        raise Refused(
            "package_damaged",
            f"The installed package {label} must not be used: {error.message} Nothing is settled until it is whole "
            "again: restore it from a copy, or install a newer version.",
        ) from error
    told = (row.name, row.version, row.scope, row.checksum, row.valid.lower, row.valid.upper, row.signature)
    file = package.file
    held = (file.name, file.version, file.scope, package.checksum, *package.valid, file.signature)
    if told != held or (signer is None and row.unsigned_reason is None):
        raise Refused(
            "package_damaged",
            f"The installed package {label} must not be used: its row in the database says another name, version, "
            "scope, checksum, validity or signature than its content. Restore it from a copy.",
        )
    return package


def _insert(
    connection: Connection, package: Package, person: Person | str, at: datetime, consent: Consent, *, active: bool
) -> None:
    if active:
        _make_room(connection, package)
    signed = package.file.signature is not None
    connection.execute(
        insert(package_table).values(
            name=package.name,
            version=package.version,
            scope=package.file.scope,
            commodity=package.commodity,
            valid=Range(*package.valid),
            example=package.file.example,
            binding=package.binding,
            checksum=package.checksum,
            signature=package.file.signature,
            unsigned_reason=None if signed else consent.unsigned,
            informative_reason=None if package.binding else consent.informative,
            content=package.content,
            active=active,
            installed_at=at,
            installed_by=person.name if isinstance(person, Person) else person,
        )
    )


def _make_room(connection: Connection, package: Package) -> None:
    """Put the active version of the same name aside; another package of the scope in that time is Refused."""
    connection.execute(
        update(package_table).where(package_table.c.name == package.name, package_table.c.active).values(active=False)
    )
    other = connection.execute(
        select(package_table.c.name).where(
            package_table.c.scope == package.file.scope,
            package_table.c.active,
            package_table.c.valid.overlaps(Range(*package.valid)),
        )
    ).scalar()
    if other is not None:
        raise Refused(
            "package_overlaps",
            f"Package {package.name} {package.version} is valid from {package.valid[0]} to {package.valid[1]}, "
            f"but {other} of the same scope {package.file.scope} is in force in that time.",
        )


def set_active(
    connection: Connection,
    name: str,
    version: str,
    active: bool,
    reason: str,
    person: Person | str,
    at: datetime,
) -> None:
    """Settle by an installed package from now on, or no more; the reason of settling by an informative one is kept.

    Raises Refused where another package of its scope is in force at the same time.
    """
    connection.execute(select(func.pg_advisory_xact_lock(_INSTALLING)))
    package = require_installed(connection, name, version)
    if active:
        _make_room(connection, package)
    values: dict[str, Any] = {"active": active}
    if active and not package.binding:
        values["informative_reason"] = reason
    this = (package_table.c.name == name) & (package_table.c.version == version)
    connection.execute(update(package_table).where(this).values(**values))
    if active:
        _hand_down(connection, package, at)
    else:
        install_orders(connection, name, version, package.valid, [], at)
        install_rate_classes(connection, name, Commodity(package.commodity), [])
    act = "package.activate" if active else "package.deactivate"
    audit.record(connection, person, act, f"package/{name}", {"version": version, "reason": reason}, at)


def _hand_down(connection: Connection, package: Package, at: datetime) -> None:
    """What rooms below settle or maintain by: orders of estimation, periods of verification, classes of rates."""
    _install_orders(connection, package, at)
    _install_verification(connection, package)
    _install_rate_classes(connection, package)


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
