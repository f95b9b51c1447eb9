"""From what a driver read to blocks of the wire: pure. A block is one register, contiguous, within one metering day."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from edge.config import DeviceConfig, ProfileRegister
from edge.drivers.behind import as_states
from edge.drivers.port import ProfileDay, StateReading
from edge.errors import DeviceGarbledError
from edge.schedule import LATE, DayDue, GapDue, SampleDue
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


def tail_missing(rows: ProfileDay) -> bool:
    """Whether the day's last interval is not there: the meter may simply not have captured it yet."""
    last = ms(rows.day.end - rows.day.step)
    return not rows.start_ms or rows.start_ms[-1] != last


def profile_blocks(device: DeviceConfig, due: DayDue, rows: ProfileDay) -> tuple[list[Block], list[Record]]:
    """Blocks of the due registers, split at holes, and one record for each hole.

    A value that the wire cannot carry, and a row off the day's grid, are holes too: missing stays missing.
    """
    if device.profile is None:
        return [], []
    first, step = ms(due.day.start), due.day.step // timedelta(milliseconds=1)
    length = due.day.length
    places: dict[int, int] = {}
    for row, start in enumerate(rows.start_ms):
        place, rest = divmod(start - first, step)
        if rest == 0 and 0 <= place < length:
            places[place] = row
    blocks: list[Block] = []
    holes: dict[tuple[int, int], list[str]] = {}
    for register in device.profile.registers:
        if register.register not in due.registers:
            continue
        column = rows.columns[register.register]
        marks = MARK_HISTORICAL | (MARK_REREAD if register.register in due.again else 0)
        key = profile_key(device, register)
        values = [_usable(column[places[n]]) if n in places else None for n in range(length)]
        for begin, end, present in runs_of(values):
            if not present:
                holes.setdefault((begin, end), []).append(register.register)
                continue
            quality = [rows.flags[places[n]] for n in range(begin, end)]
            blocks.append(
                Block(
                    key,
                    first + begin * step,
                    step,
                    [value for value in values[begin:end] if value is not None],
                    quality if any(quality) else None,
                    marks,
                )
            )
    records = [
        Record(
            "hole",
            device.id,
            first + begin * step,
            {"registers": ",".join(names), "until": first + end * step, "count": end - begin},
        )
        for (begin, end), names in sorted(holes.items())
    ]
    return as_states(device, blocks, rows), [*records, *rows.records]


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


def _usable(value: int | None) -> int | None:
    return value if value is not None and MISSING_VALUE < value <= INT32_MOST else None


def runs_of(values: Sequence[int | None]) -> Iterator[tuple[int, int, bool]]:
    """Runs of (begin, end, present), in order."""
    begin = 0
    for n in range(1, len(values) + 1):
        if n == len(values) or (values[n] is None) != (values[begin] is None):
            yield begin, n, values[begin] is not None
            begin = n
