"""Room in the outbox file: what goes when its disk budget is full, and in which order."""

from typing import Any, Final

from edge.outbox.model import BatchState, Dropped, Worth, decode_block, decode_record, encode_record
from edge.outbox.progress import OutboxProgress
from shared.wire import Record

DROPPABLE: Final = (Worth.MEASUREMENT, Worth.EVENT)
"""What may go before it was sent, the least worth first."""
AT_ONCE: Final = 256
REFUSED_KEPT: Final = 10_000
"""Refused blocks stay for whoever looks into the matter; central has them in its quarantine."""


class OutboxRoom(OutboxProgress):
    """Verbs that make room."""

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        pages = self._execute("PRAGMA page_count").fetchone()[0] - self._execute("PRAGMA freelist_count").fetchone()[0]
        return int(pages) * int(self._execute("PRAGMA page_size").fetchone()[0])

    def prune(self, acked_before_ms: int, budget_bytes: int) -> int:
        """Drop acknowledged batches: those acknowledged before `acked_before_ms`, and the oldest until the rest fits
        the budget. Gives how many went. Nothing unacknowledged is ever dropped here.
        """
        gone = self._drop("acked_ms < ?", (acked_before_ms,))
        while self.used_bytes() > budget_bytes and self.counts.acked:
            gone += self._drop(
                "id IN (SELECT id FROM batch WHERE state = ? ORDER BY id LIMIT 16)", (int(BatchState.ACKED),)
            )
        return gone

    def _drop(self, where: str, parameters: tuple[int, ...]) -> int:
        with self._transaction():
            rows = self._execute(
                f"SELECT id, epoch, seq FROM batch WHERE state = {int(BatchState.ACKED)} AND {where}",  # noqa: S608 - constants only
                parameters,
            ).fetchall()
            self._executemany("DELETE FROM batch_span WHERE epoch = ? AND seq = ?", [row[1:] for row in rows])
            self._executemany("DELETE FROM batch_body WHERE id = ?", [row[:1] for row in rows])
            self._executemany("DELETE FROM batch WHERE id = ?", [row[:1] for row in rows])
            self._execute(
                "DELETE FROM refused WHERE at_ms < (SELECT at_ms FROM refused ORDER BY at_ms DESC LIMIT 1 OFFSET ?)",
                (REFUSED_KEPT,),
            )
        self.counts.acked -= len(rows)
        return len(rows)

    def drop_pending(self, budget_bytes: int, now_ms: int) -> list[Dropped]:
        """Drop what is worth least and has no number yet, the oldest first, until the rest fits the budget; each kind
        is told with a record `dropped`. Billing data and what has a number never go.
        """
        found: list[Dropped] = []
        live = 0
        with self._transaction():
            for worth in DROPPABLE:
                rows: list[tuple[Any, ...]] = []
                while self.used_bytes() > budget_bytes:
                    some = self._execute(
                        "SELECT id, lane, is_record, body FROM pending WHERE worth = ? ORDER BY id LIMIT ?",
                        (int(worth), AT_ONCE),
                    ).fetchall()
                    if not some:
                        break
                    self._executemany("DELETE FROM pending WHERE id = ?", [row[:1] for row in some])
                    rows += some
                if rows:
                    instants = [decode_record(row[3]).at if row[2] else decode_block(row[3]).start_ms for row in rows]
                    found.append(Dropped(worth, len(rows), min(instants), max(instants)))
                    live += sum(row[1] == 0 for row in rows)
            self._tell(found, now_ms)
        self.counts.pending -= sum(each.count for each in found) - len(found)
        self.counts.pending_live -= live - len(found)
        for each in found:
            self.counts.dropped[each.worth] = self.counts.dropped.get(each.worth, 0) + each.count
        return found

    def _tell(self, found: list[Dropped], now_ms: int) -> None:
        records = [
            Record(
                "dropped",
                "",
                now_ms,
                {"worth": each.worth.name.lower(), "count": each.count, "first": each.first_ms, "last": each.last_ms},
            )
            for each in found
        ]
        self._executemany(
            "INSERT INTO pending (lane, is_record, device, register, progress, worth, body) "
            "VALUES (0, 1, '', NULL, 0, 0, ?)",
            [(encode_record(record),) for record in records],
        )
