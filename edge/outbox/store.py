"""The outbox file: what is done to it, each verb one transaction. Blocking; used by one thread (see outbox.py).

WAL with `synchronous=FULL`: what a verb returned from survives a power cut. Killed in the middle of a verb, the file is
as if the verb had not begun.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from edge.outbox.model import (
    Acknowledged,
    Address,
    BatchState,
    Closed,
    Counts,
    Deposit,
    Lane,
    NumberedBatch,
    Ranges,
    RegisterStretch,
    decode_block,
    decode_record,
    encode_block,
    encode_record,
    ranges_of,
    without,
)
from edge.outbox.room import OutboxRoom
from edge.timeline import HOUR_MS, Known, Stretch
from shared.clock import EPOCH
from shared.wire import (
    MARK_REREAD,
    Block,
    Record,
    decode_batch,
    encode_batch,
    pack_batch,
    signed_epoch,
    unpack_batch,
    unsigned_epoch,
)

_INSERT: Final = (
    "INSERT INTO pending (lane, is_record, device, register, progress, worth, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
HELD: Final = f"state IN ({int(BatchState.UNACKED)}, {int(BatchState.REOFFERED)})"

LIVE_MARK: Final = "live "
"""Keys of meta that begin so are the marks of live series."""


class OutboxStore(OutboxRoom):
    """The verbs on one open outbox file."""

    # -- readings come in

    def deposit(self, deposits: Sequence[Deposit]) -> None:
        """Commit readings with the progress they mean, many at a time."""
        added = live = 0
        with self._transaction():
            for deposit in deposits:
                rows = _pending_rows(deposit, {(each.device, each.register) for each in deposit.progress})
                added += len(rows)
                live += len(rows) * (deposit.lane is Lane.LIVE)
                self._executemany(_INSERT, rows)
                self._paint(deposit.progress)
                if deposit.sample is not None:
                    device, mark = deposit.sample
                    self._execute(
                        "INSERT INTO progress_sample VALUES (?, ?, ?) ON CONFLICT (device) DO UPDATE "
                        "SET handled_ms = excluded.handled_ms, sampled_ms = coalesce(excluded.sampled_ms, sampled_ms)",
                        (device, _ms(mark.handled), _ms(mark.sampled)),
                    )
                for device, until in deposit.live:
                    self._set_meta(LIVE_MARK + device, str(until))
                for key, value in deposit.remember.items():
                    self._set_meta(key, value)
        self.counts.pending += added
        self.counts.pending_live += live

    def live_marks(self) -> dict[str, int]:
        """By device, the end (ms) of the last interval that was stored of its live series."""
        rows = self._execute("SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?", (len(LIVE_MARK), LIVE_MARK))
        return {key.removeprefix(LIVE_MARK): int(value) for key, value in rows}

    # -- batches go out

    def number(
        self, epoch: int, max_blocks: int, max_bytes: int, last_lane: Lane = Lane.BACKFILL
    ) -> NumberedBatch | None:
        """The next batch, numbered durably; None if nothing is pending in the lanes up to `last_lane`. Live blocks come
        before back-fill.
        """
        taken: list[Any] = []
        size = 0
        query = "SELECT id, is_record, lane, progress, body FROM pending WHERE lane <= ? ORDER BY lane, id LIMIT ?"
        for row in self._execute(query, (int(last_lane), max_blocks)).fetchall():
            size += len(row[4])
            if taken and size > max_bytes:
                break
            taken.append(row)
        if not taken:
            return None
        blocks = [(decode_block(row[4]), bool(row[3])) for row in taken if not row[1]]
        records = [decode_record(row[4]) for row in taken if row[1]]
        body = encode_batch(pack_batch([block for block, _ in blocks], records))
        stored = signed_epoch(epoch)
        with self._transaction():
            seq = self._execute(
                "INSERT INTO epoch VALUES (?, 1) ON CONFLICT (epoch) DO UPDATE SET last_seq = last_seq + 1 "
                "RETURNING last_seq",
                (stored,),
            ).fetchone()[0]
            batch_id = self._execute(
                "INSERT INTO batch (epoch, seq, state, size) VALUES (?, ?, ?, ?)",
                (stored, seq, BatchState.UNACKED, len(body)),
            ).lastrowid
            self._execute("INSERT INTO batch_body VALUES (?, ?)", (batch_id, body))
            self._executemany("DELETE FROM pending WHERE id = ?", [(row[0],) for row in taken])
            self._executemany(
                "INSERT OR IGNORE INTO batch_span VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (stored, seq, block.key.device, block.key.register, *_span(block))
                    for block, progress in blocks
                    if progress
                ],
            )
        self.counts.pending -= len(taken)
        self.counts.pending_live -= sum(row[2] == Lane.LIVE for row in taken)
        self.counts.unacked += 1
        return NumberedBatch(Address(epoch, seq), body, Lane(taken[-1][2]))

    def body(self, address: Address) -> bytes | None:
        """The body of a kept batch."""
        row = self._execute(
            "SELECT body FROM batch JOIN batch_body USING (id) WHERE epoch = ? AND seq = ?",
            (signed_epoch(address.epoch), address.seq),
        ).fetchone()
        return row[0] if row else None

    def held(self, state: BatchState | None = None, most: int = -1) -> list[Address]:
        """Batches that central has yet to acknowledge, oldest first; of one `state`, or all that the birth lists; no
        more than `most`, where it is not negative.
        """
        where = HELD if state is None else f"state = {int(state)}"
        rows = self._execute(f"SELECT epoch, seq FROM batch WHERE {where} ORDER BY id LIMIT ?", (most,))  # noqa: S608 - constants only
        return [Address(unsigned_epoch(epoch), seq) for epoch, seq in rows]

    def held_ranges(self) -> Ranges:
        """The same, for the birth."""
        return ranges_of(self.held())

    # -- central answers

    def acknowledge(
        self,
        epoch: int,
        upto: int,
        beyond: Sequence[tuple[int, int]],
        refused: Sequence[tuple[int, int, str]],
        now_ms: int,
    ) -> Acknowledged:
        """Note what central has committed; refused blocks are kept apart, because no resending would help them."""
        done = Acknowledged()
        stored = signed_epoch(epoch)
        counts = replace(self.counts)
        with self._transaction():
            for first, last in [(1, upto), *beyond]:
                rows = self._execute(
                    f"SELECT id, seq, state FROM batch WHERE epoch = ? AND seq BETWEEN ? AND ? AND {HELD}",  # noqa: S608 - constants only
                    (stored, first, last),
                ).fetchall()
                self._executemany(
                    "UPDATE batch SET state = ?, acked_ms = ? WHERE id = ?",
                    [(BatchState.ACKED, now_ms, row[0]) for row in rows],
                )
                for _, seq, state in rows:
                    done.batches.append(Address(epoch, seq))
                    counts.acked += 1
                    counts.unacked -= state == BatchState.UNACKED
                    counts.reoffered -= state == BatchState.REOFFERED
            for seq, place, reason in refused:
                if self._refuse(Address(epoch, seq), place, reason, now_ms):
                    done.refused.append((seq, place, reason))
        counts.refused += len(done.refused)
        self.counts = counts
        return done

    def _refuse(self, address: Address, place: int, reason: str, now_ms: int) -> bool:
        key = (signed_epoch(address.epoch), address.seq, place)
        if self._execute("SELECT 1 FROM refused WHERE epoch = ? AND seq = ? AND place = ?", key).fetchone():
            return False
        item = self._item(address, place)
        device = register = start = kept = None
        if isinstance(item, Block):
            device, register, start = item.key.device, item.key.register, item.start_ms
            kept = encode_block(item)
        elif item is not None:
            device, start, kept = item.device, item.at, encode_record(item)
        self._execute(
            "INSERT INTO refused VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, reason, device, register, start, now_ms, kept),
        )
        return True

    def _item(self, address: Address, place: int) -> Block | Record | None:
        body = self.body(address)
        if body is None:
            return None
        blocks, records = unpack_batch(decode_batch(body))
        items: list[Block | Record] = [*blocks, *records]
        return items[place] if 0 <= place < len(items) else None

    def offer_again(self, incarnation: str) -> int:
        """Central's database is another one (`incarnation`): all kept acknowledged batches are offered again, and what
        it has of the rest is to be heard anew (`acquainted`).
        """
        with self._transaction():
            cursor = self._execute(
                "UPDATE batch SET state = ? WHERE state = ?", (BatchState.REOFFERED, BatchState.ACKED)
            )
            self._execute("DELETE FROM meta WHERE key = 'acquainted'")
            self._set_meta("incarnation", incarnation)
        self.counts.reoffered += cursor.rowcount
        self.counts.acked -= cursor.rowcount
        return cursor.rowcount

    def remember(self, key: str, value: str) -> None:
        """Remember a meta value."""
        with self._transaction():
            self._set_meta(key, value)

    def closed(self, ranges: Ranges) -> Closed:
        """Central closed numbers; what it told before is passed over.

        What we still hold of them goes back to pending, marked as re-read, because its number is spent. What we no
        longer hold is to be read again from the meters. A number that we never gave takes `acquainted` back.
        """
        found = Closed()
        counts = replace(self.counts)
        with self._transaction():
            for epoch, first, last in ranges:
                stored = signed_epoch(epoch)
                known = self._execute("SELECT first, last FROM closed WHERE epoch = ?", (stored,)).fetchall()
                for span in without((first, last), known):
                    self._execute("INSERT INTO closed VALUES (?, ?, ?)", (stored, *span))
                    found.numbers.append((epoch, *span))
                    requeued = self._requeue_numbers((stored, *span), counts)
                    lost = self._forget_spans((stored, *span))
                    found.requeued += requeued
                    found.lost += lost
                    found.unknown = found.unknown or not (requeued or lost)
            if found.unknown:
                # Told only once: whoever is killed before `reconcile` must still know at the next start.
                self._execute("DELETE FROM meta WHERE key = 'acquainted'")
        self.counts = counts
        return found

    def _requeue_numbers(self, span: tuple[int, int, int], counts: Counts) -> int:
        held = self._execute(
            "SELECT id, seq, state, body FROM batch JOIN batch_body USING (id) "
            "WHERE epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            span,
        ).fetchall()
        requeued = 0
        for batch_id, seq, state, body in held:
            number = span[0], seq
            rows = self._execute(
                "SELECT device, register FROM batch_span WHERE epoch = ? AND seq = ?", number
            ).fetchall()
            requeued += self._requeue(body, set(rows))
            self._execute("DELETE FROM batch_body WHERE id = ?", (batch_id,))
            self._execute("DELETE FROM batch WHERE id = ?", (batch_id,))
            self._execute("DELETE FROM batch_span WHERE epoch = ? AND seq = ?", number)
            counts.unacked -= state == BatchState.UNACKED
            counts.acked -= state == BatchState.ACKED
            counts.reoffered -= state == BatchState.REOFFERED
        counts.pending += requeued
        return requeued

    def _forget_spans(self, span: tuple[int, int, int]) -> list[RegisterStretch]:
        rows = self._execute(
            "SELECT device, register, start_ms, end_ms FROM batch_span WHERE epoch = ? AND seq BETWEEN ? AND ?", span
        ).fetchall()
        lost = [RegisterStretch(row[0], row[1], Stretch(row[2], row[3], Known.AGAIN)) for row in rows]
        self._paint(lost)
        self._execute("DELETE FROM batch_span WHERE epoch = ? AND seq BETWEEN ? AND ?", span)
        return lost

    def _requeue(self, body: bytes, registers: set[tuple[str, str]]) -> int:
        blocks, records = unpack_batch(decode_batch(body))
        again = [
            Block(block.key, block.start_ms, block.step_ms, block.values, block.quality, block.marks | MARK_REREAD)
            for block in blocks
        ]
        rows = _pending_rows(Deposit(blocks=again, records=records, lane=Lane.BACKFILL), registers)
        self._executemany(_INSERT, rows)
        return len(rows)


def _ms(instant: Any) -> int | None:
    return (instant - EPOCH) // timedelta(milliseconds=1) if instant is not None else None


def _span(block: Block) -> tuple[int, int]:
    """The intervals whose rows a block holds. A state of a profile was taken within an interval that is not longer than
    the hour: that hour.
    """
    if block.step_ms:
        return block.start_ms, block.start_ms + block.step_ms * len(block.values)
    begin = (block.start_ms - 1) // HOUR_MS * HOUR_MS
    return begin, begin + HOUR_MS


def _pending_rows(
    deposit: Deposit, registers: Collection[tuple[str, str]]
) -> list[tuple[int, int, str, str | None, int, int, bytes]]:
    """Rows of `pending`; the progress of `registers` (device, register) depends on their blocks."""
    lane, worth = int(deposit.lane), int(deposit.worth)
    rows: list[tuple[int, int, str, str | None, int, int, bytes]] = [
        (
            lane,
            0,
            block.key.device,
            block.key.register,
            int((block.key.device, block.key.register) in registers),
            worth,
            encode_block(block),
        )
        for block in deposit.blocks
    ]
    rows += [(lane, 1, record.device, None, 0, worth, encode_record(record)) for record in deposit.records]
    return rows
