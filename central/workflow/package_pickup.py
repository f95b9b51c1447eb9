"""Packages are picked up from a folder and from addresses that the operator trusts, by themselves.

A file is taken when two looks see it alike, an address is asked whether anything is new (ETag). What is whole and
signed by a trusted key is installed; what is not is quarantined, byte for byte with the reason. Either way the same
octets are looked at once; a quarantined package can be tried again when the cause is mended.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from central.platform import audit
from central.platform.database import transaction
from central.platform.errors import BadInput, DomainError, NotFound, Refused
from central.platform.identity import Person
from central.platform.watched_folder import WatchedFolder
from central.tariffs.install import install
from central.tariffs.load import LARGEST
from central.tariffs.tables import package_pickup, package_source
from central.workflow.packages import read_package
from shared.clock import Clock

PICKUP: Final = Person("package-pickup", frozenset({"settle"}))
TIMEOUT_S: Final = 20.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of picked-up octets: "installed", "present" or "quarantined" with the reason."""

    outcome: str
    package: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """An address's answer: octets where there is something new, and what to ask with the next time."""

    answer: str
    octets: bytes | None = None
    etag: str | None = None
    last_modified: str | None = None


def check_addresses(urls: Sequence[str], *, insecure: bool) -> None:
    """Refuse addresses that are not https, unless the operator allows http explicitly; raises BadInput."""
    for url in urls:
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in (("https", "http") if insecure else ("https",)):
            raise BadInput(
                "package_urls",
                f"Packages cannot be picked up from {url!r}: an https address is expected; http only with "
                "ROZVODNA_PACKAGE_URLS_INSECURE=true.",
            )


class PackagePickup:
    """Looks at a folder and at addresses again and again; see the module."""

    def __init__(
        self, engine: Engine, clock: Clock, folder: Path | None, urls: Sequence[str] = (), *, insecure: bool = False
    ) -> None:
        check_addresses(urls, insecure=insecure)
        self._engine = engine
        self._clock = clock
        self._folder = None if folder is None else WatchedFolder(folder, LARGEST)
        self._urls = urls

    def look(self) -> list[Taken]:
        """Take what is new; what became of it. Looks are some seconds apart. A folder that is away is logged."""
        taken: list[Taken] = []
        for path, octets in () if self._folder is None else self._folder.look():
            outcome = self._take(str(path), octets)
            taken += [] if outcome is None else [outcome]
        for url in self._urls:
            outcome = self._ask(url)
            taken += [] if outcome is None else [outcome]
        return taken

    def _ask(self, url: str) -> Taken | None:
        with transaction(self._engine) as connection:
            known = connection.execute(select(package_source).where(package_source.c.url == url)).one_or_none()
        fetched = fetch(url, known.etag if known else None, known.last_modified if known else None)
        taken = None if fetched.octets is None else self._take(url, fetched.octets)
        values = {
            "etag": fetched.etag,
            "last_modified": fetched.last_modified,
            "looked_at": self._clock.now(),
            "answer": fetched.answer,
        }
        with transaction(self._engine) as connection:
            statement = insert(package_source).values(url=url, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["url"], set_=values))
        if fetched.answer not in ("200", "304"):
            _log.warning("no package from an address", url=url, answer=fetched.answer)
        return taken

    def _take(self, place: str, octets: bytes) -> Taken | None:
        """What became of the octets; None where they were taken before."""
        digest = _digest(octets)
        with transaction(self._engine) as connection:
            known = select(package_pickup.c.id).where(
                package_pickup.c.place == place, package_pickup.c.digest == digest
            )
            if connection.execute(known).first() is not None:
                return None
            return take(connection, place, octets, PICKUP, self._clock.now())


def fetch(url: str, etag: str | None, last_modified: str | None) -> Fetched:
    """Ask an address for something new. Redirects are not followed: another place is not the trusted one."""
    asked = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    headers = {name: value for name, value in asked.items() if value is not None}
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code != 200:
                return Fetched(str(response.status_code), None, etag, last_modified)
            octets = bytearray()
            for piece in response.iter_bytes():
                octets += piece
                if len(octets) > LARGEST:
                    return Fetched(f"more than {LARGEST} octets", None, etag, last_modified)
            answered = response.headers
            return Fetched("200", bytes(octets), answered.get("etag"), answered.get("last-modified"))
    except httpx.HTTPError as error:
        return Fetched(f"{type(error).__name__}: {error}", None, etag, last_modified)


def take(connection: Connection, place: str, octets: bytes, person: Person | str, at: datetime) -> Taken:
    """Install picked-up octets or quarantine them, and write the journal."""
    taken = _installed(connection, place, octets, person, at)
    values: dict[str, Any] = {
        "outcome": taken.outcome,
        "package": taken.package,
        "reason": taken.reason,
        "content": octets[:LARGEST] if taken.outcome == "quarantined" else None,
        "at": at,
    }
    statement = insert(package_pickup).values(place=place, digest=_digest(octets), **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["place", "digest"], set_=values))
    details = {"outcome": taken.outcome, "package": taken.package, "reason": taken.reason}
    audit.record(connection, person, "package.pickup", f"place/{place}", details, at)
    tell = _log.warning if taken.outcome == "quarantined" else _log.info
    tell("package picked up", place=place, **details)
    return taken


def retry(connection: Connection, pickup: int, person: Person | str, at: datetime) -> Taken:
    """Try a quarantined package again; NotFound for an unknown one, Refused for one that is not in quarantine."""
    row = connection.execute(
        select(package_pickup).where(package_pickup.c.id == pickup).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound("pickup_not_found", f"There is no pick-up {pickup}; see GET /v1/packages/pickups.")
    if row.content is None:
        raise Refused("not_quarantined", f"Pick-up {pickup} is {row.outcome}; only quarantined ones are tried again.")
    return take(connection, row.place, bytes(row.content), person, at)


def _installed(connection: Connection, place: str, octets: bytes, person: Person | str, at: datetime) -> Taken:
    label = None
    try:
        package = read_package(octets, place)
        label = f"{package.name} {package.version}"
        with connection.begin_nested():
            new = install(connection, package, person, at)
    except DomainError as error:
        return Taken("quarantined", label, error.message)
    except IntegrityError:
        reason = f"Package {label} says something else than another installed package of the same time; see both."
        return Taken("quarantined", label, reason)
    return Taken("installed" if new else "present", label, None)


def _digest(octets: bytes) -> str:
    return "sha256:" + hashlib.sha256(octets).hexdigest()
