"""Verification (ověření, cejchování) of meters: how long it holds, who did it, and groups tested by samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from central.network.maintenance.tables import meter_verification, sampling_group, verification_period
from central.network.tables import meter
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person


@dataclass(frozen=True, slots=True)
class Period:
    """How long a kind of instrument may be used after a verification; `years` None: without limit.

    `extension_years`: what a passed test of samples adds for a whole group; None: the law knows no such test for it.
    """

    kind: str
    years: int | None
    extension_years: int | None
    to_year_end: bool
    """The time runs from the end of the year of verification."""


def valid_until(period: Period, verified_on: date) -> date | None:
    """The last day on which a verification of that day holds, None without limit."""
    return None if period.years is None else _years_later(verified_on, period.years, period.to_year_end)


def _years_later(day: date, years: int, to_year_end: bool) -> date:
    if to_year_end:
        return date(day.year + years, 12, 31)
    try:
        anniversary = day.replace(year=day.year + years)
    except ValueError:  # 29 February
        anniversary = date(day.year + years, 3, 1)
    return anniversary - timedelta(days=1)


def install_periods(connection: Connection, rows: Sequence[Mapping[str, Any]], installed_by: str, since: date) -> int:
    """Take the periods of a package that is valid since a day; gives their number.

    A row has kind, name, years, extension_years, to_year_end, source, mark. Of each kind the package of the latest day
    holds from that day on; the earliest holds for all time before, because meters were verified before any package.
    Verifications that are entered keep the day that was computed when they were.
    """
    kinds = [row["kind"] for row in rows]
    ours = verification_period.c.kind.in_(kinds)
    stored = connection.execute(select(verification_period).where(ours).with_for_update()).mappings().all()
    connection.execute(delete(verification_period).where(ours))
    names = ("kind", "name", "years", "extension_years", "to_year_end", "source", "mark")
    found = [
        {name: row[name] for name in (*names, "installed_by", "since")}
        for row in stored
        if row["installed_by"] != installed_by
    ]
    found += [{**{name: row[name] for name in names}, "installed_by": installed_by, "since": since} for row in rows]
    found.sort(key=lambda row: (row["kind"], row["since"], row["installed_by"]))
    placed = []
    for place, row in enumerate(found):
        first = place == 0 or found[place - 1]["kind"] != row["kind"]
        following = found[place + 1] if place + 1 < len(found) else None
        until = following["since"] if following is not None and following["kind"] == row["kind"] else None
        if until != row["since"]:  # two packages of one day: the later name holds
            placed.append({**row, "valid": Range(None if first else row["since"], until)})
    if placed:
        connection.execute(insert(verification_period), placed)
    return len(rows)


def find_periods(connection: Connection, on: date | None = None) -> Sequence[RowMapping]:
    """The periods by kind, those valid on a day if one is given."""
    query = select(verification_period).order_by(verification_period.c.kind, verification_period.c.valid)
    if on is not None:
        query = query.where(verification_period.c.valid.contains(on))
    return connection.execute(query).mappings().all()


def require_period(connection: Connection, kind: str, on: date) -> Period:
    """The period of a kind of instrument on a day, or BadInput naming the kinds that there are."""
    known = find_periods(connection, on)
    for row in known:
        if row["kind"] == kind:
            return Period(kind, row["years"], row["extension_years"], row["to_year_end"])
    names = ", ".join(row["kind"] for row in known) or "none; install a legislative package that has them"
    raise BadInput("verification_kind", f"No verification period of {kind!r} is known on {on}; there are: {names}.")


def enter_verification(
    connection: Connection,
    meter_id: str,
    kind: str,
    verified_on: date,
    certificate: str,
    person: Person,
    now: datetime,
    group: str | None = None,
) -> RowMapping:
    """Record that a meter was verified; how long it holds follows from the kind and the law of that day.

    `group` names a sampling group of the same kind that it belongs to from now on.
    """
    if connection.execute(select(meter.c.id).where(meter.c.id == meter_id)).first() is None:
        raise NotFound("meter_not_found", f"There is no meter {meter_id!r}.")
    if verified_on > now.date():
        raise BadInput(
            "verified_on", f"The meter {meter_id} cannot have been verified on {verified_on}: it is to come."
        )
    period = require_period(connection, kind, verified_on)
    until = valid_until(period, verified_on)
    group_id = None
    if group is not None:
        found = require_group(connection, group)
        if found["kind"] != kind:
            raise Refused(
                "sampling_kind",
                f"The meter {meter_id} is verified as {kind}, the group {group} is of {found['kind']}; a group has "
                "instruments of one kind.",
            )
        group_id = found["id"]
    same_day = connection.execute(
        select(meter_verification.c.id).where(
            meter_verification.c.meter == meter_id, meter_verification.c.verified_on == verified_on
        )
    ).first()
    if same_day is not None:
        raise Refused("verified_twice", f"A verification of the meter {meter_id} on {verified_on} is entered already.")
    row = (
        connection.execute(
            insert(meter_verification)
            .values(
                meter=meter_id,
                kind=kind,
                verified_on=verified_on,
                until=until,
                certificate=certificate,
                sampling_group=group_id,
                entered_at=now,
                entered_by=person.name,
            )
            .returning(meter_verification)
        )
        .mappings()
        .one()
    )
    audit.record(connection, person, "verification.enter", f"meter/{meter_id}", {}, now, after=dict(row))
    return row


def create_group(connection: Connection, name: str, kind: str, sample_size: int, person: Person, now: datetime) -> int:
    """A new sampling group; the law must know a test by samples for the kind."""
    period = require_period(connection, kind, now.date())
    if period.extension_years is None:
        raise Refused("sampling_unknown", f"Instruments of the kind {kind} cannot be extended by testing samples.")
    if connection.execute(select(sampling_group.c.id).where(sampling_group.c.name == name)).first() is not None:
        raise Refused("sampling_group_exists", f"There is a sampling group {name!r} already.")
    identifier: int = connection.execute(
        insert(sampling_group).values(name=name, kind=kind, sample_size=sample_size).returning(sampling_group.c.id)
    ).scalar_one()
    audit.record(connection, person, "sampling_group.create", f"sampling_group/{name}", {"kind": kind}, now)
    return identifier


def require_group(connection: Connection, name: str) -> RowMapping:
    """A sampling group by its name, locked, or NotFound."""
    found = connection.execute(select(sampling_group).where(sampling_group.c.name == name).with_for_update())
    row = found.mappings().first()
    if row is None:
        raise NotFound("sampling_group_not_found", f"There is no sampling group {name!r}.")
    return row


def draw_samples(connection: Connection, name: str, meters: Sequence[str], person: Person, now: datetime) -> int:
    """Say which meters of the group are the samples: as many as the group's size, each a member."""
    group = require_group(connection, name)
    members = set(_members(connection, group["id"]))
    strangers = sorted(set(meters) - members)
    if strangers:
        raise BadInput("sample_stranger", f"Not in the sampling group {name}: {', '.join(strangers[:10])}.")
    if len(set(meters)) != group["sample_size"]:
        raise BadInput(
            "sample_size", f"The sampling group {name} needs {group['sample_size']} samples; given: {len(set(meters))}."
        )
    connection.execute(
        update(meter_verification)
        .where(meter_verification.c.sampling_group == group["id"])
        .values(drawn=meter_verification.c.meter.in_(meters))
    )
    audit.record(connection, person, "sampling_group.draw", f"sampling_group/{name}", {"meters": sorted(meters)}, now)
    return len(set(meters))


