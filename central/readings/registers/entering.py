"""States that people enter: enter, revoke, find, and lock what was billed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.exc import IntegrityError

from central.network.tables import channel, channel_mapping, evidence_channel
from central.platform import audit
from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.readings.registers.difference import Difference, Verdict, difference
from central.readings.registers.limits import RegisterFace, find_faces
from central.readings.registers.state_tables import KINDS, meter_state
from central.readings.states import UNUSABLE
from central.readings.vee.work import enqueue
from shared.metering_day import PRAGUE

INITIAL = ("initial", "contractual_initial")
"""A state that a measurement begins with; it ends no period."""
FUTURE = timedelta(minutes=15)
"""How far ahead of our clock a state may be."""
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
MOST = 10**18


@dataclass(frozen=True, slots=True)
class Entry:
    """A state as it is entered: a register of a meter, what it showed, when, and what kind of reading it was.

    `at` is the end of the measuring period, `period_start` its beginning (default: the state before, none for an
    initial state); `pz_date` stands for the beginning where it is set. `rollover` confirms that the register passed
    its highest state since the state before.
    """

    meter: str
    register: str
    kind: str
    at: datetime
    value: int
    period_start: datetime | None = None
    pz_date: date | None = None
    rollover: bool = False
    note: str = ""
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A state of the same register, before or after the one that is entered."""

    at: datetime
    value: int
    kind: str
    rolled_over: bool

    def __str__(self) -> str:
        return f"{self.value} ({self.kind}, {self.at.isoformat()})"


_NEIGHBOURS = text("""
    (SELECT 'before' AS side, near.* FROM (
        (SELECT at, value, 'remote' AS kind, false AS rolled_over FROM register_reading
         WHERE evidence_channel = :register AND at < :at AND quality & :unusable = 0
           AND NOT EXISTS (SELECT FROM batch f WHERE f.id = batch_id AND f.revoked_at IS NOT NULL)
         ORDER BY at DESC LIMIT 1)
        UNION ALL
        (SELECT at, value, kind, rolled_over FROM meter_state
         WHERE evidence_channel = :register AND at < :at AND revoked_at IS NULL ORDER BY at DESC LIMIT 1)
    ) near ORDER BY at DESC LIMIT 1)
    UNION ALL
    (SELECT 'after' AS side, near.* FROM (
        (SELECT at, value, 'remote' AS kind, false AS rolled_over FROM register_reading
         WHERE evidence_channel = :register AND at > :at AND quality & :unusable = 0
           AND NOT EXISTS (SELECT FROM batch f WHERE f.id = batch_id AND f.revoked_at IS NOT NULL)
         ORDER BY at LIMIT 1)
        UNION ALL
        (SELECT at, value, kind, rolled_over FROM meter_state
         WHERE evidence_channel = :register AND at > :at AND revoked_at IS NULL ORDER BY at LIMIT 1)
    ) near ORDER BY at LIMIT 1)
""")


def enter_state(connection: Connection, entry: Entry, person: Person, now: datetime) -> RowMapping:
    """Store a state that a person read or agreed on; returns it as stored.

    Refused where it contradicts the states before or after it (both are named) and no rollover explains it.
    """
    register = _register(connection, entry)
    what = f"state {entry.value} of {entry.meter} {entry.register} at {entry.at.isoformat()}"
    _check_form(entry, what, now)
    face = find_faces(connection, [(register.id, entry.at)])[register.id, entry.at]
    if face.digits is not None and entry.value >= 10**face.digits:
        raise BadInput("digits", f"The {what} has more than the register's {face.digits} digits; correct the state.")
    before, after = _neighbours(connection, register.id, entry.at)
    _check_order(what, entry, face, before, after)
    start = entry.period_start
    if start is None and entry.kind not in INITIAL and before is not None:
        start = before.at
    row = {
        "evidence_channel": register.id,
        "kind": entry.kind,
        "at": entry.at,
        "value": entry.value,
        "period_start": start,
        "pz_date": entry.pz_date,
        "rolled_over": entry.rollover and before is not None and entry.value < before.value,
        "note": entry.note,
        "document": entry.document,
        "entered_at": now,
        "entered_by": person.name,
    }
    try:
        identifier = connection.execute(insert(meter_state).values(row).returning(meter_state.c.id)).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    stored = require_entry(connection, identifier)
    _validate_again(connection, register.id, entry.at)
    audit.record(connection, person, "meter_state.enter", f"meter_state/{identifier}", after=dict(stored), at=now)
    return stored


