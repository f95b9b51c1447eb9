"""States that carry a time of their own (extended and demand registers): each capture is taken once.

A meter on M-Bus is read by the hour and sampled by the quarter-hour: three samples of four show what is in evidence
already. Up to which capture a register was taken is kept in the outbox, committed with the block.
"""

from collections.abc import Sequence

from edge.drivers.port import StateReading
from edge.outbox.outbox import Outbox


async def not_taken_yet(
    outbox: Outbox, device: str, readings: Sequence[StateReading]
) -> tuple[list[StateReading], dict[str, str]]:
    """The readings that are new, and the marks to be deposited with them (`Deposit.remember`)."""
    fresh: list[StateReading] = []
    marks: dict[str, str] = {}
    for reading in readings:
        if not reading.captured:
            fresh.append(reading)
            continue
        key = f"captured {device} {reading.register.register}"
        mark = await outbox.meta(key)
        if mark is None or reading.at_ms > int(mark):
            fresh.append(reading)
            marks[key] = str(reading.at_ms)
    return fresh, marks
