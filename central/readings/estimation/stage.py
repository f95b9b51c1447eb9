"""The stage of the estimation: days that stayed incomplete get substitute values, or a reason why not.

Called by the validation for what it has just judged. A new version says what its base was (`base_digest`), so that
consolidation knows it again and real data take the place of an estimate. The same versions give the same estimates:
a second run writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.readings.assemble import Days
from central.readings.calendar import date_of, number_of
from central.readings.closing import closed_days
from central.readings.consolidate import DEADLINE
from central.readings.digest import day_digest
from central.readings.estimation.order import CLASSES, LONGEST_WINDOW, OrderInForce, StepMethod, order_for
from central.readings.estimation.orders import orders_in_force
from central.readings.estimation.pending import Pending, keep, settle
from central.readings.estimation.plan import Estimates, Helps, Window, estimate_window
from central.readings.estimation.reads import REACH, Asked, Material, class_weights, read_material, read_scope
from central.readings.estimation.reread import ask_again
from central.readings.estimation.segments import segments_of
from central.readings.rows import ProfileWriter
from central.readings.vee.work import enqueue_days
from shared.clock import Clock
from shared.holidays import DayType, day_type
from shared.metering_day import PRAGUE
from shared.quantities import MISSING_VALUE, Commodity, Quality

MADE_BY = "estimation"
CHANNELS = 200
"""Channels read at a time: with 31 days before and after a month's, some 1.8 million values."""

# Whoever makes versions holds this lock with a mode that this one excludes; what came meanwhile is seen after it.
_ALONE = text("LOCK TABLE open_day IN SHARE ROW EXCLUSIVE MODE")
_NEWEST = text("""
    SELECT wanted.channel, wanted.day, newest.version, newest.digest, newest.base_digest,
           base.version AS base_version, base.digest AS base, base.batches
    FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[])) AS wanted (channel, day)
    CROSS JOIN LATERAL (
        SELECT version, digest, base_digest FROM day_profile p
        WHERE p.channel = wanted.channel AND p.day = wanted.day ORDER BY version DESC LIMIT 1
    ) newest
    CROSS JOIN LATERAL (
        SELECT version, digest, batches FROM day_profile p
        WHERE p.channel = wanted.channel AND p.day = wanted.day AND p.base_digest IS NULL ORDER BY version DESC LIMIT 1
    ) base
""")


@dataclass(frozen=True, slots=True)
class Estimated:
    """What one run did: versions written, days that were estimated so already, days that stay incomplete."""

    versions: int = 0
    unchanged: int = 0
    left: int = 0

    def __add__(self, other: "Estimated") -> "Estimated":
        return Estimated(self.versions + other.versions, self.unchanged + other.unchanged, self.left + other.left)


@dataclass(frozen=True, slots=True)
class _Made:
    """A day that was filled, made from this version of its base."""

    channel: int
    day: date
    based_on: int
    step_ms: int
    values: NDArray[np.int32]
    quality: NDArray[np.int16]
    method: NDArray[np.int16]


def estimate(
    connection: Connection,
    clock: Clock,
    channels: Sequence[int],
    first: date,
    end: date,
    *,
    deadline: time = DEADLINE,
) -> Estimated:
    """Estimate what these channels miss from `first` to before `end`, and what waits around it.

    State channels stand for the profiles at their points. Days whose deadline has not passed, days for which no order
    is in force and days beyond a limit stay incomplete, with the reason in `estimation_pending`.
    """
    if not len(channels):
        return Estimated()
    asked = read_scope(connection, channels, first, end)
    result = Estimated()
    for commodity in Commodity:
        ours = [each for each in asked if each.commodity is commodity]
        for low in range(0, len(ours), CHANNELS):
            result += _estimate(connection, commodity, ours[low : low + CHANNELS], clock.now(), deadline)
    return result


def _estimate(
    connection: Connection, commodity: Commodity, asked: Sequence[Asked], now: datetime, deadline: time
) -> Estimated:
    days = sorted({day for each in asked for day in each.days})
    first, end = days[0] - timedelta(days=LONGEST_WINDOW), days[-1] + timedelta(days=REACH + 1)
    orders = orders_in_force(connection, first, end)
    if orders:
        look_back = max(max((step.days_back for step in each.steps), default=1) for each in orders)
        first = days[0] - timedelta(days=max(look_back, *(each.within_days for each in orders)))
    material = read_material(connection, commodity, asked, first, end)
    closes = [datetime.combine(day.date + timedelta(days=1), deadline, PRAGUE) for day in material.base.days]
    types = [day_type(day.date) for day in material.base.days]
    in_force: dict[tuple[str, str], list[OrderInForce | None]] = {}
    to_ask: list[Pending] = []
    at_once: set[tuple[int, date]] = set()
    made: list[_Made] = []
    left: list[Pending] = []
    whole: list[tuple[int, date]] = []
    row_of = {channel: row for row, channel in enumerate(material.base.channels)}
    for each in asked:
        row = row_of[each.channel]
        window = _window(material, row, closes, types)
        key = (each.metering_type, CLASSES.get(each.direction, ""))
        if key not in in_force:
            in_force[key] = [order_for(orders, commodity, *key, day.date) for day in window.days]
        found = estimate_window(window, in_force[key], _helps(material, row, each), now)
        for day in each.days:
            place = (day - window.days[0].date).days
            columns = window.columns(place)
            missing = int((window.values[columns] == MISSING_VALUE).sum())
            if not window.present[place] or not missing:
                whole.append((each.channel, day))
            elif now < window.waits_from[place]:
                due = window.waits_from[place]
                left.append(Pending(each.channel, day, "deadline", "Data may still come.", missing, due))
            elif (why := found.left.get(place)) is not None:
                left.append(Pending(each.channel, day, why.reason, why.detail, missing, why.due))
                if _reread(in_force[key][place]) is not None:
                    to_ask.append(left[-1])
            else:
                based_on = int(material.base.versions[row, place])
                if _reread(in_force[key][place]) == 0:
                    at_once.add((each.channel, day))
                made.append(_filled(each.channel, day, based_on, window, found, columns, material, row))
    written, unchanged = _write(connection, made, now)
    keep(connection, left, now)
    ask_again(connection, to_ask, [day for day in written if day in at_once], now)
    settle(connection, [*whole, *((each.channel, each.day) for each in made)])
    return Estimated(len(written), unchanged, len(left))


