"""The checks that every block passes before it is evidence: vectorised, and a sentence for each refusal.

A block is refused for the first reason that holds, in the order of `refuse_blocks`.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from central.ingest.channels import ChannelTable
from central.ingest.columns import Blocks
from central.ingest.reasons import Reason
from shared.clock import EPOCH
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity, Kind
from shared.wire import Key, Record

FUTURE_MS: Final = 15 * 60_000
"""A block may end this much after central's clock: clocks differ."""
FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2100, 1, 1)
CALENDAR_STEP_MS: Final = 60_000
"""Blocks of this step and longer lie inside one metering day and on its grid."""
MOST_FAST_VALUES: Final = 1_000
"""Values of a block with a shorter step."""


def milliseconds(instant: datetime) -> int:
    """An aware instant as ms since 1970 UTC."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


@lru_cache
def day_borders(commodity: Commodity) -> NDArray[np.int64]:
    """Beginnings of the metering days from FIRST_DAY to LAST_DAY, ms UTC, ascending."""
    days = (LAST_DAY - FIRST_DAY).days
    return np.array(
        [milliseconds(MeteringDay(commodity, FIRST_DAY + timedelta(days=n)).start) for n in range(days + 1)], np.int64
    )


def refuse_blocks(blocks: Blocks, table: ChannelTable, now_ms: int) -> NDArray[np.uint8]:
    """A Reason per block, 0 when it is good."""
    reason = np.zeros(len(blocks), np.uint8)
    if not len(blocks):
        return reason

    def refuse(wrong: NDArray[Any], code: Reason) -> None:
        if wrong.any():
            reason[wrong & (reason == 0)] = code

    known = blocks.row >= 0
    if not known.all():
        reason[~known] = -blocks.row[~known]
    if not len(table):
        return reason
    row = np.where(known, blocks.row, 0)
    state = blocks.kind is Kind.STATE
    refuse(table.is_state[row] != state, Reason.KIND)
    refuse(blocks.step != table.step[row], Reason.STEP)
    refuse(blocks.count == 0, Reason.EMPTY)
    if state:
        refuse(blocks.count != 1, Reason.TOO_LONG)
    borders = day_borders(Commodity.ELECTRICITY)
    refuse(blocks.start < borders[0], Reason.TOO_EARLY)
    refuse(blocks.start > now_ms + FUTURE_MS, Reason.FUTURE)
    refuse(blocks.end > now_ms + FUTURE_MS, Reason.FUTURE)
    if not state:
        _refuse_by_calendar(blocks, table.is_gas[row], refuse)
    low, high = _extremes(blocks)
    if not state:
        refuse(low == MISSING_VALUE, Reason.MISSING_VALUE)
    refuse((low < table.low[row]) | (high > table.high[row]), Reason.OUT_OF_RANGE)
    return reason


def _refuse_by_calendar(blocks: Blocks, gas: NDArray[np.bool_], refuse: Any) -> None:
    slow = blocks.step >= CALENDAR_STEP_MS
    refuse(~slow & (blocks.count > MOST_FAST_VALUES), Reason.TOO_LONG)
    first, last = day_start_and_end(blocks.start, gas)
    refuse(slow & (blocks.end > last), Reason.CROSSES_DAY)
    refuse(slow & ((blocks.start - first) % np.maximum(blocks.step, 1) != 0), Reason.OFF_GRID)


def day_start_and_end(start: NDArray[np.int64], gas: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bounds of the metering day in which each instant lies."""
    first, last = _bounds(Commodity.ELECTRICITY, start)
    if gas.any():
        gas_first, gas_last = _bounds(Commodity.GAS, start)
        first, last = np.where(gas, gas_first, first), np.where(gas, gas_last, last)
    return first, last


