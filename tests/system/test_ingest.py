"""Ingest against a real database: numbers, quarantine, holes, acknowledgements, incarnation."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from central.ingest.committer import Committer, Outcome, Preparer
from central.ingest.message import Message
from central.platform.database import make_engine, transaction
from central.platform.incarnation import new_incarnation
from shared.clock import SystemClock
from shared.quantities import Kind
from shared.wire import Ack, Birth, Block, Key, Record, data_topic, encode_batch, pack_batch, user_properties
from tests.system.ingest_rig import LOAD, MIDNIGHT_MS, QUARTER_MS, STATE, create_channel, create_channels, number, rows

EPOCH = 0xFEDC_BA98_7654_3210
OLD = 17


class Central:
    """Preparer and committer of one process, without a broker."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.preparer = Preparer(url, SystemClock())
        self.committer = Committer(url, SystemClock())

    def take(self, *messages: Message) -> Outcome:
        prepared, taken = self.preparer.prepare(messages)
        assert taken == len(messages)
        return self.committer.commit(prepared)

    def ack(self, *messages: Message) -> Ack:
        ((_, ack),) = self.take(*messages).answers
        return ack

    def close(self) -> None:
        self.preparer.drop()
        self.committer.drop()


@pytest.fixture
def central(database_url: str) -> Iterator[Central]:
    create_channels(database_url)
    one = Central(database_url)
    yield one
    one.close()


def message(
    seq: int,
    blocks: list[Block] | None = None,
    records: list[Record] | None = None,
    epoch: int = EPOCH,
    edge: str = "CONC-1",
) -> Message:
    body = encode_batch(pack_batch([load(seq)] if blocks is None else blocks, records or []))
    return Message(data_topic(edge), body, user_properties(edge, epoch, seq))


def load(place: int, values: list[int] | None = None, key: Key = LOAD) -> Block:
    """A block of one quarter-hour, the `place`-th of a long stretch."""
    return Block(key, MIDNIGHT_MS + place * QUARTER_MS, QUARTER_MS, [place] if values is None else values)


def blocks_in(central: Central) -> list[list[int]]:
    return [values for (values,) in rows(central.url, 'SELECT "values" FROM block ORDER BY start, batch_id')]


def test_a_repeated_batch_is_only_acknowledged(central: Central) -> None:
    first = central.ack(message(1), message(2))
    again = central.ack(message(2), message(1))
    assert (first.upto, first.beyond) == (again.upto, again.beyond) == (2, [])
    assert blocks_in(central) == [[1], [2]]
    assert number(central.url, "SELECT count(*) FROM batch") == 2


def test_numbers_may_come_in_any_order(central: Central) -> None:
    found = [central.ack(message(seq)) for seq in (3, 5, 1, 2, 4)]
    assert [(ack.upto, ack.beyond) for ack in found] == [
        (0, [(3, 3)]),
        (0, [(3, 3), (5, 5)]),
        (1, [(3, 3), (5, 5)]),
        (3, [(5, 5)]),
        (5, []),
    ]
    assert {ack.epoch for ack in found} == {EPOCH}


def test_a_batch_row_says_what_its_blocks_hold(central: Central) -> None:
    state = Block(STATE, MIDNIGHT_MS - 1, 0, [2**40], [16])
    central.take(message(1, [load(0, [1, 2, 3]), state]))
    ((channels, first, last, consolidated),) = rows(
        central.url, "SELECT evidence_channels, first_start, last_end, consolidated_at FROM batch"
    )
    assert channels == [1, 2] and consolidated is None
    assert isinstance(first, datetime) and isinstance(last, datetime)
    assert (first.timestamp() * 1000, last.timestamp() * 1000) == (MIDNIGHT_MS - 1, MIDNIGHT_MS + 3 * QUARTER_MS)
    assert rows(central.url, "SELECT value, quality, evidence_channel FROM register_reading") == [(2**40, 16, 2)]


def test_the_view_unnests_blocks(central: Central) -> None:
    central.take(message(1, [Block(LOAD, MIDNIGHT_MS, QUARTER_MS, [7, 8], [0, 16], 1)]))
    found = rows(
        central.url,
        "SELECT (extract(epoch FROM ts) * 1000)::bigint, value, quality, marks FROM block_value ORDER BY ts",
    )
    assert found == [(MIDNIGHT_MS, 7, 0, 1), (MIDNIGHT_MS + QUARTER_MS, 8, 16, 1)]


def test_evidence_is_append_only(central: Central) -> None:
    central.take(message(1, [load(1), Block(STATE, MIDNIGHT_MS, 0, [5])]))
    for statement in (
        "UPDATE block SET \"values\" = '{0}'",
        "DELETE FROM block",
        "UPDATE register_reading SET value = 0",
        "DELETE FROM register_reading",
    ):
        with pytest.raises(psycopg.Error, match="append-only"), psycopg.connect(central.url) as connection:
            connection.execute(statement.encode())
    assert blocks_in(central) == [[1]]