def revoke_state(connection: Connection, identifier: int, reason: str, person: Person, now: datetime) -> RowMapping:
    """Take a state back, with a reason; it stays listed. Refused once a settlement run has billed by it."""
    row = require_entry(connection, identifier, lock=True)
    what = f"state {row['value']} of {row['meter']} {row['register']} at {row['at'].isoformat()}"
    if row["locked_by"] is not None:
        raise Refused(
            "state_locked",
            f"The {what} was billed by run {row['locked_by']} and cannot be revoked; enter a new state and correct "
            "the bill.",
        )
    if row["revoked_at"] is not None:
        raise Refused("state_revoked", f"The {what} was revoked by {row['revoked_by']} already.")
    connection.execute(
        update(meter_state)
        .where(meter_state.c.id == identifier)
        .values(revoked_at=now, revoked_by=person.name, revoked_reason=reason)
    )
    _validate_again(connection, row["evidence_channel"], row["at"])
    stored = require_entry(connection, identifier)
    audit.record(
        connection,
        person,
        "meter_state.revoke",
        f"meter_state/{identifier}",
        before=dict(row),
        after=dict(stored),
        why=reason,
        at=now,
    )
    return stored


def lock_states(connection: Connection, identifiers: Sequence[int], run: str, at: datetime) -> int:
    """Lock entered states that a bill of run `run` (its number) stands on; how many were locked by this call.

    One that another run has locked stays as it is. Refused where one was revoked since the run was made.
    """
    chosen = meter_state.c.id.in_(sorted(set(identifiers)))
    for row in connection.execute(select(meter_state).where(chosen).with_for_update()).all():
        if row.revoked_at is not None:
            raise Refused(
                "state_revoked",
                f"Run {run} stands on the state {row.value} of {row.at.isoformat()} that {row.revoked_by} revoked "
                "since; make a new run.",
            )
    locked = connection.execute(
        update(meter_state).where(chosen, meter_state.c.locked_at.is_(None)).values(locked_by=run, locked_at=at)
    )
    return locked.rowcount


def keep_split_states(connection: Connection, states: Sequence[Mapping[str, Any]], run: str, at: datetime) -> int:
    """Keep states that a bill of run `run` stands on and nobody read, as locked estimates: the next bill begins there.

    Each has `evidence_channel`, `at`, `value` and `note`. One that is kept already is left out. Returns how many.
    """
    if not states:
        return 0
    common = {"kind": "estimate", "entered_at": at, "entered_by": f"run {run}", "locked_by": run, "locked_at": at}
    kept = connection.execute(
        pg_insert(meter_state)
        .values([{**state, **common} for state in states])
        .on_conflict_do_nothing(
            index_elements=["evidence_channel", "at", "kind"], index_where=meter_state.c.revoked_at.is_(None)
        )
    )
    return kept.rowcount


def find_entries(
    connection: Connection,
    *,
    meter: str | None = None,
    register: str | None = None,
    identifier: int | None = None,
    limit: int = 1_000,
    lock: bool = False,
) -> Sequence[RowMapping]:
    """Entered states with meter and register, revoked ones too, newest first."""
    query = (
        select(meter_state, evidence_channel.c.device.label("meter"), evidence_channel.c.register)
        .join(evidence_channel, evidence_channel.c.id == meter_state.c.evidence_channel)
        .order_by(meter_state.c.at.desc(), meter_state.c.id.desc())
        .limit(limit)
    )
    wanted = (
        (evidence_channel.c.device, meter),
        (evidence_channel.c.register, register),
        (meter_state.c.id, identifier),
    )
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    return connection.execute(query.with_for_update(of=meter_state) if lock else query).mappings().all()


def require_entry(connection: Connection, identifier: int, *, lock: bool = False) -> RowMapping:
    """An entered state by id, or NotFound; `lock` holds it until the transaction ends."""
    for row in find_entries(connection, identifier=identifier, lock=lock):
        return row
    raise NotFound("state_not_found", f"There is no entered state {identifier}.")


