"""What is committed in an outbox, for tests and the demo: read-only, also while an agent uses the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from edge.outbox.model import BatchState, Counts, decode_block, decode_record
from edge.schedule import SampleMark
from shared.clock import EPOCH
from shared.wire import Block, Record, decode_batch, unpack_batch, unsigned_epoch


class CommittedBlock(NamedTuple):
    """A block and where it is: None while pending, else the number of its batch."""

    block: Block
    epoch: int | None
    seq: int | None
    acked: bool


@contextmanager
def _open(path: Path | str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{Path(path).absolute()}?mode=ro", uri=True, timeout=10.0)) as db:
        db.execute("BEGIN")  # one view of everything
        yield db


def counts(path: Path | str) -> Counts:
    """What the outbox holds."""
    with _open(path) as db:
        states = dict(db.execute("SELECT state, count(*) FROM batch GROUP BY state"))
        return Counts(
            pending=db.execute("SELECT count(*) FROM pending").fetchone()[0],
            pending_live=db.execute("SELECT count(*) FROM pending WHERE lane = 0").fetchone()[0],
            unacked=states.get(BatchState.UNACKED, 0),
            acked=states.get(BatchState.ACKED, 0),
            reoffered=states.get(BatchState.REOFFERED, 0),
            refused=db.execute("SELECT count(*) FROM refused").fetchone()[0],
        )


def committed_blocks(path: Path | str) -> list[CommittedBlock]:
    """All blocks in the file: pending, numbered, acknowledged and still kept."""
    with _open(path) as db:
        found = [
            CommittedBlock(decode_block(body), None, None, False)
            for (body,) in db.execute("SELECT body FROM pending WHERE NOT is_record ORDER BY id")
        ]
        rows = db.execute("SELECT epoch, seq, state, body FROM batch JOIN batch_body USING (id) ORDER BY id")
        for epoch, seq, state, body in rows:
            blocks, _ = unpack_batch(decode_batch(body))
            acked = state == BatchState.ACKED
            found += [CommittedBlock(block, unsigned_epoch(epoch), seq, acked) for block in blocks]
    return found


def committed_records(path: Path | str) -> list[Record]:
    """All records in the file, as `committed_blocks`."""
    with _open(path) as db:
        found = [decode_record(body) for (body,) in db.execute("SELECT body FROM pending WHERE is_record ORDER BY id")]
        for (body,) in db.execute("SELECT body FROM batch JOIN batch_body USING (id) ORDER BY id"):
            found += unpack_batch(decode_batch(body))[1]
    return found


def sample_marks(path: Path | str) -> dict[str, SampleMark]:
    """How far the samples of each device have come; of a device without a beginning nothing."""
    with _open(path) as db:
        rows = db.execute("SELECT device, handled_ms, sampled_ms FROM progress_sample").fetchall()
    return {
        device: SampleMark(_instant(handled), _instant(sampled) if sampled is not None else None)
        for device, handled, sampled in rows
    }


def _instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