def record_sample_test(
    connection: Connection, name: str, tested_on: date, passed: bool, person: Person, now: datetime
) -> RowMapping:
    """The result of testing the samples: passed extends the verification of all members, failed leaves it as it is."""
    group = require_group(connection, name)
    drawn = connection.execute(
        select(func.count()).where(meter_verification.c.sampling_group == group["id"], meter_verification.c.drawn)
    ).scalar_one()
    if drawn != group["sample_size"]:
        raise Refused("sample_not_drawn", f"The sampling group {name} has {drawn} of {group['sample_size']} samples.")
    if group["tested_on"] is not None:
        raise Refused("sample_tested", f"The sampling group {name} was tested on {group['tested_on']} already.")
    period = require_period(connection, group["kind"], tested_on)
    extended = None
    if passed:
        extended = _years_later(tested_on, period.extension_years or 0, period.to_year_end)
        connection.execute(
            update(meter_verification)
            .where(meter_verification.c.sampling_group == group["id"], meter_verification.c.until < extended)
            .values(until=extended)
        )
    row = (
        connection.execute(
            update(sampling_group)
            .where(sampling_group.c.id == group["id"])
            .values(tested_on=tested_on, passed=passed, extended_until=extended)
            .returning(sampling_group)
        )
        .mappings()
        .one()
    )
    audit.record(
        connection,
        person,
        "sampling_group.test",
        f"sampling_group/{name}",
        {},
        now,
        before=dict(group),
        after=dict(row),
    )
    return row


def _members(connection: Connection, group: int) -> Sequence[str]:
    query = select(meter_verification.c.meter).where(meter_verification.c.sampling_group == group)
    return connection.execute(query).scalars().all()


def find_verifications(
    connection: Connection, *, meter_id: str | None = None, ending_before: date | None = None
) -> Sequence[RowMapping]:
    """The latest verification of each meter (all of one meter), those that end before a day if one is given."""
    query = select(meter_verification)
    if meter_id is not None:
        query = query.where(meter_verification.c.meter == meter_id).order_by(meter_verification.c.verified_on)
        return connection.execute(query).mappings().all()
    later = meter_verification.alias("later")
    superseded = exists().where(
        later.c.meter == meter_verification.c.meter, later.c.verified_on > meter_verification.c.verified_on
    )
    query = query.where(~superseded).order_by(meter_verification.c.until, meter_verification.c.meter)
    if ending_before is not None:
        query = query.where(meter_verification.c.until < ending_before)
    return connection.execute(query).mappings().all()
