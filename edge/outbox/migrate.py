"""Outbox files of earlier versions become present ones, in place and within one transaction."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final

from edge.timeline import Known, Stretch, Timeline, paint
from shared.clock import EPOCH
from shared.identifiers import Obis
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from shared.wire import decode_batch, unpack_batch

Execute = Callable[[str, Sequence[Any]], Any]

GAS_MEDIUM: Final = 7
"""Value group A of an OBIS code."""


def from_1(execute: Execute, statements: Sequence[str]) -> None:
    """Version 1 knew whole days of registers; version 2 knows stretches. `statements` make an empty version 2."""
    for statement in statements:
        if re.search(r"\b(progress_stretch|batch_span)\b", statement):
            execute(statement, ())
    execute("ALTER TABLE pending ADD COLUMN progress INTEGER NOT NULL DEFAULT 0", ())
    execute("ALTER TABLE pending ADD COLUMN worth INTEGER NOT NULL DEFAULT 0", ())
    execute("UPDATE pending SET progress = (day IS NOT NULL)", ())
    execute("ALTER TABLE pending DROP COLUMN day", ())
    execute("CREATE INDEX pending_worth ON pending (worth, id) WHERE worth > 0", ())
    timelines: dict[tuple[str, str], Timeline] = {}
    for device, register, day, state in execute("SELECT device, register, day, state FROM progress_day", ()).fetchall():
        key = device, register
        timelines[key] = paint(timelines.get(key, []), _stretch(register, date.fromisoformat(day), state))
    for (device, register), timeline in timelines.items():
        for each in timeline:
            execute(
                "INSERT INTO progress_stretch VALUES (?, ?, ?, ?, ?, 0, NULL)",
                (device, register, each.start_ms, each.end_ms, each.known),
            )
    _spans(execute)
    execute("DROP TABLE progress_day", ())
    execute("DROP TABLE batch_day", ())


def _stretch(register: str, day: date, state: str) -> Stretch:
    """The file did not say whose days it meant: the register's medium does. Where it is named otherwise, the day is
    read again and marked, since it may have begun at 06:00.
    """
    known = Known(state)
    try:
        commodity = Commodity.GAS if Obis.parse(register).a == GAS_MEDIUM else Commodity.ELECTRICITY
    except ValueError:
        commodity, known = Commodity.ELECTRICITY, Known.AGAIN
    found = MeteringDay(commodity, day)
    return Stretch(
        int((found.start - EPOCH).total_seconds()) * 1000, int((found.end - EPOCH).total_seconds()) * 1000, known
    )


def _spans(execute: Execute) -> None:
    days: dict[tuple[int, int], set[tuple[str, str]]] = {}
    for epoch, seq, device, register in execute("SELECT epoch, seq, device, register FROM batch_day", ()).fetchall():
        days.setdefault((epoch, seq), set()).add((device, register))
    for (epoch, seq), registers in days.items():
        row = execute(
            "SELECT body FROM batch JOIN batch_body USING (id) WHERE epoch = ? AND seq = ?", (epoch, seq)
        ).fetchone()
        for block in unpack_batch(decode_batch(row[0]))[0] if row else ():
            key = block.key
            if (key.device, key.register) in registers and block.step_ms:
                execute(
                    "INSERT OR IGNORE INTO batch_span VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        epoch,
                        seq,
                        key.device,
                        key.register,
                        block.start_ms,
                        block.start_ms + block.step_ms * len(block.values),
                    ),
                )