def _reread(order: OrderInForce | None) -> int | None:
    """How many hours an order waits for a meter that it asks again; None where it does not ask."""
    waits = [step.wait_hours for step in order.steps if step.method is StepMethod.REREAD] if order else []
    return max(waits, default=None)


def _window(material: Material, row: int, closes: Sequence[datetime], types: Sequence[DayType]) -> Window:
    base = material.base
    present = base.versions[row] > 0
    doubtful = (base.values[row] == MISSING_VALUE) | np.isin(
        base.quality[row], (Quality.ESTIMATED, Quality.SUBSTITUTE, Quality.MISSING)
    )
    sound = present & ~np.logical_or.reduceat(doubtful, base.offset[:-1])
    channel = base.channels[row]
    for place, day in enumerate(base.days):
        if sound[place] and (channel, day.date) in material.unsound:
            sound[place] = False
    return Window(base.days, base.offset, base.values[row], base.quality[row], present, sound, closes, types)


def _helps(material: Material, row: int, asked: Asked) -> Helps:
    base = material.base
    present = np.repeat(base.versions[row] > 0, np.diff(base.offset))
    missing = (base.values[row] == MISSING_VALUE) & present
    return Helps(
        check=material.checks.get(asked.channel),
        balance=material.balances.get(asked.channel),
        weights=class_weights(material.load_profiles, asked, material.starts_ms, missing),
        segments=segments_of(
            material.counted, asked.channel, asked.direction, int(material.starts_ms[0]), material.step_ms, missing
        ),
    )


def _filled(
    channel: int,
    day: date,
    based_on: int,
    window: Window,
    found: Estimates,
    columns: slice,
    material: Material,
    row: int,
) -> _Made:
    filled = found.filled[columns]
    base = material.base
    method = np.zeros(len(filled), np.int16) if base.method is None else base.method[row, columns]
    return _Made(
        channel,
        day,
        based_on,
        material.step_ms,
        np.where(filled, found.values[columns], window.values[columns]).astype(np.int32),
        np.where(filled, found.quality[columns], window.quality[columns]).astype(np.int16),
        np.where(filled, found.method[columns], method).astype(np.int16),
    )


def _write(connection: Connection, made: Sequence[_Made], now: datetime) -> tuple[list[tuple[int, date]], int]:
    """New versions of the days whose content is not so already; returns these days, and how many were."""
    if not made:
        return [], 0
    connection.execute(_ALONE)
    rows = connection.execute(
        _NEWEST, {"channels": [each.channel for each in made], "days": [each.day for each in made]}
    )
    newest = {(row.channel, row.day): row for row in rows}
    closed = _closed(connection, made)
    writer, written, unchanged = ProfileWriter(now, MADE_BY), [], 0
    for each in made:
        row = newest[each.channel, each.day]
        if row.base_version != each.based_on:
            continue  # consolidated meanwhile: its own work comes
        number = number_of(each.day)
        is_closed = closed[each.channel, each.day]
        digest = day_digest(each.channel, number, each.step_ms, each.values, each.quality, each.method)
        estimated_before = row.base_digest is not None and bytes(row.base_digest) == bytes(row.base)
        if digest == bytes(row.digest) or (is_closed and estimated_before):
            unchanged += 1
            continue
        writer.add(
            each.channel,
            number,
            row.version + 1,
            each.step_ms,
            each.values,
            each.quality,
            each.method,
            0,
            np.asarray(row.batches, np.int64),
            digest,
            bytes(row.base),
            late=is_closed,
        )
        written.append(each)
    writer.write(connection)
    enqueue_days(
        connection,
        np.array([each.channel for each in written], np.int64),
        np.array([number_of(each.day) for each in written], np.int64),
        MADE_BY,
    )
    return [(each.channel, each.day) for each in written], unchanged


def _closed(connection: Connection, made: Sequence[_Made]) -> dict[tuple[int, date], bool]:
    ordered = sorted(made, key=lambda each: (each.channel, each.day))
    channel = np.array([each.channel for each in ordered], np.int64)
    number = np.array([number_of(each.day) for each in ordered], np.int64)
    nothing = np.zeros(len(ordered), np.int64)
    marks = closed_days(connection, Days(channel, number, nothing, nothing, nothing))
    return {(int(a), date_of(b)): bool(c) for a, b, c in zip(channel, number.tolist(), marks, strict=True)}
