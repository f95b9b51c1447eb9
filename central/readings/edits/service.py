"""Manual edits: preview, propose, approve, refuse, undo, find."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.network.tables import channel as channel_table
from central.network.tables import channel_mapping
from central.platform import audit
from central.platform.arrays import int_array
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.readings.edits.effect import Effect, effect_of, in_thousands
from central.readings.edits.states import EditState, EditStep, advance
from central.readings.estimation_tables import profile_edit
from central.readings.open_days import reconsolidate
from central.readings.profiles import Profiles, commodity_of, read_newest
from central.readings.tables import closed_period
from shared.metering_day import MeteringDay, next_month
from shared.quantities import MISSING_VALUE

_COLUMNS = [column for column in profile_edit.c if column.name != "intervals"]
_SELECT = select(
    *_COLUMNS,
    func.lower(profile_edit.c.intervals).label("first"),
    channel_table.c.point,
    channel_table.c.direction,
    channel_table.c.unit,
    channel_table.c.exponent,
).join(channel_table, channel_table.c.id == profile_edit.c.channel)
# What one person changed alone in the month of a channel: many small edits are one large one.
_ALONE = text("""
    SELECT coalesce(sum(changed), 0) FROM profile_edit
    WHERE channel = :channel AND day >= :first AND day < :end AND state = 'active' AND NOT needs_second
""")

_WAITING = text("""
    SELECT channel, min(day) AS day FROM profile_edit
    WHERE channel = ANY(CAST(:channels AS integer[])) AND day >= :first AND day < :end AND state = 'proposed'
    GROUP BY channel
""")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one person may change in a channel's month alone, in kWh (kvarh) and m3; beyond it a second one approves."""

    kwh: Decimal
    m3: Decimal

    def of(self, unit: str) -> Decimal:
        """The limit for a channel's unit."""
        return self.m3 if unit == "m3" else self.kwh


