"""Messages to a transaction: what goes where, byte for byte as PostgreSQL will read it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.ingest.decode import Prepared, prepare
from central.ingest.message import Message
from central.ingest.pack import PackedRows
from central.ingest.reasons import Reason
from central.ingest.testing import KnownChannels
from shared.quantities import Kind
from shared.wire import (
    DELTA_ZLIB,
    PLAIN,
    Batch,
    Block,
    BlockColumns,
    Key,
    Record,
    data_topic,
    encode_batch,
    user_properties,
)
from tests.unit.central.ingest.builders import (
    CHANNELS,
    EDGE,
    EPOCH,
    HOUR_MS,
    LOAD,
    NOW_MS,
    QUARTER_MS,
    STATE,
    channel,
    message,
    ms,
)
from tests.unit.central.ingest.copy_reader import read_rows

MIDNIGHT = ms(2026, 3, 1, 23)
BLOCK_TYPES = ("timestamptz", "int8", "int4", "int4", "int2", "int4[]", "int4[]")
READING_TYPES = ("timestamptz", "int8", "int8", "int4", "int4", "int2")


def rows_of(packed: list[PackedRows], types: tuple[str, ...], ids: list[int]) -> list[tuple[object, ...]]:
    found = []
    for part in packed:
        found += read_rows(part.take(np.array(ids, np.int64)).tobytes(), types)
    return found


def prepared_of(*messages: Message, source: KnownChannels | None = None) -> Prepared:
    prepared, taken = prepare(messages, source or KnownChannels(CHANNELS), NOW_MS)
    assert taken == len(messages)
    return prepared


def test_blocks_become_rows_of_binary_copy() -> None:
    prepared = prepared_of(
        message([Block(LOAD, MIDNIGHT, QUARTER_MS, [1, 2, 3], None, 2), Block(STATE, MIDNIGHT + 5, 0, [2**40])]),
        message([Block(LOAD, MIDNIGHT + QUARTER_MS, QUARTER_MS, [4], [16], 1)], seq=2),
    )
    rows = rows_of(prepared.blocks, BLOCK_TYPES, [71, 72])
    assert sorted(rows) == [
        (MIDNIGHT, 71, 11, QUARTER_MS, 2, [1, 2, 3], None),
        (MIDNIGHT + QUARTER_MS, 72, 11, QUARTER_MS, 1, [4], [16]),
    ]
    assert rows_of(prepared.readings, READING_TYPES, [71, 72]) == [(MIDNIGHT + 5, 71, 2**40, 12, 0, 0)]
    assert prepared.channels == [[11, 12], [11]]
    assert prepared.first_ms == [MIDNIGHT, MIDNIGHT + QUARTER_MS]
    assert prepared.last_ms == [MIDNIGHT + 3 * QUARTER_MS, MIDNIGHT + 2 * QUARTER_MS]
    assert prepared.refusals == []


def test_rows_of_a_number_that_was_there_are_left_out() -> None:
    prepared = prepared_of(
        *(message([Block(LOAD, MIDNIGHT + n * QUARTER_MS, QUARTER_MS, [n])], seq=n) for n in (1, 2, 3))
    )
    rows = rows_of(prepared.blocks, BLOCK_TYPES, [0, 9, 0])
    assert [(row[1], row[5]) for row in rows] == [(9, [2])]


def test_the_same_number_twice_counts_once() -> None:
    first, second = (message([Block(LOAD, MIDNIGHT, QUARTER_MS, [value])]) for value in (1, 2))
    prepared = prepared_of(first, second)
    assert [(number.epoch, number.seq) for number in prepared.numbers] == [(EPOCH, 1)]
    assert [row[5] for row in rows_of(prepared.blocks, BLOCK_TYPES, [5])] == [[1]]
    assert prepared.messages == [first, second]


def test_good_blocks_beside_bad_ones_are_in() -> None:
    unknown = Key("LU-9", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)
    prepared = prepared_of(
        message(
            [
                Block(LOAD, MIDNIGHT, QUARTER_MS, [1]),
                Block(unknown, MIDNIGHT, QUARTER_MS, [7, 8], [1, 0]),
                Block(LOAD, MIDNIGHT + QUARTER_MS, QUARTER_MS, [-5]),
                Block(STATE, MIDNIGHT, 0, [-1]),
            ],
            [Record("gap", "LU-1", NOW_MS, {"n": 2}), Record("gap", "LU-1", 0)],
        )
    )
    assert [row[5] for row in rows_of(prepared.blocks, BLOCK_TYPES, [5])] == [[1]]
    assert [(refusal.index, refusal.reason) for _, refusal in prepared.refusals] == [
        (1, Reason.UNKNOWN_CHANNEL),
        (2, Reason.OUT_OF_RANGE),
        (3, Reason.OUT_OF_RANGE),
        (5, Reason.RECORD),
    ]
    assert [(event.kind, event.data) for event in prepared.events] == [("gap", '{"n":2}')]
    assert prepared.channels == [[11]]


@pytest.mark.parametrize(
    ("count", "values", "key", "flagged", "quality"),
    [
        ([2], 8 * b"\0" + b"1234", [0], b"", b""),
        ([-1], b"", [0], b"", b""),
        ([1], bytes(4), [1], b"", b""),
        ([1], bytes(4), [-1], b"", b""),
        ([1], bytes(4), [0], np.array([1], "<i4").tobytes(), bytes(2)),
        ([1], bytes(4), [0], np.array([0, 0], "<i4").tobytes(), bytes(4)),
        ([1], bytes(4), [0], np.array([0], "<i4").tobytes(), bytes(4)),
        ([1], bytes(4), [0], b"", bytes(2)),
    ],
)
def test_columns_that_contradict_each_other_refuse_only_their_message(
    count: list[int], values: bytes, key: list[int], flagged: bytes, quality: bytes
) -> None:
    columns = BlockColumns(
        np.array(key, "<i4").tobytes(),
        np.array([MIDNIGHT], "<i8").tobytes(),
        np.array([QUARTER_MS], "<i4").tobytes(),
        np.array(count, "<i4").tobytes(),
        bytes(1),
        values,
        flagged,
        quality,
    )
    bad = Message(data_topic(EDGE), encode_batch(Batch([LOAD], columns)), user_properties(EDGE, EPOCH, 2))
    good = [message([Block(LOAD, MIDNIGHT + n * QUARTER_MS, QUARTER_MS, [n, n], [n, 0])], seq=n) for n in (1, 3)]
    prepared = prepared_of(good[0], bad, good[1])
    assert [(position, refusal.index, refusal.reason) for position, refusal in prepared.refusals] == [
        (1, -1, Reason.COLUMN)
    ]
    assert [(row[1], row[5], row[6]) for row in rows_of(prepared.blocks, BLOCK_TYPES, [1, 2, 3])] == [
        (1, [1, 1], [1, 0]),
        (3, [3, 3], [3, 0]),
    ]


def test_keys_that_cannot_be_decoded_refuse_only_their_message() -> None:
    body = encode_batch(Batch([LOAD])).replace(b"interval", b"Xnterval")
    bad = Message(data_topic(EDGE), body, user_properties(EDGE, EPOCH, 2))
    prepared = prepared_of(message([Block(LOAD, MIDNIGHT, QUARTER_MS, [1])]), bad)
    assert [(position, refusal.reason) for position, refusal in prepared.refusals] == [(1, Reason.BODY)]
    assert len(rows_of(prepared.blocks, BLOCK_TYPES, [1, 2])) == 1


def test_a_message_without_a_number_stays_without_a_position() -> None:
    bare = Message(data_topic(EDGE), b"?", [])
    prepared = prepared_of(bare, message([Block(LOAD, MIDNIGHT, QUARTER_MS, [1])]))
    assert [position for position, _ in prepared.refusals] == [None]
    assert len(prepared.numbers) == 1


def test_a_key_created_after_the_registry_was_read_is_found() -> None:
    source = KnownChannels(CHANNELS)
    late = Key("LU-2", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)
    blocks = [Block(late, MIDNIGHT, QUARTER_MS, [1])]
    assert prepared_of(message(blocks), source=source).refusals
    source.add_later(channel(21, late, QUARTER_MS))
    prepared = prepared_of(message(blocks), source=source)
    assert not prepared.refusals
    assert prepared.channels == [[21]]


def test_an_edge_does_not_reach_another_edges_channels() -> None:
    prepared = prepared_of(message([Block(LOAD, MIDNIGHT, QUARTER_MS, [1])], edge="CONC-2"))
    assert [refusal.reason for _, refusal in prepared.refusals] == [Reason.UNKNOWN_CHANNEL]


def test_a_transaction_ends_where_its_budget_of_values_ends() -> None:
    messages = [message([Block(LOAD, MIDNIGHT, QUARTER_MS, [1] * 96)], seq=n, packing=DELTA_ZLIB) for n in range(1, 6)]
    prepared, taken = prepare(messages, KnownChannels(CHANNELS), NOW_MS, budget=2 * 96 * 4)
    assert taken == 2
    assert len(prepared.numbers) == 2
    assert prepare(messages, KnownChannels(CHANNELS), NOW_MS, budget=0)[1] == 1


LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@settings(max_examples=60)
@given(st.lists(st.tuples(LENGTHS, st.booleans()), min_size=1, max_size=5), st.data())
def test_every_good_block_comes_out_once_as_it_went_in(
    shape: list[tuple[list[int], bool]], data: st.DataObject
) -> None:
    """Any mixture of lengths, kinds, flags, packing and bad values: what is good is packed, the rest is refused."""
    messages, good, bad = [], [], set()
    place = 0
    for seq, (lengths, packed) in enumerate(shape, 1):
        blocks = []
        for length in lengths:
            state = data.draw(st.booleans())
            day, hour = divmod(place, 23)  # up to four quarter-hours from there stay inside the day
            start = MIDNIGHT + 24 * day * HOUR_MS + hour * HOUR_MS + (7 if state else 0)
            place += 1
            if state:
                value = data.draw(st.integers(-5, 2**62))
                blocks.append(Block(STATE, start, 0, [value], data.draw(st.sampled_from([None, [16]]))))
            else:
                values = data.draw(st.lists(st.integers(-3, 100_003), min_size=length, max_size=length))
                flags = data.draw(st.sampled_from([None, list(range(1, length + 1))]))
                blocks.append(Block(LOAD, start, QUARTER_MS, values, flags, data.draw(st.integers(0, 3))))
        intervals = [block for block in blocks if block.key is LOAD]
        for index, block in enumerate(intervals + [block for block in blocks if block.key is STATE]):
            limit = 100_000 if block.key is LOAD else 2**63
            if all(0 <= value <= limit for value in block.values):
                good.append((seq, block))
            else:
                bad.add((seq, index))
        messages.append(message(blocks, seq=seq, packing=DELTA_ZLIB if packed else PLAIN))
    prepared = prepared_of(*messages)
    ids = [100 + number.seq for number in prepared.numbers]
    rows = rows_of(prepared.blocks, BLOCK_TYPES, ids)
    assert sorted(rows, key=str) == sorted(
        (
            (
                b.start_ms,
                100 + seq,
                11,
                QUARTER_MS,
                b.marks,
                list(b.values),
                None if b.quality is None else [*b.quality],
            )
            for seq, b in good
            if b.key is LOAD
        ),
        key=str,
    )
    readings = rows_of(prepared.readings, READING_TYPES, ids)
    assert sorted(readings) == sorted(
        (b.start_ms, 100 + seq, b.values[0], 12, b.quality[0] if b.quality else 0, b.marks)
        for seq, b in good
        if b.key is STATE
    )
    assert {(prepared.numbers[p].seq, refusal.index) for p, refusal in prepared.refusals if p is not None} == bad
