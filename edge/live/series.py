"""One device's live series while it is sampled: rows gather, gaps are counted, blocks are cut. No I/O.

| state | event | next |
|---|---|---|
| any | sample of the expected slot | the row joins the block |
| any | sample of a later slot | the slots between are missed; the row begins a new run |
| any | sample of an earlier slot (the clock went back) | what there is is cut; the row begins a new block |
| block has rows | its end is reached, in samples or by the clock | cut |

A slot is the grid instant (ms UTC) at which a sample's interval begins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from edge.config import DeviceConfig, LiveConfig
from edge.live.rows import RowFormat
from edge.schedule import states_commodity
from shared.clock import EPOCH
from shared.metering_day import day_of
from shared.quantities import Commodity

CALENDAR_STEP_MS: Final = 60_000
"""Blocks of this step and longer lie within one metering day."""
NOWHERE: Final = -1
"""The slot that is never expected."""


@dataclass(frozen=True, slots=True)
class Missed:
    """`count` samples that nobody took; the first and the last of them."""

    first: int
    last: int
    count: int

    def and_then(self, other: "Missed | None") -> "Missed":
        """Both together."""
        if other is None:
            return self
        return Missed(min(self.first, other.first), max(self.last, other.last), self.count + other.count)


@dataclass(frozen=True, slots=True)
class Run:
    """`count` samples without a gap from slot `start`; `again`: some of these slots may have been delivered before."""

    start: int
    count: int
    again: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """What a series hands over at once."""

    series: "LiveSeries"
    rows: bytes
    runs: tuple[Run, ...]
    missed: Missed | None
    """Since the cut before."""
    end: int
    """End of the last interval, ms UTC."""


def block_limit(live: LiveConfig) -> int:
    """Most values in a block: by number, and by how long the first of them may wait."""
    return max(1, min(live.block_values, int(live.block_s * 1000) // live.period_ms))


class LiveSeries:
    """`on_cut` gets each cut. Blocks end at multiples of their length, `spread` (0 to 1) of it apart from other
    series', so that not all are cut at once.
    """

    def __init__(
        self, device: DeviceConfig, rows: RowFormat, on_cut: Callable[[Cut], None], spread: float = 0.0
    ) -> None:
        if device.live is None:
            raise ValueError(f"The device {device.id} has no live series.")
        self.device = device
        self.rows = rows
        self.period_ms = device.live.period_ms
        self.limit = block_limit(device.live)
        self.first = 0
        """No slot before this one is sampled."""
        self.taken = 0
        """Samples since the agent's start."""
        self.missed = 0
        self._on_cut = on_cut
        self._offset = int(spread * self.limit)
        self._commodity = states_commodity(device)
        self._buffer = bytearray()
        self._starts: list[tuple[int, int]] = []
        """Slot and place in the buffer, in rows, of each run."""
        self._next = NOWHERE
        """The slot that the next row of the running block must have."""
        self._expected = NOWHERE
        self._cut_at = 0
        self._gap: Missed | None = None
        self._highest = 0
        """End of what was ever cut."""

    def begin(self, first: int, stored_until: int | None) -> None:
        """Sampling begins with slot `first`; in the outbox are samples up to `stored_until` (of an earlier start)."""
        self._expected = self.first = first
        if stored_until is not None:
            self._highest = stored_until
            if stored_until < first:
                self._miss(stored_until, first)

    def take(self, slot: int, row: bytes) -> None:
        """A sample was taken: `row` in the format of `rows`."""
        if slot != self._next:
            self._begin_run(slot)
        self._buffer += row
        self.taken += 1
        self._next = slot + self.period_ms
        if self._next >= self._cut_at:
            self.cut()

    def passed(self, slot: int) -> bool:
        """The clock has come to `slot`: a block that should have ended is cut, though samples are missing. Gives
        whether the slot is to be sampled.
        """
        if slot >= self._cut_at and self._starts:
            self.cut()
        return slot >= self.first

    def cut(self) -> None:
        """Hand over what there is."""
        if not self._starts:
            return
        total = len(self._buffer) // self.rows.size
        places = [place for _, place in self._starts[1:]] + [total]
        runs = tuple(
            Run(slot, end - place, slot < self._highest)
            for (slot, place), end in zip(self._starts, places, strict=True)
        )
        end, self._expected, self._next = self._next, self._next, NOWHERE
        gap, self._gap = self._gap, None
        rows = bytes(self._buffer)
        self._buffer.clear()
        self._starts = []
        self._highest = max(self._highest, end)
        self._on_cut(Cut(self, rows, runs, gap, end))

    def not_stored(self, cut: Cut) -> None:
        """`cut` could not be kept: its samples count as missed."""
        for run in cut.runs:
            self._miss(run.start, run.start + run.count * self.period_ms)
        if cut.missed is not None:
            self._gap = cut.missed.and_then(self._gap)

    def _begin_run(self, slot: int) -> None:
        expected = self._next if self._starts else self._expected
        if self._starts and (slot < expected or slot >= self._cut_at):
            self.cut()
        if NOWHERE < expected < slot:
            self._miss(expected, slot)
        if not self._starts:
            self._cut_at = self._end_of_block(slot)
        self._starts.append((slot, len(self._buffer) // self.rows.size))

    def _end_of_block(self, slot: int) -> int:
        number = slot // self.period_ms + self._offset
        end = ((number // self.limit + 1) * self.limit - self._offset) * self.period_ms
        if self.period_ms >= CALENDAR_STEP_MS:
            end = min(end, _day_end(self._commodity, slot))
        return end

    def _miss(self, first: int, until: int) -> None:
        count = (until - first) // self.period_ms
        if count <= 0:
            return
        self.missed += count
        self._gap = Missed(first, until - self.period_ms, count).and_then(self._gap)


def _day_end(commodity: Commodity, slot: int) -> int:
    return (day_of(commodity, EPOCH + timedelta(milliseconds=slot)).end - EPOCH) // timedelta(milliseconds=1)