@dataclass(frozen=True, slots=True)
class Wanted:
    """Values for the intervals of a channel's day from `first` on."""

    channel: int
    day: date
    first: int
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect of an edit, and what stands around it: version it would replace, unit, what pinned the day."""

    effect: Effect
    version: int
    unit: str
    exponent: int
    closed_by: Sequence[str]
    needs_second: bool
    limit: Decimal


def preview(connection: Connection, wanted: Wanted, limits: Limits) -> Preview:
    """What the edit would change; nothing is stored.

    Raises NotFound, BadInput for intervals that the day has not, Refused for a day that is open or that nothing feeds.
    """
    row = connection.execute(select(channel_table).where(channel_table.c.id == wanted.channel)).mappings().first()
    if row is None:
        raise NotFound("channel_not_found", f"There is no channel {wanted.channel}.")
    month, place = _month(connection, wanted)
    version = int(month.versions[0, place])
    if not version:
        raise Refused(
            "day_open",
            f"The day {wanted.day} of channel {wanted.channel} is open and has no version; edit it when it is closed.",
        )
    if not connection.execute(
        select(channel_mapping.c.id).where(channel_mapping.c.channel == wanted.channel).limit(1)
    ).first():
        raise Refused("unfed", f"No register feeds channel {wanted.channel}; its days are not made from evidence.")
    effect = effect_of(month, place, wanted.first, wanted.values)
    limit = limits.of(row["unit"])
    alone = connection.execute(
        _ALONE,
        {
            "channel": wanted.channel,
            "first": wanted.day.replace(day=1),
            "end": next_month(wanted.day.year, wanted.day.month),
        },
    ).scalar_one()
    closed = connection.execute(
        select(closed_period.c.closed_by)
        .where(closed_period.c.channel == wanted.channel, closed_period.c.days.contains(wanted.day))
        .order_by(closed_period.c.closed_by)
    ).scalars()
    return Preview(
        effect,
        version,
        row["unit"],
        row["exponent"],
        list(closed),
        in_thousands(effect.changed + int(alone), row["exponent"], row["unit"]) > limit,
        limit,
    )


def propose(
    connection: Connection,
    wanted: Wanted,
    based_on: int,
    reason: str,
    limits: Limits,
    person: Person,
    now: datetime,
) -> RowMapping:
    """Store an edit: active at once, or when a second person has approved it.

    `based_on` is the version that the preview showed. Raises what `preview` does, and Refused where the day has got
    another version since, or where another edit holds or waits for one of the intervals.
    """
    if not reason.strip():
        raise BadInput("reason", "An edit needs a reason; it is kept with it.")
    # One proposal for a channel at a time: what a person changed alone is summed up before the next one is weighed.
    connection.execute(
        select(channel_table.c.id).where(channel_table.c.id == wanted.channel).with_for_update(key_share=True)
    )
    found = preview(connection, wanted, limits)
    if found.version != based_on:
        raise Refused(
            "version_changed",
            f"The day {wanted.day} of channel {wanted.channel} has version {found.version} by now, the edit is based "
            f"on {based_on}; look at its effect again.",
        )
    end = wanted.first + len(wanted.values)
    _refuse_overlap(connection, wanted, end)
    state = EditState.PROPOSED if found.needs_second else EditState.ACTIVE
    number: int = connection.execute(
        insert(profile_edit)
        .values(
            channel=wanted.channel,
            day=wanted.day,
            intervals=Range(wanted.first, end),
            values=list(wanted.values),
            before=[MISSING_VALUE if value is None else value for value in found.effect.before],
            based_on=based_on,
            changed=found.effect.changed,
            reason=reason.strip(),
            state=state,
            needs_second=found.needs_second,
            proposed_at=now,
            proposed_by=person.name,
        )
        .returning(profile_edit.c.id)
    ).scalar_one()
    if state is EditState.ACTIVE:
        reconsolidate(connection, [wanted.channel], [wanted.day], now)
    details = {
        "channel": wanted.channel,
        "day": wanted.day.isoformat(),
        "first": wanted.first,
        "before": found.effect.before,
        "values": list(wanted.values),
        "reason": reason.strip(),
        "state": state.value,
    }
    audit.record(connection, person, "edit.propose", f"edit/{number}", details, now)
    return require_edit(connection, number)


def approve(connection: Connection, number: int, person: Person, now: datetime) -> RowMapping:
    """A second person approves; the edit holds from then on. Refused for the proposer, and where values changed."""
    row = _take(connection, number, now)
    state = advance(number, EditState(row["state"]), EditStep.APPROVE)
    if row["proposed_by"] == person.name:
        raise Refused("same_person", f"Edit {number} was proposed by {person.name}; another person must approve it.")
    _refuse_changed(connection, row)
    return _decide(connection, row, state, person, "", now)


def refuse(connection: Connection, number: int, reason: str, person: Person, now: datetime) -> RowMapping:
    """Refuse a proposed edit, with the reason; the proposer takes it back so too."""
    if not reason.strip():
        raise BadInput("reason", "A refusal needs a reason; it is kept with the edit.")
    row = _lock(connection, number)
    state = advance(number, EditState(row["state"]), EditStep.REFUSE)
    return _decide(connection, row, state, person, reason.strip(), now)


def undo(connection: Connection, number: int, reason: str, person: Person, now: datetime) -> RowMapping:
    """Take an active edit away: the day gets a new version from what was delivered."""
    if not reason.strip():
        raise BadInput("reason", "To undo an edit needs a reason; it is kept with it.")
    row = _take(connection, number, now)
    state = advance(number, EditState(row["state"]), EditStep.UNDO)
    connection.execute(
        update(profile_edit)
        .where(profile_edit.c.id == number)
        .values(state=state, undone_at=now, undone_by=person.name, undone_because=reason.strip())
    )
    audit.record(connection, person, "edit.undo", f"edit/{number}", {"reason": reason.strip()}, now)
    return require_edit(connection, number)


def find_edits(
    connection: Connection,
    *,
    channel: int | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Sequence[RowMapping]:
    """Edits, newest first, filtered; `before` is the number of the last one seen."""
    query = _SELECT.order_by(profile_edit.c.id.desc()).limit(limit)
    if channel is not None:
        query = query.where(profile_edit.c.channel == channel)
    if state is not None:
        query = query.where(profile_edit.c.state == state)
    if before is not None:
        query = query.where(profile_edit.c.id < before)
    return connection.execute(query).mappings().all()


def waiting_edits(connection: Connection, channels: Sequence[int], first: date, end: date) -> dict[int, date]:
    """The channels with an edit from `first` to before `end` that waits for a second person: the first such day."""
    rows = connection.execute(_WAITING, {"channels": int_array(channels), "first": first, "end": end})
    return {row.channel: row.day for row in rows}


def require_edit(connection: Connection, number: int) -> RowMapping:
    """An edit by number, or NotFound."""
    found = connection.execute(_SELECT.where(profile_edit.c.id == number)).mappings().first()
    if found is None:
        raise NotFound("edit_not_found", f"There is no edit {number}.")
    return found


def _lock(connection: Connection, number: int) -> RowMapping:
    connection.execute(select(profile_edit.c.id).where(profile_edit.c.id == number).with_for_update())
    return require_edit(connection, number)


def _take(connection: Connection, number: int, now: datetime) -> RowMapping:
    """Lock an edit whose day is to be made anew. The day comes first: consolidation locks in that order too."""
    row = require_edit(connection, number)
    reconsolidate(connection, [row["channel"]], [row["day"]], now)
    return _lock(connection, number)


def _decide(
    connection: Connection, row: RowMapping, state: EditState, person: Person, reason: str, now: datetime
) -> RowMapping:
    connection.execute(
        update(profile_edit)
        .where(profile_edit.c.id == row["id"])
        .values(state=state, decided_at=now, decided_by=person.name, decision=reason)
    )
    act = "edit.approve" if state is EditState.ACTIVE else "edit.refuse"
    audit.record(connection, person, act, f"edit/{row['id']}", {"reason": reason}, now)
    return require_edit(connection, row["id"])


def _month(connection: Connection, wanted: Wanted) -> tuple[Profiles, int]:
    commodity = commodity_of(connection, [wanted.channel])
    length = MeteringDay(commodity, wanted.day).length
    if not wanted.values or wanted.first + len(wanted.values) > length:
        raise BadInput(
            "intervals",
            f"The {commodity} day {wanted.day} has intervals 0 to {length - 1}; {len(wanted.values)} values from "
            f"{wanted.first} on do not fit.",
        )
    first = wanted.day.replace(day=1)
    end = next_month(first.year, first.month)
    return read_newest(connection, commodity, [wanted.channel], first, end), (wanted.day - first).days


def _refuse_overlap(connection: Connection, wanted: Wanted, end: int) -> None:
    other = connection.execute(
        select(profile_edit.c.id, profile_edit.c.state).where(
            profile_edit.c.channel == wanted.channel,
            profile_edit.c.day == wanted.day,
            profile_edit.c.state.in_((EditState.PROPOSED, EditState.ACTIVE)),
            profile_edit.c.intervals.overlaps(Range(wanted.first, end)),
        )
    ).first()
    if other is not None:
        step = "refuse" if other.state == EditState.PROPOSED else "undo"
        raise Refused(
            "edit_overlaps",
            f"Edit {other.id} ({other.state}) has some of the intervals {wanted.first} to {end - 1} of "
            f"{wanted.day}; {step} it first.",
        )


def _refuse_changed(connection: Connection, row: RowMapping) -> None:
    wanted = Wanted(row["channel"], row["day"], row["first"], row["values"])
    month, place = _month(connection, wanted)
    effect = effect_of(month, place, wanted.first, wanted.values)
    if [MISSING_VALUE if value is None else value for value in effect.before] != row["before"]:
        raise Refused(
            "values_changed",
            f"The values that edit {row['id']} replaces have changed since it was proposed; refuse it and propose it "
            "anew.",
        )
