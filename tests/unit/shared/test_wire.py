"""The wire contract: golden vectors for other languages, round trips, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import typed_columns, wire
from shared.quantities import Kind

INTERVAL = wire.Key("LU-1", "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)
STATE = wire.Key("LU-1", "1-0:1.8.0", "Wh", 0, Kind.STATE)
BLOCKS = [
    wire.Block(INTERVAL, 1772319600000, 900000, [1, 2, -3, 2**31 - 1], [0, 16, 0, 0], wire.MARK_HISTORICAL),
    wire.Block(STATE, 1772319600000, 0, [2**40]),
]
RECORDS = [wire.Record("gap", "LU-1", 5, {"to": 6})]

GOLDEN_PLAIN = (
    "949295a44c552d31aa312d303a312e32392e30a2576800a8696e74657276616c95a44c552d31a9312d303a312e382e30a2576800a5737461"
    "746599c40400000000c40880ed7aa69c010000c404a0bb0d00c40404000000c40102c4100100000002000000fdffffffffffff7fc4040000"
    "0000c40800001000000000000099c40401000000c40880ed7aa69c010000c40400000000c40401000000c40100c4080000000000010000c4"
    "00c400009194a3676170a44c552d310581a2746f06"
)
GOLDEN_ACK = (
    "86a474797065a361636ba565706f6368cfffffffffffffffffa47570746f"
    "03a66265796f6e6490a77265667573656490ab696e6361726e6174696f6ea0"
)
GOLDEN_PACKED = (
    "949295a44c552d31aa312d303a312e32392e30a2576800a8696e74657276616c95a44c552d31a9312d303a312e382e30a2576800a5737461"
    "746599c40400000000c40880ed7aa69c010000c404a0bb0d00c40404000000c40102c417789c636460606004e2dfffffff6762606800001a"
    "7a047dc40400000000c40800001000000000000199c40401000000c40880ed7aa69c010000c40400000000c40401000000c40100c40e789c"
    "6360000246060600000b0002c400c400019194a3676170a44c552d310581a2746f06"
)
GOLDEN_REFUSAL = (
    "86a474797065a361636ba565706f636807a47570746f03a66265796f6e6491920506a77265667573656491930200af756e6b6e6f776e2063"
    "68616e6e656cab696e6361726e6174696f6ea3616263"
)
GOLDEN_WELCOME = (
    "84a474797065a777656c636f6d65ab696e6361726e6174696f6ea3616263a56d61726b739193a44c552d31a9312d303a312e382e3005a663"
    "6c6f7365649193070202"
)
GOLDEN_BIRTH = (
    "88a66f6e6c696e65c3a565706f6368cf8000000000000007a468656c649193070103ab696e6361726e6174696f6ea3616263a56167656e74"
    "a5302e312e30ad636f6e6669675f6e756d62657204a2617463a361736bcd03e8"
)
GOLDEN_EVIDENCE = (
    "87a474797065a865766964656e6365ab696e6361726e6174696f6ea3616263a573696e6365cd03e8a561736b656463a47061676501a57061"
    "67657302a97265676973746572739193a44c552d31aa312d303a312e32392e3092cd03e8cd07d0"
)


def plain(blocks: list[wire.Block]) -> list[tuple[wire.Key, int, int, list[int], list[int] | None, int]]:
    return [
        (b.key, b.start_ms, b.step_ms, list(b.values), None if b.quality is None else list(b.quality), b.marks)
        for b in blocks
    ]


def test_a_batch_is_these_bytes() -> None:
    assert wire.encode_batch(wire.pack_batch(BLOCKS, RECORDS)).hex() == GOLDEN_PLAIN


def test_the_golden_bytes_are_this_batch() -> None:
    blocks, records = wire.unpack_batch(wire.decode_batch(bytes.fromhex(GOLDEN_PLAIN)))
    assert plain(blocks) == plain(BLOCKS)
    assert records == RECORDS


def test_an_acknowledgement_is_these_bytes() -> None:
    assert wire.encode_message(wire.Ack(2**64 - 1, 3)).hex() == GOLDEN_ACK
    assert wire.decode_message(bytes.fromhex(GOLDEN_ACK)) == wire.Ack(2**64 - 1, 3)


def test_a_packed_batch_is_read_from_these_bytes() -> None:
    """Only reading: another zlib may pack the same values into other bytes."""
    blocks, records = wire.unpack_batch(wire.decode_batch(bytes.fromhex(GOLDEN_PACKED)))
    assert plain(blocks) == plain(BLOCKS)
    assert records == RECORDS


@pytest.mark.parametrize(
    ("message", "octets"),
    [
        (wire.Ack(7, 3, [(5, 6)], [(2, 0, "unknown channel")], "abc"), GOLDEN_REFUSAL),
        (wire.Welcome("abc", [("LU-1", "1-0:1.8.0", 5)], [(7, 2, 2)]), GOLDEN_WELCOME),
        (wire.Evidence("abc", 1000, 99, 1, 2, [("LU-1", "1-0:1.29.0", [1000, 2000])]), GOLDEN_EVIDENCE),
    ],
)
def test_answers_are_these_bytes(message: wire.Answer, octets: str) -> None:
    assert wire.encode_message(message).hex() == octets
    assert wire.decode_message(bytes.fromhex(octets)) == message


def test_a_birth_is_these_bytes() -> None:
    birth = wire.Birth(True, 2**63 + 7, [(7, 1, 3)], "abc", "0.1.0", 4, 99, 1000)
    assert wire.encode_birth(birth).hex() == GOLDEN_BIRTH
    assert wire.decode_birth(bytes.fromhex(GOLDEN_BIRTH)) == birth


def block(kind: Kind) -> st.SearchStrategy[wire.Block]:
    bits = 31 if kind is Kind.INTERVAL else 63
    values = st.lists(st.integers(-(2**bits), 2**bits - 1), min_size=1, max_size=1 if kind is Kind.STATE else 100)

    def build(values: list[int], device: str, start: int, flags: list[int], marks: int) -> wire.Block:
        quality = (flags * len(values))[: len(values)] if flags else None
        if quality is not None and not any(quality):
            quality = None
        key = wire.Key(device, "1-0:1.29.0", "Wh", 0, kind)
        return wire.Block(key, start, 0 if kind is Kind.STATE else 900_000, values, quality, marks)

    return st.builds(
        build,
        values,
        st.sampled_from(["A", "B", "C"]),
        st.integers(-(2**62), 2**62),
        st.lists(st.integers(0, 65535), max_size=3),
        st.integers(0, 3),
    )


@given(
    st.lists(block(Kind.INTERVAL), max_size=8),
    st.lists(block(Kind.STATE), max_size=8),
    st.sampled_from([wire.PLAIN, wire.DELTA_ZLIB]),
)
def test_any_batch_comes_back(intervals: list[wire.Block], states: list[wire.Block], packing: int) -> None:
    body = wire.encode_batch(wire.pack_batch([*intervals, *states], [], packing))
    assert plain(wire.unpack_batch(wire.decode_batch(body))[0]) == plain([*intervals, *states])


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_raise_the_wire_error(body: bytes) -> None:
    try:
        wire.unpack_batch(wire.decode_batch(body))
    except wire.WireError as error:
        assert error.code


@given(st.integers(0, len(GOLDEN_PLAIN) // 2 - 1), st.integers(0, 255))
def test_a_flipped_byte_never_escapes_the_wire_error(place: int, byte: int) -> None:
    body = bytearray.fromhex(GOLDEN_PLAIN)
    body[place] = byte
    try:
        blocks, _ = wire.unpack_batch(wire.decode_batch(bytes(body)))
    except wire.WireError as error:
        assert error.code
    else:
        assert len(blocks) <= 2


def test_properties_give_the_address_back() -> None:
    properties = wire.user_properties("CONC-1", 2**64 - 1, 12)
    assert properties == [("edge", "CONC-1"), ("epoch", "f" * 16), ("seq", "12"), ("schema", "1")]
    assert wire.parse_properties(properties) == wire.BatchAddress(wire.EdgeId("CONC-1"), 2**64 - 1, 12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"edge": "a/b"}, "concentrator id"),
        ({"epoch": "12"}, "16 hexadecimal digits"),
        ({"seq": "0"}, "whole number from 1"),
        ({"seq": "-1"}, "whole number from 1"),
        ({"seq": ""}, "whole number from 1"),
    ],
)
def test_a_bad_address_is_a_sentence(change: dict[str, str], sentence: str) -> None:
    properties = dict(wire.user_properties("CONC-1", 1, 1)) | change
    with pytest.raises(wire.WireError, match=sentence):
        wire.parse_properties(properties.items())


def test_a_missing_property_is_named() -> None:
    with pytest.raises(wire.WireError, match="lacks the user properties seq"):
        wire.parse_properties([pair for pair in wire.user_properties("CONC-1", 1, 1) if pair[0] != "seq"])


@given(st.integers(0, 2**64 - 1))
def test_an_epoch_survives_the_database(epoch: int) -> None:
    assert -(2**63) <= wire.signed_epoch(epoch) < 2**63
    assert wire.unsigned_epoch(wire.signed_epoch(epoch)) == epoch


def test_a_packed_column_may_not_explode() -> None:
    import zlib

    with pytest.raises(wire.WireError, match="more than"):
        typed_columns.inflate(zlib.compress(bytes(typed_columns.MAX_UNPACKED_BYTES + 1)))


def test_the_topic_names_its_edge() -> None:
    assert wire.edge_of_topic(wire.data_topic("CONC-1")) == "CONC-1"
    with pytest.raises(wire.WireError, match="must look like"):
        wire.edge_of_topic("spBv1.0/CONC-1/data")
