"""From a cut of a live series to blocks and records of the wire: pure but for the holes that it remembers."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge.blocks import runs_of
from edge.config import StateRegister
from edge.live.rows import Values
from edge.live.series import Cut, Missed
from shared.quantities import Kind
from shared.wire import MARK_REREAD, Block, Key, Record


@dataclass(slots=True)
class Holes:
    """Registers of one device for which the meter has no value just now, and since when: told when it has one again."""

    open: dict[str, Missed] = field(default_factory=dict)

    def note(self, register: str, hole: Missed) -> None:
        """The meter had no value."""
        self.open[register] = self.open[register].and_then(hole) if register in self.open else hole

    def close(self, register: str) -> Missed | None:
        """The meter has a value again."""
        return self.open.pop(register, None)


def live_blocks(cut: Cut, holes: Holes) -> tuple[list[Block], list[Record]]:
    """Blocks of a cut, each without a gap, and one record for what was missed and for each register's ended hole."""
    device, period = cut.series.device.id, cut.series.period_ms
    blocks: list[Block] = []
    closed: list[tuple[str, Missed]] = []
    for register, values in zip(cut.series.rows.registers, cut.series.rows.columns(cut.rows), strict=True):
        key = live_key(device, register)
        for start, part, marks in _parts(cut, values):
            if isinstance(part, Missed):
                holes.note(register.register, part)
                continue
            blocks.append(Block(key, start, period, part, None, marks))
            ended = holes.close(register.register) if holes.open else None
            if ended is not None:
                closed.append((register.register, ended))
    records = [_record("hole", device, period, hole, registers=name) for name, hole in closed]
    if cut.missed is not None:
        records.insert(0, _record("gap", device, period, cut.missed))
    return blocks, records


def live_key(device: str, register: StateRegister) -> Key:
    """Key of one register of a live series."""
    return Key(device, register.register, register.unit, register.exponent, Kind.INTERVAL)


def _record(kind: str, device: str, period: int, missed: Missed, **more: str) -> Record:
    data: dict[str, str | int | float | None] = {"schedule": f"live {period} ms", "until": missed.last}
    return Record(kind, device, missed.first, {**data, "count": missed.count, **more})


def _parts(cut: Cut, values: Values) -> Iterator[tuple[int, Sequence[int] | Missed, int]]:
    """Start, values without a gap (or what is missing there) and marks."""
    period = cut.series.period_ms
    place = 0
    for run in cut.runs:
        part = values[place : place + run.count]
        place += run.count
        marks = MARK_REREAD if run.again else 0
        if isinstance(part, array):
            yield run.start, part, marks
            continue
        for begin, end, present in runs_of(part):
            start = run.start + begin * period
            if present:
                yield start, [value for value in part[begin:end] if value is not None], marks
            else:
                yield start, Missed(start, run.start + (end - 1) * period, end - begin), marks
