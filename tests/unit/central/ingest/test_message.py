"""Opening messages: what has an address, what can be read."""

import msgspec
import pytest

from central.ingest.message import Opened, Refusal, open_message
from central.ingest.reasons import WHOLE_BODY, Reason
from shared.wire import DELTA_ZLIB, Batch, Block, BlockColumns, encode_batch, user_properties
from tests.unit.central.ingest.builders import EDGE, EPOCH, LOAD, QUARTER_MS, STATE, message, ms

START = ms(2026, 3, 1, 23)


def columns(**changed: object) -> BlockColumns:
    given = {
        "key": bytes(4),
        "start": bytes(8),
        "step": bytes(4),
        "count": (1).to_bytes(4, "little"),
        "marks": bytes(1),
        "values": bytes(4),
    }
    return BlockColumns(**{**given, **changed})


def test_a_good_message_opens_with_its_address_and_raw_keys() -> None:
    opened = open_message(message([Block(LOAD, START, QUARTER_MS, [1, 2, 3])], seq=7))
    assert isinstance(opened, Opened)
    assert (opened.edge, opened.epoch, opened.seq) == (EDGE, EPOCH, 7)
    assert msgspec.msgpack.decode(opened.keys) == [["LU-1", "1-0:1.29.0", "Wh", 0, "interval"]]
    assert opened.octets == 12


def test_packed_values_are_unpacked_to_what_they_were() -> None:
    values = [5, -(2**31) + 1, 2**31 - 1, 0]
    block, state = Block(LOAD, START, QUARTER_MS, values), Block(STATE, START, 0, [2**40])
    packed = open_message(message([block, state], packing=DELTA_ZLIB))
    plain = open_message(message([block, state]))
    assert isinstance(packed, Opened) and isinstance(plain, Opened)
    assert packed.intervals == plain.intervals
    assert packed.states == plain.states


@pytest.mark.parametrize(
    ("changed", "reason", "numbered"),
    [
        ({"topic": "rzv/1/CONC-1"}, Reason.TOPIC, False),
        ({"properties": []}, Reason.ADDRESS, False),
        ({"properties": [("edge", EDGE), ("epoch", "xyz"), ("seq", "1"), ("schema", "1")]}, Reason.ADDRESS, False),
        ({"properties": user_properties("CONC-2", EPOCH, 1)}, Reason.EDGE_MISMATCH, True),
        ({"properties": [*user_properties(EDGE, EPOCH, 1)[:3], ("schema", "2")]}, Reason.SCHEMA, True),
        ({"body": b""}, Reason.BODY, True),
        ({"body": b"\xc1 not msgpack"}, Reason.BODY, True),
        ({"body": encode_batch(Batch([LOAD], columns(start=bytes(7))))}, Reason.COLUMN, True),
        ({"body": encode_batch(Batch([LOAD], columns(values=bytes(5))))}, Reason.COLUMN, True),
        ({"body": encode_batch(Batch([LOAD], columns(packing=9)))}, Reason.PACKING, True),
        ({"body": encode_batch(Batch([LOAD], columns(packing=1, values=b"no zlib")))}, Reason.PACKING, True),
    ],
)
def test_what_cannot_be_opened_is_refused_as_a_whole(
    changed: dict[str, object], reason: Reason, numbered: bool
) -> None:
    good = message([Block(LOAD, START, QUARTER_MS, [1])])
    for name, value in changed.items():
        setattr(good, name, value)
    bad = good
    refusal = open_message(bad)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert refusal.index == WHOLE_BODY
    assert refusal.body is None
    assert refusal.sentence.endswith(".")
    assert (refusal.seq is not None) == numbered


def test_a_mismatched_edge_counts_under_the_topic_it_came_on() -> None:
    bad = message([], edge=EDGE)
    bad.properties = user_properties("CONC-2", EPOCH, 9)
    refusal = open_message(bad)
    assert isinstance(refusal, Refusal)
    assert (refusal.edge, refusal.epoch, refusal.seq) == (EDGE, EPOCH, 9)
