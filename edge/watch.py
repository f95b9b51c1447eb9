"""What happens at the concentrator, told to central: changes of its parts' states become records (events).

Looking at the state once a second, instead of a call in every place where something changes, keeps the parts free of it
and bounds the number of events, however fast a line flaps.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from edge.errors import OutboxError
from edge.outbox.model import Deposit, Worth
from edge.outbox.outbox import Outbox
from shared.wire import Record

LOOK_S: Final = 1.0
SILENT_AFTER: Final = 3
"""Failures in a row after which a meter counts as silent: one bad frame is no event."""
REASON_LENGTH: Final = 300

_log = structlog.get_logger("edge.watch")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is looked at. `at` in ms UTC; reasons are the sentences of the last error."""

    at: int
    buses: Mapping[str, tuple[bool, str]] = field(default_factory=dict)
    """By bus: whether its line is down, and why."""
    meters: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """By device: failures in a row, and the last one's reason."""
    mismatches: Mapping[str, str] = field(default_factory=dict)
    """Devices at whose place another meter answers, and the sentence that says so."""
    has_room: bool = True
    publish_refused: int = 0
    blocks_refused: int = 0


def snapshot(at: int, status: Mapping[str, Any]) -> Snapshot:
    """The part of a status (edge.status.compose) that events are made of."""
    return Snapshot(
        at,
        {name: (bus["state"] == "down", bus["last_error"]) for name, bus in status["buses"].items()},
        {name: (device["failures_in_a_row"], device["last_error"]) for name, device in status["devices"].items()},
        {name: device["mismatch"] for name, device in status["devices"].items() if device["mismatch"]},
        status["outbox"]["has_room"],
        status["uplink"]["publish_refused"],
        status["uplink"]["blocks_refused"],
    )


def changes(before: Snapshot, after: Snapshot) -> Iterator[Record]:
    """The events between two looks: lines down and up, meters silent, answering and exchanged, outbox full, refusals.

    A bus or meter that is new counts as having been well; one that is gone tells nothing.
    """
    for name, (down, reason) in after.buses.items():
        was_down = before.buses.get(name, (False, ""))[0]
        if down and not was_down:
            yield Record("line-down", "", after.at, {"bus": name, "reason": reason[:REASON_LENGTH]})
        elif was_down and not down:
            yield Record("line-up", "", after.at, {"bus": name})
    for name, (failures, reason) in after.meters.items():
        failed = before.meters.get(name, (0, ""))[0]
        if failures >= SILENT_AFTER > failed:
            data: dict[str, str | int | float | None] = {"failures": failures, "reason": reason[:REASON_LENGTH]}
            yield Record("meter-fails", name, after.at, data)
        elif failed >= SILENT_AFTER > failures:
            yield Record("meter-answers", name, after.at, {"failures": failed})
    for name in sorted(before.mismatches.keys() | after.mismatches.keys()):
        told, reason = before.mismatches.get(name, ""), after.mismatches.get(name, "")
        if reason and reason != told:
            yield Record("meter-mismatch", name, after.at, {"reason": reason[:REASON_LENGTH]})
        elif told and not reason and name in after.meters:
            yield Record("meter-recognised", name, after.at)
    if before.has_room != after.has_room:
        yield Record("outbox-has-room" if after.has_room else "outbox-full", "", after.at)
    if after.publish_refused > before.publish_refused:
        count = after.publish_refused - before.publish_refused
        yield Record("broker-refuses", "", after.at, {"count": count})
    if after.blocks_refused > before.blocks_refused:
        yield Record("central-refused", "", after.at, {"count": after.blocks_refused - before.blocks_refused})


async def keep_watch(look: Callable[[], Snapshot], outbox: Outbox) -> None:
    """Deposit what changed since the last look, once a second, for ever; what the outbox refuses is tried again."""
    told = look()
    while True:
        await asyncio.sleep(LOOK_S)
        seen = look()
        records = list(changes(told, seen))
        if records:
            try:
                await outbox.deposit(Deposit(records=records, worth=Worth.EVENT))
            except OutboxError as error:
                _log.error("events not stored yet", count=len(records), reason=str(error))
                continue
        told = seen
