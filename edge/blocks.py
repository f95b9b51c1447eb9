"""From what a driver read to blocks of the wire: pure. A block is one register, contiguous, within one metering day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edge.config import DeviceConfig, ProfileRegister
from edge.drivers.behind import as_states
from edge.drivers.port import ProfileDay, StateReading
from edge.errors import DeviceGarbledError
from edge.outbox.model import RegisterStretch
from edge.schedule import LATE, QUARTER, GapDue, RowsDue, SampleDue
from edge.timeline import Known, Stretch, hole
from shared.clock import EPOCH
from shared.quantities import MISSING_VALUE, Flag, Kind
from shared.wire import MARK_HISTORICAL, MARK_REREAD, Block, Key, Record

INT32_MOST = 2**31 - 1
INT64_MOST = 2**63 - 1


def ms(instant: datetime) -> int:
    """`instant` as on the wire."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def profile_key(device: DeviceConfig, register: ProfileRegister) -> Key:
    """Key of one profile column."""
    return Key(device.id, register.register, register.unit, register.exponent, Kind.INTERVAL)


@dataclass(slots=True)
class ProfileRead:
    """What rows of a profile mean: what goes to central, and what is known of the registers' past from now on."""

    blocks: list[Block] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    progress: list[RegisterStretch] = field(default_factory=list)
    tail: bool = False
    """Whether the last rows are not there: the meter may simply not have captured them yet."""


def profile_read(
    device: DeviceConfig, due: RowsDue, rows: ProfileDay, now_ms: int, *, live: bool = False, again: bool = False
) -> ProfileRead:
    """Blocks of what is due, split at holes, and one record for each hole that is new. With `again` all is marked as
    re-read.

    A value that the wire cannot carry, and a row off the day's grid, are holes too: missing stays missing. What is
    missing at the end and younger than `QUARTER` is no hole yet.
    """
    read = ProfileRead()
    if device.profile is None:
        return read
    step = due.day.step // timedelta(milliseconds=1)
    first = ms(due.day.start)
    places = {start: row for row, start in enumerate(rows.start_ms) if (start - first) % step == 0}
    patient = now_ms - QUARTER // timedelta(milliseconds=1)
    captured = max(max(places, default=first - step) + step, patient - (patient - first) % step)
    holes: dict[tuple[int, int], list[str]] = {}
    for register in device.profile.registers:
        if register.register not in due.registers:
            continue
        key = profile_key(device, register)
        column = rows.columns[register.register] if rows.start_ms else ()
        for each in due.registers[register.register]:
            starts = range(*each.span, step)
            values = [_usable(column[places[start]]) if start in places else None for start in starts]
            for begin, end, present in runs_of(values):
                span = starts[begin], starts[end - 1] + step
                if present:
                    quality = [rows.flags[places[start]] for start in starts[begin:end]]
                    marks = (0 if live else MARK_HISTORICAL) | (MARK_REREAD if again or each.again else 0)
                    found = [value for value in values[begin:end] if value is not None]
                    read.blocks.append(Block(key, span[0], step, found, quality if any(quality) else None, marks))
                    stretch = Stretch(*span, Known.READ)
                    read.progress.append(RegisterStretch(device.id, register.register, stretch))
                    continue
                end_ms = min(span[1], captured)
                read.tail = read.tail or end_ms < span[1]
                if span[0] < end_ms:
                    if each.asked == 0:
                        holes.setdefault((span[0], end_ms), []).append(register.register)
                    stretch = hole(span[0], end_ms, each.asked + 1, now_ms)
                    read.progress.append(RegisterStretch(device.id, register.register, stretch))
    read.records = [
        Record(
            "hole",
            device.id,
            begin,
            {"registers": ",".join(names), "until": end, "count": (end - begin) // step},
        )
        for (begin, end), names in sorted(holes.items())
    ]
    read.blocks = as_states(device, read.blocks, rows)
    read.records += rows.records
    return read


def state_blocks(device: DeviceConfig, due: SampleDue, readings: Sequence[StateReading]) -> list[Block] | None:
    """One block of one value for each reading, at its own time; None if a sample came after the instant's window.

    Raises `DeviceGarbledError` for a state that the wire cannot carry.
    """
    blocks = []
    for reading in readings:
        if reading.at_ms >= ms(due.until):
            return None
        late = reading.at_ms - ms(due.instant) > LATE // timedelta(milliseconds=1)
        register = reading.register
        if not -INT64_MOST <= reading.value <= INT64_MOST:
            raise DeviceGarbledError(
                f"{device.id} shows {reading.value:.6g} in {register.register}; a state has at most 64 bits."
            )
        key = Key(device.id, register.register, register.unit, register.exponent, Kind.STATE)
        blocks.append(Block(key, reading.at_ms, 0, [reading.value], [int(Flag.LATE)] if late else None))
    return blocks


def gap_record(device: DeviceConfig, gap: GapDue) -> Record:
    """Tells that the states of `gap` were never sampled."""
    at = device.states.at if device.states is not None else ""
    return Record("gap", device.id, ms(gap.first), {"schedule": at, "until": ms(gap.last), "count": gap.count})


def clock_back_record(device: DeviceConfig, handled: datetime, now: datetime) -> Record:
    """Tells that states were sampled up to `handled` by a clock that was ahead, and are sampled anew from `now` on."""
    at = device.states.at if device.states is not None else ""
    return Record("clock-went-back", device.id, ms(now), {"schedule": at, "sampled_until": ms(handled)})


def _usable(value: int | None) -> int | None:
    return value if value is not None and MISSING_VALUE < value <= INT32_MOST else None


def runs_of(values: Sequence[int | None]) -> Iterator[tuple[int, int, bool]]:
    """Runs of (begin, end, present), in order."""
    begin = 0
    for n in range(1, len(values) + 1):
        if n == len(values) or (values[n] is None) != (values[begin] is None):
            yield begin, n, values[begin] is not None
            begin = n
