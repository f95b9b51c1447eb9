"""Whatever bytes come, a message is opened or refused, and its neighbours are in."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from central.ingest.decode import prepare
from central.ingest.message import Message
from central.ingest.testing import KnownChannels
from shared.wire import DELTA_ZLIB, PLAIN, Batch, Block, BlockColumns, Record, data_topic, encode_batch, user_properties
from tests.unit.central.ingest.builders import CHANNELS, EDGE, EPOCH, LOAD, NOW_MS, QUARTER_MS, STATE, message, ms

MIDNIGHT = ms(2026, 3, 1, 23)
BODY = message(
    [Block(LOAD, MIDNIGHT, QUARTER_MS, [1, 2, 3], [0, 1, 0]), Block(STATE, MIDNIGHT, 0, [9])],
    [Record("gap", "LU-1", MIDNIGHT, {"n": 1})],
).body


def check_neighbours(body: bytes, properties: list[tuple[str, str]]) -> None:
    good = [message([Block(LOAD, MIDNIGHT + n * QUARTER_MS, QUARTER_MS, [n])], seq=n) for n in (1, 3)]
    bad = Message(data_topic(EDGE), body, properties)
    prepared, taken = prepare([good[0], bad, good[1]], KnownChannels(CHANNELS), NOW_MS)
    assert taken == 3
    positions = {position for position, _ in prepared.refusals if position is not None}
    for place, number in enumerate(prepared.numbers):
        if number.message in good:
            assert place not in positions
            assert prepared.channels[place] == [11]
    assert sum(number.message in good for number in prepared.numbers) == 2


@settings(max_examples=100)
@given(st.data())
def test_a_body_with_changed_bytes(data: st.DataObject) -> None:
    body = bytearray(BODY)
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=6)):
        body[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(body)))
    check_neighbours(bytes(body[:end] if data.draw(st.booleans()) else body), user_properties(EDGE, EPOCH, 2))


@settings(max_examples=100)
@given(st.binary(max_size=200))
@example(b"\x94" * 5_000)
@example(b"\x91\x90")
@example(b"\x90")
def test_any_bytes(body: bytes) -> None:
    check_neighbours(body, user_properties(EDGE, EPOCH, 2))


INT32 = st.one_of(st.integers(-3, 5), st.sampled_from([-(2**31), 2**31 - 1, QUARTER_MS]))
INT64 = st.one_of(st.just(MIDNIGHT), st.sampled_from([-(2**63), 2**63 - 1, 0, MIDNIGHT + 1]))


def octets(numbers: list[int], width: int) -> bytes:
    return b"".join(number.to_bytes(width, "little", signed=True) for number in numbers)


@settings(max_examples=150)
@given(st.data())
def test_columns_of_any_content(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 4))

    def column(numbers: st.SearchStrategy[int], width: int) -> bytes:
        return octets(data.draw(st.lists(numbers, min_size=n, max_size=n)), width)

    def columns(width: int) -> BlockColumns:
        return BlockColumns(
            column(INT32, 4),
            column(INT64, 8),
            column(INT32, 4),
            column(INT32, 4),
            bytes(n),
            octets(data.draw(st.lists(INT32, max_size=8)), width),
            octets(data.draw(st.lists(INT32, max_size=3)), 4),
            bytes(2 * data.draw(st.integers(0, 6))),
            data.draw(st.sampled_from([PLAIN, DELTA_ZLIB])),
        )

    batch = Batch([LOAD, STATE], columns(4), columns(8) if data.draw(st.booleans()) else None)
    check_neighbours(encode_batch(batch), user_properties(EDGE, EPOCH, 2))


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5))
def test_any_properties(properties: list[tuple[str, str]]) -> None:
    check_neighbours(BODY, properties)
