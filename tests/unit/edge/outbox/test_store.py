"""The outbox file: commits, numbers, acknowledgements, restored databases, room."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge import inspect
from edge.errors import OutboxError
from edge.outbox.model import (
    Address,
    BatchState,
    Deposit,
    Lane,
    RegisterStretch,
    Worth,
    decode_block,
    encode_block,
    ranges_of,
    without,
)
from edge.outbox.store import OutboxStore
from edge.schedule import SampleMark
from edge.timeline import Known, Stretch
from shared.quantities import Kind
from shared.wire import MARK_REREAD, Block, Key, Record, decode_batch, unpack_batch
from tests.unit.edge.examples import MARCH, interval_block, state_block

EPOCH_A, EPOCH_B = 2**64 - 3, 7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[OutboxStore]:
    found = OutboxStore(path)
    yield found
    found.close()


def blocks_of(body: bytes) -> list[Block]:
    return unpack_batch(decode_batch(body))[0]


def day_deposit(n: int, device: str = "LU-1") -> Deposit:
    return Deposit(
        [interval_block(device, n * 86_400_000, [n, n + 1])],
        [],
        Lane.BACKFILL,
        [RegisterStretch(device, "1-0:1.29.0", Stretch(*span(n), Known.READ))],
    )


def span(n: int) -> tuple[int, int]:
    """The two quarter-hours of `day_deposit`."""
    return n * 86_400_000, n * 86_400_000 + 1_800_000


def timeline(store: OutboxStore) -> list[tuple[int, str]]:
    """Which deposits of `day_deposit` are known as what."""
    return [(each.start_ms // 86_400_000, str(each.known)) for each in store.progress()["LU-1"].registers["1-0:1.29.0"]]


def test_what_was_deposited_is_there_after_reopening(path: Path) -> None:
    mark = SampleMark(MARCH, MARCH)
    first = OutboxStore(path)
    first.deposit([Deposit([state_block("EA-1", 5, 1000)], [Record("gap", "EA-1", 3)], sample=("EA-1", mark))])
    first.deposit([day_deposit(1)])
    first.close()
    second = OutboxStore(path)
    assert second.counts.pending == 3
    progress = second.progress()
    second.close()
    assert progress["EA-1"].sample == mark
    assert progress["LU-1"].registers == {"1-0:1.29.0": [Stretch(*span(1), Known.READ)]}
    assert [each.block.values[0] for each in inspect.committed_blocks(path)] == [5, 1]
    assert inspect.committed_records(path) == [Record("gap", "EA-1", 3)]
    assert inspect.sample_marks(path) == {"EA-1": mark}


def test_a_gap_keeps_the_last_sampled_instant(store: OutboxStore) -> None:
    later = MARCH + timedelta(minutes=15)
    store.deposit([Deposit(sample=("EA-1", SampleMark(MARCH, MARCH)))])
    store.deposit([Deposit(sample=("EA-1", SampleMark(later)))])
    assert store.progress()["EA-1"].sample == SampleMark(later, MARCH)


def test_live_goes_before_backfill_and_numbers_count_from_one(store: OutboxStore) -> None:
    store.deposit([day_deposit(n) for n in range(3)])
    store.deposit([Deposit([state_block("EA-1", 77, 1)])])
    first = store.number(EPOCH_A, 2, 10_000)
    second = store.number(EPOCH_A, 2, 10_000)
    assert first is not None
    assert second is not None
    assert (first.address, second.address) == (Address(EPOCH_A, 1), Address(EPOCH_A, 2))
    assert [block.key.device for block in blocks_of(first.body)] == ["LU-1", "EA-1"]  # intervals, then states
    assert store.body(first.address) == first.body
    assert store.number(EPOCH_A, 2, 10_000) is None
    assert (store.counts.pending, store.counts.unacked) == (0, 2)


def test_a_batch_keeps_within_its_bytes_but_takes_at_least_one(store: OutboxStore) -> None:
    store.deposit([Deposit([interval_block("LU-1", 0, list(range(96)))]) for _ in range(3)])
    body_size = len(encode_block(interval_block("LU-1", 0, list(range(96)))))
    first = store.number(1, 64, body_size + 1)
    second = store.number(1, 64, 1)
    third = store.number(1, 64, 10 * body_size)
    assert [len(blocks_of(each.body)) for each in (first, second, third) if each] == [1, 1, 1]


def test_numbers_are_not_given_twice_even_when_the_batches_are_gone(store: OutboxStore, path: Path) -> None:
    store.deposit([day_deposit(1)])
    store.number(EPOCH_A, 64, 10_000)
    store.acknowledge(EPOCH_A, 1, [], [], 0)
    assert store.prune(10, 10**9) == 1
    store.deposit([day_deposit(2)])
    batch = store.number(EPOCH_A, 64, 10_000)
    assert batch is not None
    assert batch.address.seq == 2


def test_acknowledgements_upto_and_beyond(store: OutboxStore) -> None:
    for n in range(6):
        store.deposit([day_deposit(n)])
        store.number(EPOCH_A, 1, 10_000)
    done = store.acknowledge(EPOCH_A, 2, [(4, 5)], [], 123)
    assert [address.seq for address in done.batches] == [1, 2, 4, 5]
    assert store.held() == [Address(EPOCH_A, 3), Address(EPOCH_A, 6)]
    assert store.held_ranges() == [(EPOCH_A, 3, 3), (EPOCH_A, 6, 6)]
    assert store.acknowledge(EPOCH_A, 2, [(4, 5)], [], 124).batches == []
    assert store.acknowledge(EPOCH_B, 6, [], [], 124).batches == []
    assert (store.counts.unacked, store.counts.acked) == (2, 4)


def test_refused_blocks_are_kept_apart_once(store: OutboxStore, path: Path) -> None:
    store.deposit([Deposit([state_block("EA-1", 5, 1000), interval_block("LU-1", 0, [1])], [Record("gap", "x", 9)])])
    store.number(EPOCH_A, 64, 10_000)
    done = store.acknowledge(EPOCH_A, 1, [], [(1, 1, "unknown channel"), (1, 2, "x"), (1, 9, "y")], 55)
    assert len(done.refused) == 3
    assert store.acknowledge(EPOCH_A, 1, [], [(1, 1, "unknown channel")], 56).refused == []
    assert store.counts.refused == 3
    rows = store._execute("SELECT device, register, reason, body FROM refused ORDER BY place").fetchall()
    assert rows[0][:3] == ("EA-1", "1-0:1.8.0", "unknown channel")
    assert decode_block(rows[0][3]).values[0] == 5
    assert rows[1][:2] == ("x", None)
    assert rows[2][3] is None
    assert inspect.counts(path).refused == 3


def test_a_new_incarnation_is_offered_what_the_old_one_had(store: OutboxStore) -> None:
    for n in range(3):
        store.deposit([day_deposit(n)])
        store.number(EPOCH_A, 1, 10_000)
    store.acknowledge(EPOCH_A, 2, [], [], 0)
    assert store.offer_again("two") == 2
    assert store.meta("incarnation") == "two"
    assert [a.seq for a in store.held(BatchState.REOFFERED)] == [1, 2]
    assert [a.seq for a in store.held(BatchState.REOFFERED, 1)] == [1]
    assert store.held_ranges() == [(EPOCH_A, 1, 3)]
    assert store.counts.unacked == 1, "what is offered again does not block new numbers"
    store.acknowledge(EPOCH_A, 3, [], [], 0)
    assert (store.counts.unacked, store.counts.reoffered, store.counts.acked) == (0, 0, 3)


def test_closed_numbers_that_nobody_holds_are_read_again(store: OutboxStore) -> None:
    for n in range(3):
        store.deposit([day_deposit(n)])
        store.number(EPOCH_A, 1, 10_000)
    store._execute("DELETE FROM batch_body")  # as if they had been dropped without being acknowledged
    store._execute("DELETE FROM batch")
    closed = store.closed([(EPOCH_A, 2, 2)])
    assert closed.lost == [RegisterStretch("LU-1", "1-0:1.29.0", Stretch(*span(1), Known.AGAIN))]
    assert (closed.requeued, closed.unknown) == (0, False)
    assert timeline(store) == [(0, "read"), (1, "again"), (2, "read")]


def test_closed_numbers_that_we_hold_go_out_under_new_ones(store: OutboxStore) -> None:
    store.deposit([day_deposit(0), Deposit([], [Record("gap", "x", 1)])])
    store.number(EPOCH_A, 64, 10_000)
    closed = store.closed([(EPOCH_A, 1, 1)])
    assert (closed.lost, closed.requeued, closed.unknown) == ([], 2, False)
    assert store.held() == []
    batch = store.number(EPOCH_A, 64, 10_000)
    assert batch is not None
    assert batch.address.seq == 2
    assert blocks_of(batch.body)[0].marks & MARK_REREAD
    assert store.counts.unacked == 1


def test_closed_numbers_are_dealt_with_once_however_often_they_are_told(store: OutboxStore) -> None:
    for n in range(5):
        store.deposit([day_deposit(n)])
        store.number(EPOCH_A, 1, 10_000)
    store._execute("DELETE FROM batch_body")
    store._execute("DELETE FROM batch")
    assert store.closed([(EPOCH_A, 2, 2)]).numbers == [(EPOCH_A, 2, 2)]
    assert store.closed([(EPOCH_A, 2, 2)]).numbers == []
    second = store.closed([(EPOCH_A, 1, 4)])
    assert second.numbers == [(EPOCH_A, 1, 1), (EPOCH_A, 3, 4)]
    assert [each.stretch.start_ms // 86_400_000 for each in second.lost] == [0, 2, 3]
    assert store.closed([(EPOCH_B, 1, 3)]).unknown


def test_numbers_that_this_outbox_never_gave_make_it_unacquainted_again(store: OutboxStore) -> None:
    store.reconcile({}, {}, (0, 0))
    assert store.meta("acquainted") == "yes"
    assert store.closed([(EPOCH_B, 1, 3)]).unknown
    assert store.meta("acquainted") is None, "also for one that is killed before it has the days read again"
    store.reconcile({}, {}, (0, 0))
    assert not store.closed([(EPOCH_B, 1, 3)]).unknown
    assert store.meta("acquainted") == "yes"


def test_ranges_without_ranges() -> None:
    assert without((1, 9), []) == [(1, 9)]
    assert without((1, 9), [(3, 4), (0, 1), (8, 20)]) == [(2, 2), (5, 7)]
    assert without((1, 9), [(1, 9)]) == []
    assert without((5, 6), [(1, 2), (9, 9)]) == [(5, 6)]


def test_what_central_does_not_have_is_read_again_and_what_we_hold_is_not(store: OutboxStore) -> None:
    register = ("LU-1", "1-0:1.29.0")
    for n in range(4):
        store.deposit([day_deposit(n)])
    store.number(EPOCH_A, 3, 10_000)  # 0 to 2 are under way, 3 is pending
    store.deposit([Deposit(progress=[RegisterStretch(*register, Stretch(*span(5), Known.READ))])])  # sent long ago
    store.deposit([Deposit(progress=[RegisterStretch(*register, Stretch(*span(6), Known.READ))])])
    store.deposit([Deposit(progress=[RegisterStretch(*register, Stretch(*span(9), Known.READ))])])
    window = 0, 8 * 86_400_000
    assert store.reconcile({register: False}, {register: [span(6)]}, window) == 1_800_000
    read = [(n, "read") for n in range(4)]
    assert timeline(store) == [*read, (5, "again"), (6, "read"), (9, "read")]
    assert store.meta("acquainted") == "yes"


def test_of_a_register_that_central_knows_the_rest_may_be_under_way_from_a_lost_outbox(store: OutboxStore) -> None:
    register = ("LU-1", "1-0:1.29.0")
    store.reconcile({register: True, ("LU-2", "x"): False}, {register: [span(1)]}, (0, 2 * 86_400_000))
    assert timeline(store) == [(0, "again"), (1, "read"), (1, "again")]
    assert "LU-2" not in store.progress()


def test_years_of_days_are_one_row(store: OutboxStore) -> None:
    day = 86_400_000
    for n in [*range(0, 800, 2), *range(1, 800, 2)]:
        stretch = Stretch(n * day, (n + 1) * day, Known.READ)
        store.deposit([Deposit(progress=[RegisterStretch("LU-1", "1-0:1.29.0", stretch)])])
    assert store._execute("SELECT start_ms, end_ms FROM progress_stretch").fetchall() == [(0, 800 * day)]


def test_a_budget_costs_what_is_worth_least_and_never_billing_data(store: OutboxStore) -> None:
    body = list(range(500))
    for n in range(300):
        for worth in Worth:
            store.deposit([Deposit([interval_block(f"D-{int(worth)}", n * 900_000, body)], worth=worth)])
    full = store.used_bytes()
    (dropped,) = store.drop_pending(full - 200_000, 7)
    assert (dropped.worth, dropped.first_ms) == (Worth.MEASUREMENT, 0)
    assert dropped.count == dropped.last_ms // 900_000 + 1, "the oldest go first"
    assert store.used_bytes() <= full - 200_000
    dropped_now = store.drop_pending(1, 8)
    assert [each.worth for each in dropped_now] == [Worth.MEASUREMENT, Worth.EVENT]
    assert store.counts.dropped == {Worth.MEASUREMENT: 300, Worth.EVENT: 300}
    assert store.drop_pending(1, 9) == []
    left = inspect.committed_blocks(store.path)
    assert {each.block.key.device for each in left} == {"D-0"}
    assert len(left) == 300
    told = [(each.data["worth"], each.data["count"]) for each in inspect.committed_records(store.path)]
    assert told == [("measurement", dropped.count), ("measurement", 300 - dropped.count), ("event", 300)]
    assert (store.counts.pending, store.counts.pending_live) == (303, 303)
    assert store.counts.pending == inspect.counts(store.path).pending


def test_live_alone_may_be_numbered(store: OutboxStore) -> None:
    store.deposit([day_deposit(0), Deposit([state_block("EA-1", 77, 1)])])
    assert store.counts.pending_live == 1
    batch = store.number(EPOCH_A, 64, 10_000, Lane.LIVE)
    assert batch is not None
    assert [block.key.device for block in blocks_of(batch.body)] == ["EA-1"]
    assert store.number(EPOCH_A, 64, 10_000, Lane.LIVE) is None
    assert (store.counts.pending, store.counts.pending_live) == (1, 0)


def test_acknowledged_batches_stay_their_days_and_go_first_when_room_is_short(store: OutboxStore) -> None:
    for n in range(40):
        store.deposit([Deposit([interval_block("LU-1", n, list(range(500)))])])
        store.number(EPOCH_A, 1, 10_000)
    store.acknowledge(EPOCH_A, 10, [], [], 1_000)
    store.acknowledge(EPOCH_A, 30, [], [], 2_000)
    assert store.prune(1_500, 10**9) == 10
    assert store.counts.acked == 20
    store.prune(0, 1)
    assert store.counts.acked == 0
    assert store.counts.unacked == 10, "what central has not is never dropped"
    assert store.used_bytes() > 1


def test_a_block_that_the_wire_cannot_carry_does_not_get_in(store: OutboxStore) -> None:
    with pytest.raises(OutboxError, match="does not fit the wire"):
        store.deposit([day_deposit(0), Deposit([interval_block("LU-1", 0, [2**31])])])
    assert store.counts.pending == 0
    assert store.progress() == {}
    key = Key("LU-1", "r", "Wh", 0, Kind.INTERVAL)
    with pytest.raises(OutboxError, match="2 values, but 1 qualities"):
        store.deposit([Deposit([Block(key, 0, 1, [1, 2], [0])])])


def test_one_agent_at_a_time(store: OutboxStore, path: Path) -> None:
    with pytest.raises(OutboxError, match="in use by another agent"):
        OutboxStore(path)


def test_a_file_of_another_version_or_none_of_ours_is_refused(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "a")
    store._execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    store.close()
    with pytest.raises(OutboxError, match="version 99"):
        OutboxStore(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"not a database, not a database" * 100)
    with pytest.raises(OutboxError, match="cannot be used"):
        OutboxStore(tmp_path / "b")


def test_ranges() -> None:
    addresses = [Address(1, 3), Address(1, 1), Address(2, 9), Address(1, 2), Address(1, 7)]
    assert ranges_of(addresses) == [(1, 1, 3), (1, 7, 7), (2, 9, 9)]


def test_a_full_disk_undoes_the_verb_and_keeps_what_was_committed(store: OutboxStore, path: Path) -> None:
    store.deposit([day_deposit(0)])
    pages = store._execute("PRAGMA page_count").fetchone()[0]
    store._execute(f"PRAGMA max_page_count = {pages + 4}")
    kept = 1
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for kept in range(1, 100_000):
            store.deposit([day_deposit(kept)])
    assert store.counts.pending == kept
    assert store._execute("SELECT count(*) FROM pending").fetchone() == (kept,)
    assert len(timeline(store)) == kept, "a day that was not stored is not noted as read"
    store._execute("PRAGMA max_page_count = 1000000")
    store.deposit([day_deposit(kept)])
    sent = []
    while (batch := store.number(EPOCH_A, 500, 10**6)) is not None:
        sent += [block.start_ms // 86_400_000 for block in blocks_of(batch.body)]
    assert sent == list(range(kept + 1))


def test_a_commit_that_fails_leaves_no_transaction_open(store: OutboxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = store._execute

    def failing(sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        if sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return plain(sql, parameters)

    monkeypatch.setattr(store, "_execute", failing)
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        store.deposit([day_deposit(0)])
    assert store.counts.pending == 0
    assert store.progress() == {}
    monkeypatch.undo()
    store.deposit([day_deposit(1)])
    assert store.counts.pending == 1
    assert timeline(store) == [(1, "read")]