def test_many_processes_may_get_the_same_batches(central: Central) -> None:
    """Six writers, each with all messages in its own order, at once."""
    others = [Central(central.url) for _ in range(6)]
    failures: list[BaseException] = []

    def work(place: int) -> None:
        order = [(n * (2 * place + 1)) % 101 for n in range(1, 101)]
        try:
            for first in range(0, 100, 10):
                others[place].take(*(message(seq) for seq in order[first : first + 10]))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(others))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert failures == []
    assert blocks_in(central) == [[seq] for seq in range(1, 101)]
    assert central.ack(message(1)).upto == 100


def test_good_blocks_are_in_and_bad_ones_are_kept_with_the_reason(central: Central) -> None:
    unknown = Key("LU-404", LOAD.register, "Wh", 0, Kind.INTERVAL)
    now = SystemClock().now_ms()
    future = Block(LOAD, now // QUARTER_MS * QUARTER_MS + 8 * QUARTER_MS, QUARTER_MS, [1])
    ack = central.ack(
        message(1, [load(1), load(2, [100_001]), load(3, key=unknown), future], [Record("gap", "LU-1", 5)]),
        message(2),
    )
    assert (ack.upto, ack.beyond) == (2, [])
    assert ack.refused == [(1, 1, "out_of_range"), (1, 2, "unknown_channel"), (1, 3, "future"), (1, 4, "record")]
    assert blocks_in(central) == [[1], [2]]
    kept = rows(central.url, "SELECT edge, epoch, seq, index, reason_code, times FROM quarantine ORDER BY index")
    assert kept[0] == ("CONC-1", EPOCH - 2**64, 1, 1, "out_of_range", 1)
    assert len(kept) == 4
    again = central.ack(message(1, [load(9)]))
    assert again.refused == ack.refused
    assert number(central.url, "SELECT count(*) FROM quarantine") == 4


@pytest.mark.parametrize(
    ("body", "properties", "code"),
    [
        (b"\xff not a batch", None, "body"),
        (None, [*user_properties("CONC-1", EPOCH, 1)[:3], ("schema", "99")], "schema"),
        (None, user_properties("CONC-2", EPOCH, 1), "edge_mismatch"),
        (encode_batch(pack_batch([load(1)]))[:-9] + bytes(9), None, "body"),
    ],
)
def test_a_whole_message_is_kept_and_its_number_counts(
    central: Central, body: bytes | None, properties: list[tuple[str, str]] | None, code: str
) -> None:
    bad = message(1)
    bad.body = bad.body if body is None else body
    bad.properties = properties or bad.properties
    ack = central.ack(bad, message(2))
    assert (ack.upto, ack.refused) == (2, [(1, -1, code)])
    ((kept, reason, stored_properties),) = rows(central.url, "SELECT body, reason, user_properties FROM quarantine")
    assert kept == bad.body
    assert isinstance(reason, str) and reason.endswith(".")
    assert stored_properties == [list(pair) for pair in bad.properties]
    assert blocks_in(central) == [[2]]


def test_a_message_without_a_number_is_kept_once_and_not_acknowledged(central: Central) -> None:
    for _ in range(3):
        bare = Message(data_topic("CONC-1"), b"what is this", [("edge", "CONC-1"), ("seq", "\0")])
        assert central.take(bare).answers == []
    assert rows(central.url, "SELECT times, edge, epoch, seq, reason_code FROM quarantine") == [
        (3, "CONC-1", None, None, "address")
    ]
    assert number(central.url, "SELECT count(*) FROM batch") == 0


def test_records_become_events(central: Central) -> None:
    central.take(message(1, [], [Record("gap", "LU-1", MIDNIGHT_MS, {"n": 2, "why": "busy", "x": 1.5, "y": None})]))
    ((kind, device, data, batch),) = rows(central.url, "SELECT kind, device, data, batch_id FROM edge_event")
    assert (kind, device, data) == ("gap", "LU-1", {"n": 2, "why": "busy", "x": 1.5, "y": None})
    assert batch == number(central.url, "SELECT id FROM batch")


def test_a_change_of_the_registry_is_heard(central: Central) -> None:
    central.take(message(1))
    with psycopg.connect(central.url) as connection:
        connection.execute("UPDATE evidence_channel SET max_value = 1 WHERE kind = 'interval'")
    assert central.ack(message(2)).refused == [(2, 0, "out_of_range")]
    with psycopg.connect(central.url) as connection:
        create_channel(connection, "CONC-1", "LU-1", "1-0:2.29.0", "interval", QUARTER_MS)
    new = Key("LU-1", "1-0:2.29.0", "Wh", 0, Kind.INTERVAL)
    assert central.ack(message(3, [load(3, key=new)])).refused == []


def test_a_lower_bound_outlives_the_process(central: Central) -> None:
    central.take(*(message(seq) for seq in range(1, 301)))
    assert number(central.url, "SELECT upto FROM edge_epoch") == 300
    other = Central(central.url)
    ack = other.ack(message(302))
    assert (ack.upto, ack.beyond) == (300, [(302, 302)])
    other.close()


# Births


def test_a_hole_that_nobody_holds_is_closed_and_reported(central: Central) -> None:
    central.take(*(message(seq, epoch=OLD) for seq in (1, 2, 6, 9)))
    birth = Birth(True, EPOCH, [(OLD, 7, 7), (OLD, 12, 13)])
    answer, acks, closed = central.committer.welcome("CONC-1", birth)
    assert closed == 4
    assert answer.closed == [(OLD, 3, 5), (OLD, 8, 8)]
    assert [(edge, ack.epoch, ack.upto, ack.beyond) for edge, ack in acks] == [("CONC-1", OLD, 6, [(8, 9)])]
    assert rows(central.url, "SELECT kind, data FROM edge_event ORDER BY id") == [
        ("hole_closed", {"epoch": f"{OLD:016x}", "first": 3, "last": 5}),
        ("hole_closed", {"epoch": f"{OLD:016x}", "first": 8, "last": 8}),
    ]
    again, _, closed = central.committer.welcome("CONC-1", birth)
    assert (again.closed, closed) == (answer.closed, 0)
    assert central.ack(message(7, epoch=OLD)).upto == 9


def test_an_epoch_that_is_through_is_finished(central: Central) -> None:
    central.take(*(message(seq, epoch=OLD) for seq in (1, 3)))
    central.committer.welcome("CONC-1", Birth(True, EPOCH))
    assert rows(central.url, "SELECT upto, finished_at IS NOT NULL FROM edge_epoch") == [(3, True)]


def test_a_number_of_the_running_epoch_is_never_closed(central: Central) -> None:
    """A retained birth may be older than the numbers that have been given since."""
    central.take(message(1), message(3))
    _, _, closed = central.committer.welcome("CONC-1", Birth(True, EPOCH))
    assert closed == 0
    assert central.ack(message(2)).upto == 3


def test_nothing_is_closed_for_an_edge_that_knows_another_incarnation(central: Central) -> None:
    """It is about to offer again what that other database had."""
    central.take(message(1, epoch=OLD), message(3, epoch=OLD))
    _, _, closed = central.committer.welcome("CONC-1", Birth(True, EPOCH, incarnation="before the restore"))
    assert closed == 0


def test_a_batch_that_comes_after_its_number_was_closed_is_kept(central: Central) -> None:
    central.take(message(1, epoch=OLD), message(3, epoch=OLD))
    central.committer.welcome("CONC-1", Birth(True, EPOCH))
    late = message(2, epoch=OLD)
    ack = central.ack(late)
    assert (ack.upto, ack.refused) == (3, [(2, -1, "closed_number")])
    assert rows(central.url, "SELECT body FROM quarantine") == [(late.body,)]


def test_the_welcome_carries_high_water_marks_of_evidence(central: Central) -> None:
    central.take(
        message(1, [load(0, [1] * 96), load(0, [1] * 4), Block(STATE, MIDNIGHT_MS + 5, 0, [3])]),
        message(2, [Block(STATE, MIDNIGHT_MS + 3, 0, [2])]),
    )
    answer, _, _ = central.committer.welcome("CONC-1", Birth(True, EPOCH))
    assert answer.marks == [
        ("LU-1", "1-0:1.29.0", MIDNIGHT_MS + 96 * QUARTER_MS),
        ("LU-1", "1-0:1.8.0", MIDNIGHT_MS + 5),
    ]


def test_a_new_incarnation_is_told_with_the_next_answer(central: Central) -> None:
    before = central.ack(message(1)).incarnation
    engine = make_engine(central.url)
    with transaction(engine) as connection:
        now = new_incarnation(connection, datetime.now(UTC), "test")
    engine.dispose()
    assert before and now != before
    assert central.ack(message(2)).incarnation == now
    answer, _, _ = central.committer.welcome("CONC-1", Birth(True, EPOCH))
    assert answer.incarnation == now


def test_a_restored_database_has_another_incarnation_and_takes_old_numbers_again(
    central: Central, database_url: str
) -> None:
    """What a copy of the database does not hold any more comes again under its old number."""
    first = central.ack(message(1))
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE batch, block")
        connection.execute("UPDATE incarnation SET database_oid = 1")
    restored = Central(database_url)
    ack = restored.ack(message(1))
    assert ack.incarnation != first.incarnation
    assert blocks_in(restored) == [[1]]
    restored.close()