def _register(connection: Connection, entry: Entry) -> Any:
    query = select(evidence_channel).where(
        evidence_channel.c.device == entry.meter, evidence_channel.c.register == entry.register
    )
    # two people who enter a state of one register at once are judged one after the other
    row = connection.execute(query.with_for_update()).first()
    if row is None:
        raise NotFound(
            "evidence_channel_not_found",
            f"There is no register {entry.register} of a meter {entry.meter}; create it first or correct it.",
        )
    if row.kind != "state":
        raise BadInput(
            "register", f"The register {entry.register} of {entry.meter} delivers intervals; it has no states."
        )
    return row


def _validate_again(connection: Connection, register: int, at: datetime) -> None:
    """Have the days on both sides of a state validated, for all channels of the point that the register fed then."""
    beside = channel.alias()
    fed = (
        select(beside.c.id)
        .distinct()
        .join_from(channel_mapping, channel, channel.c.id == channel_mapping.c.channel)
        .join(beside, beside.c.point == channel.c.point)
        .where(
            channel_mapping.c.evidence_channel == register,
            or_(channel_mapping.c.valid.contains(at), func.upper(channel_mapping.c.valid) == at),
        )
    )
    day = at.astimezone(PRAGUE).date()
    enqueue(
        connection, list(connection.execute(fed).scalars()), day - timedelta(days=1), day, "state entered or revoked"
    )


def _check_form(entry: Entry, what: str, now: datetime) -> None:
    if entry.kind not in KINDS:
        raise BadInput("kind", f"The {what} is of the kind {entry.kind}; expected {', '.join(KINDS)}.")
    if not 0 <= entry.value < MOST:
        raise BadInput("value", f"The {what} must be from 0 to 10^18, in the register's last digit.")
    if not EARLIEST <= entry.at <= now + FUTURE:
        raise BadInput("at", f"The {what} must lie between the year {EARLIEST.year} and now, {now.isoformat()}.")
    if entry.period_start is not None and not EARLIEST <= entry.period_start < entry.at:
        raise BadInput(
            "period_start", f"The {what} ends a period that begins at {entry.period_start.isoformat()}, not before it."
        )
    if entry.pz_date is not None and not EARLIEST.date() <= entry.pz_date <= entry.at.astimezone(PRAGUE).date():
        raise BadInput("pz_date", f"The {what} has the PZ date {entry.pz_date}, which is after the state's day.")


def _neighbours(connection: Connection, register: int, at: datetime) -> tuple[Neighbour | None, Neighbour | None]:
    parameters = {"register": register, "at": at, "unusable": UNUSABLE}
    sides = {
        row.side: Neighbour(row.at, row.value, row.kind, row.rolled_over)
        for row in connection.execute(_NEIGHBOURS, parameters)
    }
    return sides.get("before"), sides.get("after")


def _check_order(
    what: str, entry: Entry, face: RegisterFace, before: Neighbour | None, after: Neighbour | None
) -> None:
    if before is not None:
        counted = difference(
            before.value, entry.value, face.digits, face.most(before.at, entry.at), confirmed=entry.rollover
        )
        if not counted.verdict.is_counted or (counted.verdict is Verdict.ROLLED_OVER and not entry.rollover):
            raise Refused("state_fell", f"The {what} is below the state before it, {before}: {_advice(counted, face)}")
    if after is not None:
        counted = difference(
            entry.value, after.value, face.digits, face.most(entry.at, after.at), confirmed=after.rolled_over
        )
        if not counted.verdict.is_counted:
            raise Refused("state_rose", f"The {what} is above the state after it, {after}: {_advice(counted, face)}")


def _advice(counted: Difference, face: RegisterFace) -> str:
    match counted.verdict:
        case Verdict.FELL:
            return "nobody knows how many digits the register has; enter its version, or correct the state."
        case Verdict.TOO_MUCH:
            return "after a rollover more would have been counted than the breaker lets through; correct the state."
        case Verdict.OUT_OF_RANGE:
            return f"one of them has more than the register's {face.digits} digits; correct it."
        case Verdict.ROLLED_OVER:
            return f"confirm that the register of {face.digits} digits rolled over, or correct the state."
        case _:
            return "the earlier one is not near the register's highest state; was the meter exchanged? Correct it."
