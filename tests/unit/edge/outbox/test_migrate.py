"""Outbox files of version 1 become version 2 in place: nothing pending, numbered or known is lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.blocks import ms
from edge.outbox.migrate import from_1
from edge.outbox.model import Address, encode_block, encode_record
from edge.outbox.store import OutboxStore
from edge.timeline import Known, Stretch
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from shared.wire import Record, encode_batch, pack_batch
from tests.unit.edge.examples import MARCH, interval_block, state_block

VERSION_1 = Path(__file__).with_name("version_1.sql")
DAYS = ("2026-03-01", "2026-03-02", "2026-03-04")
LU, GAS = ("LU-1", "1-0:1.29.0"), ("GA-1", "7-0:13.29.0")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.sqlite"
    sent = interval_block(LU[0], ms(MARCH), list(range(96)))
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_1.read_text())
        db.execute("INSERT INTO meta VALUES ('version', '1'), ('acquainted', 'yes'), ('incarnation', 'one')")
        db.execute("INSERT INTO epoch VALUES (7, 3)")
        db.execute("INSERT INTO batch (epoch, seq, state, size) VALUES (7, 3, 0, 9)")
        db.execute(
            "INSERT INTO batch_body VALUES (1, ?)", (encode_batch(pack_batch([sent, state_block("EA-1", 1, 2)])),)
        )
        db.executemany("INSERT INTO batch_day VALUES (7, ?, ?, ?, '2026-03-01')", [(3, *LU), (2, *LU)])
        insert = "INSERT INTO pending (lane, is_record, device, register, day, body) VALUES (?, ?, ?, ?, ?, ?)"
        later = interval_block(LU[0], ms(MARCH) + 86_400_000, [5])
        db.execute(insert, (1, 0, *LU, "2026-03-02", encode_block(later)))
        db.execute(insert, (0, 0, "EA-1", "1-0:1.8.0", None, encode_block(state_block("EA-1", 4, 5))))
        db.execute(insert, (1, 1, "LU-1", None, None, encode_record(Record("hole", "LU-1", 6))))
        for register in (LU, GAS, ("XX-1", "made up")):
            db.executemany("INSERT INTO progress_day VALUES (?, ?, ?, 'read')", [(*register, day) for day in DAYS])
        db.execute("UPDATE progress_day SET state = 'again' WHERE day = '2026-03-02' AND device = 'LU-1'")
        db.execute("INSERT INTO progress_sample VALUES ('EA-1', 5, 5)")
    return path


def day(commodity: Commodity, n: int, known: Known, days: int = 1) -> Stretch:
    first = MeteringDay(commodity, MARCH.date().replace(month=3, day=n))
    return Stretch(ms(first.start), ms(first.start) + days * 86_400_000, known)


def test_what_a_file_of_version_1_knew_is_known(path: Path) -> None:
    store = OutboxStore(path)
    progress = store.progress()
    electricity, gas = Commodity.ELECTRICITY, Commodity.GAS
    assert progress["LU-1"].registers == {
        LU[1]: [day(electricity, 1, Known.READ), day(electricity, 2, Known.AGAIN), day(electricity, 4, Known.READ)]
    }
    assert progress["GA-1"].registers == {GAS[1]: [day(gas, 1, Known.READ, 2), day(gas, 4, Known.READ)]}
    assert [each.known for each in progress["XX-1"].registers["made up"]] == [Known.AGAIN] * 2
    assert progress["EA-1"].sample is not None
    assert (store.counts.pending, store.counts.pending_live, store.counts.unacked) == (3, 1, 1)
    assert (store.meta("version"), store.meta("acquainted"), store.meta("incarnation")) == ("2", "yes", "one")
    assert store.held() == [Address(7, 3)]
    batch = store.number(7, 64, 10_000)
    assert batch is not None
    assert batch.address == Address(7, 4)
    assert [each.stretch.start_ms for each in store.closed([(7, 2, 2)]).lost] == [], "nobody holds it, nor its rows"
    spans = store._execute("SELECT seq, start_ms, end_ms FROM batch_span ORDER BY seq").fetchall()
    assert spans == [(3, ms(MARCH), ms(MARCH) + 86_400_000), (4, ms(MARCH) + 86_400_000, ms(MARCH) + 87_300_000)]
    store.close()
    again = OutboxStore(path)
    assert again.progress() == progress
    again.close()


def test_a_migrated_file_is_like_a_new_one(path: Path, tmp_path: Path) -> None:
    def schema(store: OutboxStore) -> dict[str, list[str]]:
        names = store._execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'index')").fetchall()
        return {
            name: sorted(row[1] for row in store._execute(f"PRAGMA table_info({name})")) for (name,) in sorted(names)
        }

    migrated, fresh = OutboxStore(path), OutboxStore(tmp_path / "new")
    assert schema(migrated) == schema(fresh)
    migrated.close()
    fresh.close()


def test_killed_in_the_middle_it_is_still_version_1(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(execute: object, statements: object) -> None:
        from_1(execute, statements)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("edge.outbox.file.from_1", dying)
        with pytest.raises(KeyboardInterrupt):
            OutboxStore(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone() == ("1",)
        assert db.execute("SELECT count(*) FROM progress_day").fetchone() == (9,)
