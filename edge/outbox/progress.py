"""Timelines of load profiles in the outbox file: what is in hand, what is to be read again, what no meter held."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from edge.outbox.file import OutboxFile
from edge.outbox.model import RegisterStretch, decode_block
from edge.schedule import DeviceProgress, SampleMark
from edge.timeline import Known, Span, Stretch, Timeline, paint, reconciled
from shared.clock import EPOCH

Register = tuple[str, str]
"""Device, and register on the wire."""

_COLUMNS = "start_ms, end_ms, known, asked, ask_ms"


class OutboxProgress(OutboxFile):
    """Timelines, each change of which is part of the transaction of its cause."""

    def progress(self) -> dict[str, DeviceProgress]:
        """What is stored, by device."""
        found: dict[str, DeviceProgress] = {}
        rows = self._execute(f"SELECT device, register, {_COLUMNS} FROM progress_stretch")  # noqa: S608 - constants only
        for device, register, *stretch in rows:
            found.setdefault(device, DeviceProgress()).registers.setdefault(register, []).append(_stretch(stretch))
        for device, handled, sampled in self._execute("SELECT device, handled_ms, sampled_ms FROM progress_sample"):
            mark = SampleMark(
                EPOCH + timedelta(milliseconds=handled),
                EPOCH + timedelta(milliseconds=sampled) if sampled is not None else None,
            )
            found.setdefault(device, DeviceProgress()).sample = mark
        return found

    def read_again(self, stretches: Sequence[RegisterStretch]) -> None:
        """Let what `stretches` say (`AGAIN`) be read again, whatever was known of it."""
        with self._transaction():
            self._paint(stretches)

    def reconcile(
        self, registers: Mapping[Register, bool], evidence: Mapping[Register, Sequence[Span]], window: Span
    ) -> int:
        """Compare with what central has in `window`; gives the milliseconds of all registers that are to be read again.

        Of each of `registers` (true: central knows it, so that a lost outbox may have sent more of it), what is neither
        in `evidence` nor held here is to be read, and marked where it was read before. Sets `acquainted`.
        """
        doubtful = 0
        with self._transaction():
            held = self._held_spans()
            for (device, register), known in registers.items():
                before = self._touched(device, register, None)
                covered = [*evidence.get((device, register), ()), *held.get((device, register), ())]
                after = reconciled(before, window, covered, doubtful=known)
                self._replace(device, register, before, after)
                doubtful += sum(each.end_ms - each.start_ms for each in after if each.known is Known.AGAIN)
            self._set_meta("acquainted", "yes")
        return doubtful

    def _held_spans(self) -> dict[Register, list[Span]]:
        held: dict[Register, list[Span]] = {}
        for (body,) in self._execute("SELECT body FROM pending WHERE progress AND NOT is_record"):
            block = decode_block(body)
            if not block.step_ms:
                continue  # a state of a profile: read again and marked rather than missed
            span = block.start_ms, block.start_ms + block.step_ms * len(block.values)
            held.setdefault((block.key.device, block.key.register), []).append(span)
        for device, register, start, end in self._execute("SELECT device, register, start_ms, end_ms FROM batch_span"):
            held.setdefault((device, register), []).append((start, end))
        return held

    def _paint(self, stretches: Iterable[RegisterStretch]) -> None:
        for device, register, stretch in stretches:
            before = self._touched(device, register, stretch)
            self._replace(device, register, before, paint(before, stretch))

    def _touched(self, device: str, register: str, stretch: Stretch | None) -> Timeline:
        """Stretches that overlap or meet `stretch`, or all of them."""
        where, bounds = ("", ()) if stretch is None else (
            " AND start_ms <= ? AND end_ms >= ?", (stretch.end_ms, stretch.start_ms)
        )  # fmt: skip
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM progress_stretch WHERE device = ? AND register = ?{where} ORDER BY start_ms",  # noqa: S608 - constants only
            (device, register, *bounds),
        )
        return [_stretch(row) for row in rows.fetchall()]

    def _replace(self, device: str, register: str, before: Timeline, after: Timeline) -> None:
        if after == before:
            return
        self._executemany(
            "DELETE FROM progress_stretch WHERE device = ? AND register = ? AND start_ms = ?",
            [(device, register, each.start_ms) for each in before],
        )
        self._executemany(
            "INSERT INTO progress_stretch VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(device, register, each.start_ms, each.end_ms, each.known, each.asked, each.ask_ms) for each in after],
        )


def _stretch(row: Sequence[Any]) -> Stretch:
    start, end, known, asked, ask_ms = row
    return Stretch(start, end, Known(known), asked, ask_ms)