def _bounds(commodity: Commodity, start: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    borders = day_borders(commodity)
    place = np.clip(np.searchsorted(borders, start, "right"), 1, len(borders) - 1)
    return borders[place - 1], borders[place]


def _extremes(blocks: Blocks) -> tuple[NDArray[Any], NDArray[Any]]:
    """Least and greatest value of each block; 0 and 0 of an empty one."""
    count, values = blocks.count, blocks.values
    if len(values) == len(blocks) and (count == 1).all():
        return values, values
    length = int(count[0])
    if length and len(values) == length * len(blocks) and (count == length).all():
        table = values.reshape(-1, length)
        return table.min(axis=1), table.max(axis=1)
    low, high = np.zeros(len(blocks), values.dtype), np.zeros(len(blocks), values.dtype)
    filled = count > 0
    if filled.any():
        low[filled] = np.minimum.reduceat(values, blocks.first[filled])
        high[filled] = np.maximum.reduceat(values, blocks.first[filled])
    return low, high


def refuse_record(record: Record, edge: str, now_ms: int) -> str | None:
    """Why a record cannot be stored, or None."""
    texts = [record.kind, record.device, *record.data]
    texts += [value for value in record.data.values() if isinstance(value, str)]
    if any("\0" in text for text in texts):
        return f"A record of {edge} holds the character NUL, which no text has."
    first = int(day_borders(Commodity.ELECTRICITY)[0])
    if not first <= record.at <= now_ms + FUTURE_MS:
        return (
            f"The record {record.kind} of {record.device} at {edge} has the instant {record.at} ms; "
            f"expected one from {FIRST_DAY} to 15 minutes ahead of central's clock."
        )
    return None


def sentence_of(reason: Reason, blocks: Blocks, place: int, key: Key, table: ChannelTable, edge: str) -> str:
    """Why a block was refused: names the thing, the value, what was expected, what to do."""
    name = f"{key.device} {key.register} at {edge}"
    row, count, step = int(blocks.row[place]), int(blocks.count[place]), int(blocks.step[place])
    start, end = _instant(int(blocks.start[place])), _instant(blocks.end_of(place))
    channel = table.channel(row) if row >= 0 else table.find(edge, key)
    if reason is Reason.UNKNOWN_CHANNEL or channel is None:
        return f"No evidence channel {name} is in the registry: create it, then replay."
    match reason:
        case Reason.KIND:
            return f"{name} came as {key.kind} among {blocks.kind} values; the registry has it as {channel.kind}."
        case Reason.UNIT:
            return (
                f"{name} came in {key.unit} x 10^{key.exponent}; "
                f"the registry expects {channel.unit} x 10^{channel.exponent}."
            )
        case Reason.STEP:
            return f"{name} came in steps of {step} ms; the registry expects {channel.step_ms} ms."
        case Reason.EMPTY:
            return f"The block of {name} from {start} has no values."
        case Reason.TOO_LONG:
            most = 1 if blocks.kind is Kind.STATE else MOST_FAST_VALUES
            return f"The block of {name} from {start} has {count} values; at most {most} are taken."
        case Reason.TOO_EARLY:
            return f"The block of {name} begins at {start}, before {FIRST_DAY}: the meter's clock was not set."
        case Reason.FUTURE:
            return f"The block of {name} from {start} ends at {end}, over 15 minutes ahead of central's clock."
        case Reason.CROSSES_DAY:
            return (
                f"The block of {name} from {start} to {end} crosses the end of a metering day of {channel.commodity}."
            )
        case Reason.OFF_GRID:
            return f"The block of {name} from {start} does not begin on the metering day's grid of {step} ms."
        case Reason.MISSING_VALUE:
            return f"The block of {name} from {start} holds {MISSING_VALUE}, which stands for a missing value."
        case _:
            value = _worst(blocks, place, channel.min_value, channel.max_value)
            return (
                f"The block of {name} from {start} holds {value}; "
                f"the registry allows {channel.min_value} to {channel.max_value}."
            )


def _worst(blocks: Blocks, place: int, low: int | None, high: int | None) -> int:
    first = int(blocks.first[place])
    values = blocks.values[first : first + int(blocks.count[place])]
    least, greatest = int(values.min()), int(values.max())
    return least if low is not None and least < low else greatest


def _instant(ms: int) -> str:
    try:
        return (EPOCH + timedelta(milliseconds=ms)).astimezone(UTC).isoformat()
    except OverflowError:
        return f"{ms} ms after 1970"
