"""Routes of legislative packages that need the formulas and the registry: check, install, compare, pick up."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import select

from central.platform.errors import BadInput, NotAllowed
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.tariffs.install import Consent, install, require_installed
from central.tariffs.keys import trusted_keys
from central.tariffs.package import Package
from central.tariffs.seal import require_signer
from central.tariffs.summary import Summary, summary_of
from central.tariffs.tables import package_pickup
from central.workflow.package_pickup import retry
from central.workflow.packages import Comparison, compare, compare_with_active, read_package

router = APIRouter(prefix="/packages")

Reader = Annotated[Person, Depends(require("read"))]
Settler = Annotated[Person, Depends(require("settle"))]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern="^[^\\x00]+$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern="^[^\\x00]+$")]


class PackageIn(BaseModel, extra="forbid"):
    """A package as it stands in its file."""

    content: dict[str, Any]


class InstallIn(PackageIn):
    """A package, and what is allowed explicitly, each with the reason that is kept: no signature, settling by a package
    that does not bind. Both need the right `admin`."""

    unsigned_reason: Reason | None = None
    informative_reason: Reason | None = None


class InstalledName(BaseModel, extra="forbid"):
    """An installed package."""

    name: Name
    version: Name


class DiffIn(BaseModel, extra="forbid"):
    """Two packages; `old` left out: what is in force in the scope and time of the new one."""

    old: InstalledName | None = None
    new: InstalledName | PackageIn
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


class DifferenceOut(BaseModel):
    """One difference in words, with what it is of; `money`: bills come out otherwise by it."""

    kind: str
    text: str
    component: str | None
    keys: dict[str, str]
    first: date
    end: date
    before: str | None
    after: str | None
    money: bool


class ContractOut(BaseModel):
    """A contract that is billed otherwise, with the first days of its months."""

    contract: str
    payer: str
    points: int
    unsettled: list[date]
    settled: list[date]
    invoiced: list[date]


class ComparisonOut(BaseModel):
    """Two packages compared; `contracts` is the number of all that are touched, `effect` the first of them."""

    old: str | None
    new: str
    differences: list[DifferenceOut]
    contracts: int
    effect: list[ContractOut]


class PickupOut(BaseModel):
    """What was picked up, from where, and what became of it."""

    id: int
    place: str
    digest: str
    outcome: str
    package: str | None
    reason: str | None
    at: datetime


class TakenOut(BaseModel):
    """What became of a package that was tried again."""

    outcome: str
    package: str | None
    reason: str | None


@router.post("/verify", summary="Check a package")
def verify(body: PackageIn, connection: Db, person: Reader) -> Summary:
    """What is in it and who signed it; 422 with the reason for a faulty one. Nothing is installed."""
    package = read_package(body.content, "given")
    return summary_of(package, require_signer(package, trusted_keys(connection)))


@router.post("", status_code=201, summary="Install a package")
def install_package(body: InstallIn, connection: Db, clock: Now, person: Settler) -> dict[str, Any]:
    """What is settled or invoiced keeps the package it was settled by."""
    if (body.unsigned_reason or body.informative_reason) and "admin" not in person.rights:
        raise NotAllowed("right_missing", f"{person.name} lacks the right 'admin' that these permissions need.")
    package = read_package(body.content, "given")
    consent = Consent(body.unsigned_reason, body.informative_reason)
    new = install(connection, package, person, clock.now(), consent)
    return {"package": f"{package.name} {package.version}", "installed": new, "binding": package.binding}


@router.post("/diff", summary="Compare packages")
def diff(body: DiffIn, connection: Db, person: Reader) -> list[ComparisonOut]:
    """Changed prices and rules in words, and the contracts and months that they touch; nothing is written."""
    new = _package(connection, body.new)
    if body.old is None:
        return [_told(found) for found in compare_with_active(connection, new, body.limit)]
    old = _package(connection, body.old)
    if old.commodity != new.commodity:
        raise BadInput("commodity", f"{old.name} is for {old.commodity}, {new.name} for {new.commodity}.")
    return [_told(compare(connection, old, new, body.limit))]


@router.get("/pickups", summary="Packages that were picked up")
def list_pickups(connection: Db, person: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[PickupOut]:
    """The latest first; quarantined ones with the reason."""
    columns = [column for column in package_pickup.c if column.name != "content"]
    rows = connection.execute(select(*columns).order_by(package_pickup.c.id.desc()).limit(limit))
    return [PickupOut(**row._mapping) for row in rows]


@router.post("/pickups/{pickup}/retry", summary="Try a quarantined package again")
def retry_pickup(
    pickup: Annotated[int, Path(ge=1, le=2**63 - 1)], connection: Db, clock: Now, person: Settler
) -> TakenOut:
    """After its cause is mended, for example the key of its publisher is trusted."""
    taken = retry(connection, pickup, person, clock.now())
    return TakenOut(outcome=taken.outcome, package=taken.package, reason=taken.reason)


def _package(connection: Db, given: InstalledName | PackageIn) -> Package:
    if isinstance(given, PackageIn):
        return read_package(given.content, "given")
    return require_installed(connection, given.name, given.version)


def _told(found: Comparison) -> ComparisonOut:
    return ComparisonOut(
        old=None if found.old is None else f"{found.old.name} {found.old.version}",
        new=f"{found.new.name} {found.new.version}",
        differences=[
            DifferenceOut(
                kind=each.kind,
                text=each.text,
                component=each.component,
                keys=dict(each.keys),
                first=each.valid[0],
                end=each.valid[1],
                before=each.before,
                after=each.after,
                money=each.money,
            )
            for each in found.differences
        ],
        contracts=found.contracts,
        effect=[
            ContractOut(
                contract=row.number,
                payer=row.payer,
                points=row.points,
                unsettled=list(row.unsettled),
                settled=list(row.settled),
                invoiced=list(row.invoiced),
            )
            for row in found.rows
        ],
    )
