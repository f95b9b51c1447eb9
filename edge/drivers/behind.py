"""Profiles that capture counters of meters behind (M-Bus): their columns are states, each at its own time. Pure."""

from collections.abc import Sequence

from edge.config import DeviceConfig
from edge.drivers.port import ProfileDay
from shared.quantities import Kind
from shared.wire import Block, Key


def sampled_within(
    values: Sequence[int | None], captured_ms: Sequence[int | None], start_ms: Sequence[int], step_ms: int
) -> list[int | None]:
    """The values that were read from the meter behind within their interval (start, end]; None in place of others.

    A meter behind that does not answer leaves its last value in further rows: these are no samples, and would come
    again under the same time.
    """
    return [
        value if at is not None and start < at <= start + step_ms else None
        for value, at, start in zip(values, captured_ms, start_ms, strict=True)
    ]


def as_states(device: DeviceConfig, blocks: Sequence[Block], rows: ProfileDay) -> list[Block]:
    """`blocks` of a profile, those of columns that the configuration calls states cut into one state a row.

    A state's time is its capture time, where the profile has it, else the end of its interval.
    """
    if device.profile is None:
        return list(blocks)
    states = {each.register for each in device.profile.registers if each.kind is Kind.STATE}
    if not states:
        return list(blocks)
    result: list[Block] = []
    for block in blocks:
        if block.key.register not in states:
            result.append(block)
            continue
        own = dict(zip(rows.start_ms, rows.captured.get(block.key.register, ()), strict=False))
        key = Key(block.key.device, block.key.register, block.key.unit, block.key.exponent, Kind.STATE)
        for n, value in enumerate(block.values):
            start = block.start_ms + n * block.step_ms
            at = own.get(start)
            quality = [block.quality[n]] if block.quality is not None and block.quality[n] else None
            result.append(Block(key, at if at is not None else start + block.step_ms, 0, [value], quality, block.marks))
    return result
