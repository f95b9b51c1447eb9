"""Interval values that others sent of a point, beside the newest profiles of its channel: day by day, both in Wh."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.readings.assemble import Assembled, Mappings, assemble
from central.readings.calendar import COMMODITIES, Ints, to_ms
from central.readings.profiles import Profiles, read_newest
from central.readings.rows import read_blocks
from central.readings.touched import FOREVER_MS, Spans, spans_of, touched_days
from central.workflow.received.intervals import PREFIX
from shared.metering_day import MeteringDay, days_between
from shared.quantities import MISSING_VALUE, Commodity

_REGISTERS: Final = text("""
    -- registers that hold what others sent of a point, with the channel of the point in the same direction
    SELECT b.source, split_part(b.key, '/', 2) AS direction, e.id, e.exponent, e.unit, e.step_ms,
           c.id AS channel, c.exponent AS channel_exponent
      FROM import_binding b
      JOIN evidence_channel e ON e.id = b.evidence_channel AND e.kind = 'interval'
      JOIN supply_point sp ON sp.ean = :point
      LEFT JOIN channel c ON c.supply_point = sp.id AND c.kind = 'interval' AND c.direction = split_part(b.key, '/', 2)
                         AND c.unit = e.unit
     WHERE b.source LIKE :prefix AND b.key LIKE :keys
     ORDER BY b.source, b.key, c.id
""")


@dataclass(frozen=True, slots=True)
class ComparedDay:
    """A metering day: sums of the intervals that both have, and how many differ or stand on one side only.

    `received` and `measured` are in the register's unit (Wh, varh) x 10^`exponent`.
    """

    source: str
    direction: str
    channel: int | None
    day: date
    unit: str
    exponent: int
    version: int
    intervals: int
    received: int
    measured: int
    differ: int
    only_received: int
    only_measured: int


@dataclass(frozen=True, slots=True)
class _Register:
    source: str
    direction: str
    id: int
    exponent: int
    unit: str
    step_ms: int
    channel: int | None
    channel_exponent: int | None


def compare_received(connection: Connection, point: str, first: date, stop: date) -> list[ComparedDay]:
    """Days [first, stop) of a point (EAN) on which somebody sent values, by source, direction and day."""
    asked = {"point": point, "prefix": f"{PREFIX}%", "keys": f"{point}/%"}
    registers = [_Register(*row) for row in connection.execute(_REGISTERS, asked)]
    if not registers:
        return []
    days = list(days_between(Commodity.ELECTRICITY, first, stop))
    channels = sorted({each.channel for each in registers if each.channel is not None})
    mine = read_newest(connection, Commodity.ELECTRICITY, channels, first, stop) if channels else None
    theirs = _received(connection, registers, days)
    return [line for register in registers for line in _compare(register, theirs, mine, days)]


def _received(connection: Connection, registers: Sequence[_Register], days: Sequence[MeteringDay]) -> Assembled:
    """What stands in the registers, each as a channel that only it feeds."""
    ids = np.array(sorted({each.id for each in registers}), np.int64)
    count = len(ids)
    steps = {each.id: each.step_ms for each in registers}
    alone = Mappings(
        ids,
        ids,
        np.ones(count, np.int64),
        np.full(count, -FOREVER_MS, np.int64),
        np.full(count, FOREVER_MS, np.int64),
        np.array([steps[each] for each in ids.tolist()], np.int64),
        np.full(count, COMMODITIES.index(Commodity.ELECTRICITY), np.int64),
    )
    starts = np.full(count, to_ms(days[0].start), np.int64)
    wanted = touched_days(Spans(ids, starts, np.full(count, to_ms(days[-1].end), np.int64)), alone)
    return assemble(wanted, read_blocks(connection, spans_of(wanted, alone)), alone, np.empty(0, np.int64))


def _compare(
    register: _Register, theirs: Assembled, mine: Profiles | None, days: Sequence[MeteringDay]
) -> list[ComparedDay]:
    starts = {to_ms(day.start): place for place, day in enumerate(days)}
    fine = register.exponent if register.channel_exponent is None else min(register.exponent, register.channel_exponent)
    row = None if mine is None or register.channel is None else list(mine.channels).index(register.channel)
    found = []
    for number in np.flatnonzero(theirs.days.channel == register.id).tolist():
        place = starts.get(int(theirs.days.start_ms[number]))
        values = theirs.values[theirs.offset[number] : theirs.offset[number + 1]].astype(np.int64)
        there = values != MISSING_VALUE
        if place is None or not there.any():
            continue
        day, version = days[place], 0
        own: NDArray[np.int64] = np.full(len(values), MISSING_VALUE, np.int64)
        if mine is not None and row is not None:
            version = int(mine.versions[row, place])
            own = mine.values[row, int(mine.offset[place]) : int(mine.offset[place + 1])].astype(np.int64)
        known = own != MISSING_VALUE
        both = there & known
        received = _scaled(values[both], register.exponent - fine)
        measured = _scaled(own[both], (register.channel_exponent or 0) - fine)
        found.append(
            ComparedDay(
                register.source,
                register.direction,
                register.channel,
                day.date,
                register.unit,
                fine,
                version,
                len(values),
                sum(received),
                sum(measured),
                sum(one != other for one, other in zip(received, measured, strict=True)),
                int(np.count_nonzero(there & ~known)),
                int(np.count_nonzero(known & ~there)),
            )
        )
    return found


def _scaled(values: Ints, places: int) -> list[int]:
    """Exactly, however many digits that gives."""
    return [value * 10**places for value in values.tolist()]
